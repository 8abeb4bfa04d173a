/**
 * <posture-chart data-patient data-from data-to>: the three angles through a day, drawn by uPlot.
 * Zooming asks the server again for that stretch, so a jerk is never hidden by thinning. As much
 * again is held on either side, so that panning moves at once; more is asked for before the edge
 * comes into view, and the plot stays while its data are exchanged. The numbers of what is in view
 * stand in a table below the chart.
 */
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { angleWords, clock, duration, loadCatalogue, text } from "./format.js";

loadCatalogue();

const SERIES = /** @type {const} */ ([
  { axis: "rotation", field: "rotation_right_deg", dash: [] },
  { axis: "lateral", field: "lateral_right_deg", dash: [8, 4] },
  { axis: "flexion", field: "flexion_deg", dash: [2, 3] },
]);
const FIELDS = SERIES.flatMap(({ field }) => [field, field.replace("_deg", "_min_deg"), field.replace("_deg", "_max_deg")]);
const TABLE_ROWS = 24;
const REST_MS = 250;
const AHEAD = 0.6;
/** Of what is in view: less than this held beyond an edge asks for more. */

class PostureChart extends HTMLElement {
  /** @type {any} */ #plot = null;
  /** @type {AbortController | null} */ #pending = null;
  #zone = document.body.dataset.zone || "UTC";
  #whole = [0, 1];
  #range = [0, 1];
  #held = [0, 0];
  #dashed = true;
  /** @type {any} */ #body = null;
  /** @type {any} */ #rows = null;
  #cursor = -1;
  #resting = 0;

