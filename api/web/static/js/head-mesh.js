/**
 * The drawn figure: head, neck and shoulders as quads with a colour name. DOM-free.
 * Axes as in the coordinate-frames page: X anterior, Y up, Z to the patient's right. The head is
 * modelled around its pivot at the base of the skull, the trunk around the same point.
 *
 * @typedef {import("./quaternion.js").Vector} Vector
 * @typedef {{corners: Vector[], colour: string}} Face
 */

const bump = (/** @type {number} */ d, /** @type {number} */ width) => Math.exp(-(d * d) / (width * width));
const smooth = (/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ v) => {
  const s = Math.min(1, Math.max(0, (v - from) / (to - from)));
  return s * s * (3 - 2 * s);
};

const CENTRE_Y = 1.02;
const CENTRE_X = 0.16;

/**
 * Point of the head's surface.
 * @param {number} lat 0 at the crown, π under the chin
 * @param {number} lon 0 in front, positive to the patient's right
 * @returns {Vector}
 */
function headPoint(lat, lon) {
  const y = Math.cos(lat);
  const ring = Math.sin(lat) ** 0.86;
  const front = Math.cos(lon);
  const side = Math.sin(lon);
  const below = smooth(0.1, -1, y);
  let x = front * ring * (front > 0 ? 0.84 : 0.95);
  let z = side * ring * (0.76 + 0.04 * smooth(-0.1, 0.6, y));
  z *= 1 - 0.34 * below;
  x *= front > 0 ? 1 - 0.06 * below : 1 - 0.3 * below;
  if (front > 0) {
    const across = side * ring;
    x -= 0.05 * bump(across, 0.9) * bump(y + 0.08, 0.5);
    x += 0.27 * bump(across, 0.135) * bump(y + 0.27, 0.17);
    x += 0.12 * bump(across, 0.1) * bump(y + 0.06, 0.2);
    x += 0.055 * bump(across, 0.5) * bump(y - 0.17, 0.1);
    x -= 0.075 * (bump(across - 0.3, 0.16) + bump(across + 0.3, 0.16)) * bump(y - 0.0, 0.12);
    x += 0.075 * bump(across, 0.2) * bump(y + 0.62, 0.1);
    x += 0.12 * bump(across, 0.26) * bump(y + 0.9, 0.16);
  }
  return [CENTRE_X + x, CENTRE_Y + 1.2 * y, z];
}

/** @param {number} lat @param {number} lon */
function headColour(lat, lon) {
  const y = Math.cos(lat);
  const front = Math.cos(lon);
  if (y > 0.36 && y < 0.53) return "band";
  if (front > 0.5) return y > 0.53 ? "hair" : "skin";
  if (front > 0.12) return y > 0.2 ? "hair" : "skin";
  return y > -0.42 - 0.1 * (1 + front) ? "hair" : "skin";
}

/**
 * @param {number} rows
 * @param {number} columns
 * @param {(u: number, v: number) => Vector} point both 0..1, v around
 * @param {(u: number, v: number) => string} colour
 * @returns {Face[]}
 */
function surface(rows, columns, point, colour) {
  /** @type {Face[]} */
  const faces = [];
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      const [u0, u1, v0, v1] = [i / rows, (i + 1) / rows, j / columns, (j + 1) / columns];
      faces.push({
        corners: [point(u0, v0), point(u0, v1), point(u1, v1), point(u1, v0)],
        colour: colour((u0 + u1) / 2, (v0 + v1) / 2),
      });
    }
  }
  return faces;
}

/** @param {number} side +1 the patient's right @returns {Face[]} */
function ear(side) {
  return surface(7, 10, (u, v) => {
    const [a, b] = [u * Math.PI, v * 2 * Math.PI];
    return [
      CENTRE_X - 0.1 + 0.15 * Math.sin(a) * Math.cos(b) - 0.05 * Math.cos(a),
      CENTRE_Y - 0.14 + 0.27 * Math.cos(a),
      side * (0.73 + 0.075 * Math.sin(a) * Math.sin(b) * side + 0.05 * Math.sin(a)),
    ];
  }, () => "skin");
}

/** @returns {Face[]} the sensor on the headband */
function sensor() {
  const y = CENTRE_Y + 1.2 * 0.445;
  const x = headPoint(Math.acos(0.445), 0)[0];
  const [h, w, d] = [0.13, 0.2, 0.085];
  /** @type {Vector[]} */
  const f = [[x + d, y + h, -w], [x + d, y + h, w], [x + d, y - h, w], [x + d, y - h, -w]];
  /** @type {Vector[]} */
  const b = f.map(([, py, pz]) => [x - 0.12, py * 1, pz * 1.08]);
  /** @type {Face[]} */
  const faces = [{ corners: f, colour: "sensor" }];
  for (let i = 0; i < 4; i += 1) {
    const n = (i + 1) % 4;
    faces.push({ corners: [f[n], b[n], b[i], f[i]].reverse(), colour: "sensor" });
  }
  return faces;
}

