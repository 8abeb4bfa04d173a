/**
 * Quaternions, scalar first (w, x, y, z). DOM-free.
 * @typedef {[number, number, number, number]} Quaternion
 * @typedef {[number, number, number]} Vector
 */

/** @type {Quaternion} */
export const IDENTITY = [1, 0, 0, 0];

/**
 * Rows of the rotation matrix.
 * @param {Quaternion} q
 * @returns {number[]} nine numbers, row by row
 */
export function toMatrix([w, x, y, z]) {
  return [
    1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
    2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
    2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
  ];
}

/**
 * @param {number[]} m
 * @param {Vector} v
 * @returns {Vector}
 */
export function apply(m, [x, y, z]) {
  return [
    m[0] * x + m[1] * y + m[2] * z,
    m[3] * x + m[4] * y + m[5] * z,
    m[6] * x + m[7] * y + m[8] * z,
  ];
}

/**
 * Normalised linear interpolation along the shorter way; enough between two live frames.
 * @param {Quaternion} a
 * @param {Quaternion} b
 * @param {number} s 0..1
 * @returns {Quaternion}
 */
export function between(a, b, s) {
  const dot = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
  const sign = dot < 0 ? -1 : 1;
  const q = a.map((value, i) => value + (sign * b[i] - value) * s);
  const norm = Math.hypot(q[0], q[1], q[2], q[3]) || 1;
  return /** @type {Quaternion} */ (q.map((value) => value / norm));
}
