/**
 * <head-figure>: head, neck and shoulders drawn as in a mirror (the patient's right is on the
 * right) and turned by `orientation`. Painted flat on a canvas; the text beside it carries the
 * same facts, so the picture is hidden from assistive technology.
 */
import { IDENTITY, apply, between, toMatrix } from "./quaternion.js";
import { faceMarks, headFaces, neckFaces, trunkFaces } from "./head-mesh.js";

/** @typedef {import("./quaternion.js").Vector} Vector */
/** @typedef {import("./quaternion.js").Quaternion} Quaternion */

const HEAD = headFaces();
const MARKS = faceMarks();
const TRUNK = trunkFaces();
const LIGHT = /** @type {Vector} */ ([0.62, 0.66, -0.42]);
const CAMERA_PITCH = 0.1;
const DISTANCE = 11;
const EASE_MS = 90;

const PALETTE = ["skin", "hair", "band", "sensor", "cloth", "eye", "pupil", "mouth"];

/** @param {string} text @returns {[number, number, number]} */
function parseColour(text) {
  const hex = text.trim().replace("#", "");
  const n = Number.parseInt(hex, 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

class HeadFigure extends HTMLElement {
  /** @type {Quaternion} */ #wanted = IDENTITY;
  /** @type {Quaternion} */ #shown = IDENTITY;
  /** @type {Record<string, [number, number, number]>} */ #colours = {};
  #stale = true;
  #frame = 0;
  #last = 0;
  /** @type {HTMLCanvasElement} */ #canvas = document.createElement("canvas");

  connectedCallback() {
    this.#canvas.setAttribute("aria-hidden", "true");
    this.append(this.#canvas);
    new ResizeObserver(() => this.#resize()).observe(this);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.refresh());
    document.addEventListener("necktrace:theme", () => this.refresh());
    this.refresh();
  }

  /** Read the colours again and draw. */
  refresh() {
    const style = getComputedStyle(this);
    for (const name of PALETTE) {
      this.#colours[name] = parseColour(style.getPropertyValue(`--figure-${name}`));
    }
    this.#schedule();
  }

  /** @param {Quaternion | null} q what the head is turned by, null where not known */
  set orientation(q) {
    if (q === null) return;
    this.#wanted = q;
    this.#schedule();
  }

  /** @param {boolean} value */
  set stale(value) {
    if (value === this.#stale) return;
    this.#stale = value;
    this.classList.toggle("stale", value);
    this.#schedule();
  }

  #resize() {
    const scale = Math.min(devicePixelRatio || 1, 2);
    this.#canvas.width = Math.max(1, Math.round(this.clientWidth * scale));
    this.#canvas.height = Math.max(1, Math.round(this.clientHeight * scale));
    this.#schedule();
  }

  #schedule() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame((now) => this.#step(now));
  }

  /** @param {number} now */
  #step(now) {
    this.#frame = 0;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const elapsed = Math.min(100, now - this.#last);
    this.#last = now;
    const share = calm ? 1 : 1 - Math.exp(-elapsed / EASE_MS);
    this.#shown = between(this.#shown, this.#wanted, share);
    const left = this.#shown.reduce((sum, v, i) => sum + Math.abs(v - this.#wanted[i]), 0);
    this.#draw();
    if (left > 2e-4 && left < 1.9) this.#schedule();
  }

  #draw() {
    const context = this.#canvas.getContext("2d");
    if (context === null) return;
    const { width, height } = this.#canvas;
    const unit = Math.min(width / 4.3, height / 4.35);
    const matrix = toMatrix(this.#shown);
    const turned = (/** @type {Vector} */ v) => apply(matrix, v);
    const [cosP, sinP] = [Math.cos(CAMERA_PITCH), Math.sin(CAMERA_PITCH)];
    /** @param {Vector} p @returns {Vector} screen right, screen down, depth towards the viewer */
    const project = ([x, y, z]) => {
      const depth = x * cosP + y * sinP;
      const up = y * cosP - x * sinP;
      const zoom = DISTANCE / (DISTANCE - depth);
      return [width / 2 + z * unit * zoom, height * 0.565 - up * unit * zoom, depth];
    };
    /** @type {{points: Vector[], depth: number, fill: string}[]} */
    const list = [];
    const add = (/** @type {import("./head-mesh.js").Face[]} */ faces, /** @type {boolean} */ turn, /** @type {number} */ nearer) => {
      faces.forEach(({ corners, colour }, i) => {
        const world = turn ? corners.map(turned) : corners;
        const shade = this.#shade(world);
        const points = world.map(project);
        if (!facesViewer(points)) return;
        const depth = points.reduce((sum, p) => sum + p[2], 0) / points.length + nearer + (faces === MARKS ? i * 0.02 : 0);
        list.push({ points, depth, fill: this.#fill(colour, shade) });
      });
    };
    add(TRUNK, false, 0);
    add(neckFaces(turned), false, 0);
    add(HEAD, true, 0.02);
    add(MARKS, true, 0.2);
    list.sort((a, b) => a.depth - b.depth);
    context.clearRect(0, 0, width, height);
    context.lineJoin = "round";
    context.lineWidth = Math.max(1, unit * 0.012);
    for (const { points, fill } of list) {
      context.beginPath();
      points.forEach(([px, py], i) => (i ? context.lineTo(px, py) : context.moveTo(px, py)));
      context.closePath();
      context.fillStyle = fill;
      context.strokeStyle = fill;
      context.fill();
      context.stroke();
    }
  }

  /** @param {Vector[]} world @returns {number} brightness 0..1 */
  #shade(world) {
    const [a, b, c, d = world[2]] = world;
    const u = [c[0] - a[0], c[1] - a[1], c[2] - a[2]];
    const v = [d[0] - b[0], d[1] - b[1], d[2] - b[2]];
    const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    const size = Math.hypot(n[0], n[1], n[2]) || 1;
    const lambert = (n[0] * LIGHT[0] + n[1] * LIGHT[1] + n[2] * LIGHT[2]) / size;
    return 0.5 + 0.5 * Math.max(-0.6, lambert);
  }

  /** @param {string} name @param {number} shade */
  #fill(name, shade) {
    let [r, g, b] = this.#colours[name] ?? [128, 128, 128];
    if (name !== "eye" && name !== "pupil" && name !== "mouth") {
      const s = 0.62 + 0.46 * shade;
      [r, g, b] = [r * s, g * s, b * s];
    }
    if (this.#stale) {
      const grey = 0.3 * r + 0.59 * g + 0.11 * b;
      [r, g, b] = [r, g, b].map((v) => grey * 0.9 + v * 0.1);
    }
    return `rgb(${Math.min(255, r) | 0} ${Math.min(255, g) | 0} ${Math.min(255, b) | 0})`;
  }
}

/** @param {Vector[]} points screen points; outlines run clockwise on the screen when seen from outside */
function facesViewer(points) {
  let area = 0;
  for (let i = 0; i < points.length; i += 1) {
    const [ax, ay] = points[i];
    const [bx, by] = points[(i + 1) % points.length];
    area += ax * by - bx * ay;
  }
  return area > 0;
}

customElements.define("head-figure", HeadFigure);