/** @returns {Face[]} */
export function headFaces() {
  const lonAt = (/** @type {number} */ v) => {
    const s = v * 2 - 1;
    return Math.PI * (0.62 * s + 0.38 * s * s * s);
  };
  const latAt = (/** @type {number} */ u) => u * Math.PI;
  return [
    ...surface(34, 44, (u, v) => headPoint(latAt(u), lonAt(v)), (u, v) => headColour(latAt(u), lonAt(v))),
    ...ear(1),
    ...ear(-1),
    ...sensor(),
  ];
}

/**
 * Flat marks on the face: closed outlines that are drawn on top where they face the viewer.
 * @returns {Face[]}
 */
export function faceMarks() {
  const onFace = (/** @type {number} */ y, /** @type {number} */ across, /** @type {number} */ lift) => {
    const lat = Math.acos(y);
    const lon = Math.asin(Math.max(-1, Math.min(1, across / Math.sin(lat) ** 0.86)));
    const [px, py, pz] = headPoint(lat, lon);
    return /** @type {Vector} */ ([px + lift, py, pz]);
  };
  const ellipse = (/** @type {number} */ y, /** @type {number} */ across, /** @type {number} */ h,
    /** @type {number} */ w, /** @type {string} */ colour) => {
    const corners = [];
    for (let i = 0; i < 14; i += 1) {
      const a = (-i / 14) * 2 * Math.PI;
      corners.push(onFace(y + h * Math.sin(a), across + w * Math.cos(a), 0.015));
    }
    return { corners, colour };
  };
  const stroke = (/** @type {number} */ y, /** @type {number} */ across, /** @type {number} */ w,
    /** @type {number} */ thick, /** @type {number} */ arch, /** @type {string} */ colour) => {
    const top = [];
    const bottom = [];
    for (let i = 0; i <= 8; i += 1) {
      const s = i / 4 - 1;
      const rise = arch * (1 - s * s);
      const half = thick * (1 - 0.65 * s * s);
      top.push(onFace(y + rise + half, across + w * s, 0.02));
      bottom.unshift(onFace(y + rise - half, across + w * s, 0.02));
    }
    return { corners: [...top, ...bottom], colour };
  };
  return [
    ellipse(0.005, 0.3, 0.042, 0.1, "eye"),
    ellipse(0.005, -0.3, 0.042, 0.1, "eye"),
    ellipse(0.005, 0.3, 0.04, 0.042, "pupil"),
    ellipse(0.005, -0.3, 0.04, 0.042, "pupil"),
    stroke(0.15, 0.3, 0.15, 0.02, 0.035, "hair"),
    stroke(0.15, -0.3, 0.15, 0.02, 0.035, "hair"),
    stroke(-0.6, 0, 0.21, 0.022, -0.02, "mouth"),
  ];
}

/** @returns {Face[]} shoulders and chest, fixed; the trunk's strap carries the second sensor */
export function trunkFaces() {
  const profile = (/** @type {number} */ u) => {
    const drop = -0.5 - 1.75 * u;
    const shoulder = smooth(0, 0.42, u);
    return { y: drop, wide: 0.46 + 1.35 * shoulder ** 1.5 + 0.06 * u, deep: 0.46 + 0.36 * smooth(0, 0.6, u) };
  };
  return surface(18, 40, (u, v) => {
    const { y, wide, deep } = profile(u);
    const a = v * 2 * Math.PI;
    const c = Math.cos(a);
    const s = Math.sin(a);
    const slope = 0.26 * Math.abs(s) ** 2 * (1 - u);
    return [-0.12 + deep * Math.sign(c) * Math.abs(c) ** 0.8, y - slope, wide * Math.sign(s) * Math.abs(s) ** 0.85];
  }, (u, v) => (u > 0.6 && u < 0.72 ? (Math.abs(v - 0.5) > 0.465 ? "sensor" : "band") : "cloth"));
}

/**
 * The neck between the fixed trunk and the turned head.
 * @param {(v: Vector) => Vector} turned rotation of the head about the pivot
 * @returns {Face[]}
 */
export function neckFaces(turned) {
  return surface(7, 26, (u, v) => {
    const a = v * 2 * Math.PI;
    /** @type {Vector} */
    const low = [-0.14 + 0.47 * Math.cos(a), -0.85, 0.52 * Math.sin(a)];
    const high = turned([-0.06 + 0.5 * Math.cos(a), 0.34 - 0.06 * Math.cos(a), 0.46 * Math.sin(a)]);
    const s = smooth(0, 1, u);
    const waist = 1 - 0.1 * Math.sin(Math.PI * u);
    return [
      (low[0] * (1 - s) + high[0] * s) * waist,
      low[1] * (1 - u) + high[1] * u,
      (low[2] * (1 - s) + high[2] * s) * waist,
    ];
  }, () => "skin");
}