  connectedCallback() {
    this.#whole = [Number(this.dataset.from), Number(this.dataset.to)];
    this.#range = [...this.#whole];
    this.tabIndex = 0;
    this.addEventListener("keydown", (event) => this.#onKey(event));
    new ResizeObserver(() => {
      if (this.#plot && this.clientWidth > 0) this.#plot.setSize({ width: this.clientWidth, height: this.#height() });
    }).observe(this);
    const redraw = () => {
      this.#plot?.destroy();
      this.#plot = null;
      if (this.#body !== null) this.#show(this.#body);
    };
    document.addEventListener("necktrace:theme", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    this.#load();
  }

  #height() {
    return Math.max(220, Math.min(420, this.clientWidth * 0.42));
  }

  async #load() {
    this.#pending?.abort();
    this.#pending = new AbortController();
    const span = this.#range[1] - this.#range[0];
    const from = Math.max(this.#whole[0], this.#range[0] - span);
    const to = Math.min(this.#whole[1], this.#range[1] + span);
    const slotsInView = Math.max(200, Math.min(2000, this.clientWidth * Math.min(2, devicePixelRatio)));
    const query = new URLSearchParams({
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      max_points: String(Math.round((slotsInView * (to - from)) / span)),
      fields: FIELDS.join(","),
    });
    const url = `/api/v1/patients/${encodeURIComponent(this.dataset.patient || "")}/angles?${query}`;
    const asking = this.#pending;
    const body = await fetch(url, { signal: asking.signal })
      .then((answer) => (answer.ok ? answer.json() : null))
      .catch(() => null);
    if (this.#pending !== asking) return;
    this.#pending = null;
    if (body === null) return;
    this.#held = [from, to];
    this.#show(body);
  }

  /** @param {any} body */
  #show(body) {
    const rows = withBreaks(body);
    this.#body = body;
    this.#rows = rows;
    /** @type {any[]} */ const data = [rows.t];
    for (const { field } of SERIES) {
      data.push(rows.columns[field], rows.columns[field.replace("_deg", "_max_deg")], rows.columns[field.replace("_deg", "_min_deg")]);
    }
    if (this.#plot === null) this.#draw(data);
    else {
      this.#plot.batch(() => {
        this.#plot.setData(data, false);
        this.#view();
      });
    }
    this.dataset.points = String(body.t_ms.length);
    clearTimeout(this.#resting);
    this.#resting = window.setTimeout(() => this.#rest(), REST_MS);
  }

  /** Show the range that is wanted now; the height follows what is in it. */
  #view() {
    this.#plot.setScale("x", { min: this.#range[0] / 1000, max: this.#range[1] / 1000 });
  }

  /** @param {any[]} data */
  #draw(data) {
    this.#dashed = true;
    const style = getComputedStyle(this);
    const ink = style.getPropertyValue("--ink-2");
    const line = style.getPropertyValue("--line");
    const colour = (/** @type {string} */ axis) => style.getPropertyValue(`--series-${axis}`).trim();
    /** @type {any[]} */ const series = [{}];
    /** @type {any[]} */ const bands = [];
    for (const { axis, dash } of SERIES) {
      const at = series.length;
      series.push({ label: text(`angle.${axis}`), stroke: colour(axis), width: 1.6, dash, points: { show: false } });
      series.push({ width: 0, points: { show: false } }, { width: 0, points: { show: false } });
      bands.push({ series: [at + 1, at + 2], fill: `${colour(axis)}2e` });
    }
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: "12px system-ui, sans-serif" };
    this.#plot = new uPlot({
      width: this.clientWidth,
      height: this.#height(),
      series,
      bands,
      legend: { show: false },
      tzDate: (/** @type {number} */ s) => uPlot.tzDate(new Date(s * 1000), this.#zone),
      scales: { x: { time: true, min: this.#range[0] / 1000, max: this.#range[1] / 1000 } },
      axes: [
        { ...axis, values: (/** @type {any} */ _u, /** @type {number[]} */ splits) => splits.map((s) => this.#clock(s * 1000)) },
        { ...axis, size: 46, values: (/** @type {any} */ _u, /** @type {number[]} */ splits) => splits.map((v) => `${v}°`) },
      ],
      cursor: { drag: { x: true, y: false, setScale: false } },
      hooks: {
        setSelect: [(/** @type {any} */ u) => {
          if (u.select.width < 8) return;
          this.#zoom(u.posToVal(u.select.left, "x") * 1000, u.posToVal(u.select.left + u.select.width, "x") * 1000);
        }],
        setCursor: [(/** @type {any} */ u) => { if (u.cursor.idx != null) this.#say(u.cursor.idx, this.#rows); }],
      },
    }, data, this);
    this.#plot.over.addEventListener("dblclick", () => this.#zoom(...this.#whole));
    this.#pannable(this.#plot.over);
  }

  /** @param {number} ms */
  #clock(ms) {
    const full = clock(ms, this.#zone);
    return this.#range[1] - this.#range[0] < 600000 ? full : full.slice(0, 5);
  }

  /** @param {number} from @param {number} to */
  #zoom(from, to) {
    const middle = (from + to) / 2;
    const half = Math.max((to - from) / 2, 5000);
    this.#range = [Math.max(this.#whole[0], middle - half), Math.min(this.#whole[1], middle + half)];
    this.#view();
    this.#load();
  }

  /** Shift and drag, or the wheel sideways. @param {HTMLElement} over */
  #pannable(over) {
    const perPixel = () => (this.#range[1] - this.#range[0]) / Math.max(1, over.clientWidth);
    over.addEventListener("mousedown", (event) => {
      if (!event.shiftKey) return;
      event.stopImmediatePropagation();
      event.preventDefault();
      const move = (/** @type {MouseEvent} */ moved) => this.#pan(-moved.movementX * perPixel());
      document.addEventListener("mousemove", move);
      document.addEventListener("mouseup", () => document.removeEventListener("mousemove", move), { once: true });
    }, { capture: true });
    over.addEventListener("wheel", (event) => {
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (!sideways) return;
      event.preventDefault();
      this.#pan(sideways * perPixel());
    }, { passive: false });
  }

  /** Move what is in view at once; what lies beyond is asked for on the way. @param {number} by_ms */
  #pan(by_ms) {
    const [from, to] = this.#range;
    const by = Math.max(this.#whole[0] - from, Math.min(this.#whole[1] - to, by_ms));
    if (!by) return;
    this.#dash(false);
    this.#range = [from + by, to + by];
    this.#view();
    this.dataset.view = String(Math.round(this.#range[0]));
    if (this.#pending === null && this.#margin() < AHEAD) this.#load();
    clearTimeout(this.#resting);
    this.#resting = window.setTimeout(() => this.#rest(), REST_MS);
  }

  /** Lines are told apart by dashes, which cost most of a frame: left out while they move. @param {boolean} wanted */
  #dash(wanted) {
    if (this.#dashed === wanted) return;
    this.#dashed = wanted;
    SERIES.forEach(({ dash }, i) => { this.#plot.series[1 + 3 * i].dash = wanted ? dash : []; });
    if (wanted) this.#plot.redraw(false);
  }

  /** How much is held beyond the nearer edge, of what is in view; Infinity at the day's own ends. */
  #margin() {
    const [from, to] = this.#range;
    const left = this.#held[0] > this.#whole[0] ? from - this.#held[0] : Infinity;
    const right = this.#held[1] < this.#whole[1] ? this.#held[1] - to : Infinity;
    return Math.min(left, right) / (to - from);
  }

  /** What can wait until nothing moves. */
  #rest() {
    this.#dash(true);
    this.#table(inView(this.#body, this.#range));
    if (this.#pending === null && this.#margin() < AHEAD) this.#load();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (!this.#plot) return;
    const [from, to] = this.#range;
    const centre = this.#cursor >= 0 ? this.#plot.data[0][this.#cursor] * 1000 : (from + to) / 2;
    const span = to - from;
    const last = this.#plot.data[0].length - 1;
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
    if (move !== undefined && event.shiftKey) this.#pan((Math.sign(move) * span) / 8);
    else if (move !== undefined) {
      this.#cursor = Math.max(0, Math.min(last, (this.#cursor < 0 ? Math.round(last / 2) : this.#cursor) + move));
      const left = this.#plot.valToPos(this.#plot.data[0][this.#cursor], "x");
      this.#plot.setCursor({ left, top: 10 });
    } else if (event.key === "+" || event.key === "=") this.#zoom(centre - span / 4, centre + span / 4);
    else if (event.key === "-") this.#zoom(centre - span, centre + span);
    else if (event.key === "0") this.#zoom(...this.#whole);
    else return;
    event.preventDefault();
  }

  /** @param {number} at @param {any} rows */
  #say(at, rows) {
    const status = this.parentElement?.querySelector("[data-cursor]");
    if (!status) return;
    const words = SERIES.map(({ axis, field }) => angleWords(axis, rows.columns[field][at]));
    status.textContent = rows.t[at] ? `${clock(rows.t[at] * 1000, this.#zone)}: ${words.join(", ")}` : "";
  }

  /** @param {any} body */
  #table(body) {
    const table = this.parentElement?.querySelector("[data-table] tbody");
    if (!table) return;
    const every = Math.max(1, Math.ceil(body.t_ms.length / TABLE_ROWS));
    const rows = [];
    for (let i = 0; i < body.t_ms.length; i += every) {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = clock(body.t_ms[i], this.#zone);
      row.append(head);
      for (const { axis, field } of SERIES) {
        const cell = document.createElement("td");
        const [low, high] = extremes(body.columns, field, i, i + every);
        cell.textContent = low === null ? text("unit.none") : `${angleWords(axis, low)} … ${angleWords(axis, high)}`;
        row.append(cell);
      }
      rows.push(row);
    }
    table.replaceChildren(...rows);
    const caption = this.parentElement?.querySelector("[data-table] caption");
    if (caption) caption.textContent = `${text("day.angles.caption")} (${duration(body.step_s * every)})`;
  }
}

/**
 * The slots of a body that are in view.
 * @param {any} body @param {number[]} range
 */
function inView(body, range) {
  const keep = body.t_ms.map((/** @type {number} */ ms) => ms >= range[0] && ms < range[1]);
  const cut = (/** @type {any[]} */ all) => all.filter((_, i) => keep[i]);
  return { ...body, t_ms: cut(body.t_ms), columns: Object.fromEntries(FIELDS.map((name) => [name, cut(body.columns[name])])) };
}

/**
 * Smallest minimum and largest maximum of a stretch of slots.
 * @param {Record<string, (number | null)[]>} columns @param {string} field
 * @param {number} from @param {number} to
 * @returns {[number | null, number | null]}
 */
function extremes(columns, field, from, to) {
  const low = columns[field.replace("_deg", "_min_deg")].slice(from, to).filter((v) => v !== null);
  const high = columns[field.replace("_deg", "_max_deg")].slice(from, to).filter((v) => v !== null);
  return low.length ? [Math.min(.../** @type {number[]} */ (low)), Math.max(.../** @type {number[]} */ (high))] : [null, null];
}

/**
 * Seconds and columns with a null row in every hole, so that no line is drawn across missing data.
 * @param {any} body
 */
function withBreaks(body) {
  /** @type {number[]} */ const t = [];
  /** @type {Record<string, (number | null)[]>} */ const columns = {};
  for (const name of FIELDS) columns[name] = [];
  body.t_ms.forEach((/** @type {number} */ ms, /** @type {number} */ i) => {
    if (i > 0 && ms - body.t_ms[i - 1] > 1500 * body.step_s) {
      t.push(body.t_ms[i - 1] / 1000 + body.step_s);
      for (const name of FIELDS) columns[name].push(null);
    }
    t.push(ms / 1000);
    for (const name of FIELDS) columns[name].push(body.columns[name][i]);
  });
  return { t, columns };
}

customElements.define("posture-chart", PostureChart);
