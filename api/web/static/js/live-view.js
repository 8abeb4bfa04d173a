/**
 * Keeps the "Now" card alive: reads Server-Sent Events, moves the figure, writes the words, and
 * makes everything look stale as soon as it is, whether the sensor, the collector or the
 * connection to this page stopped.
 */
import { angleWords, clock, duration, loadCatalogue, number, signed, text } from "./format.js";
import "./head-figure.js";
import { bus } from "./live-source.js";

loadCatalogue();

const zone = document.body.dataset.zone || "UTC";
const AXES = /** @type {const} */ (["rotation", "lateral", "flexion"]);
const FIELD = { rotation: "rotation_right_deg", lateral: "lateral_right_deg", flexion: "flexion_deg" };
const REACH_DEG = { rotation: 80, lateral: 45, flexion: 60 };
const LOST_AFTER_MS = 2500;

const card = /** @type {HTMLElement} */ (document.querySelector("[data-live]"));
const figure = /** @type {any} */ (card.querySelector("head-figure"));
/** @param {string} name @returns {HTMLElement} */
const part = (name) => /** @type {HTMLElement} */ (card.querySelector(`[data-part="${name}"]`));

/** @type {any} */
let frame = null;
/** @type {any} */
let guide = null;
let heardAt = 0;
let newestMs = 0;

/** @param {HTMLElement} element @param {string} value */
function write(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** @param {HTMLElement} element @param {"good" | "warn" | "bad" | ""} level @param {string} value */
function chip(element, level, value) {
  const wanted = level ? `chip ${level}` : "chip";
  if (element.className !== wanted) element.className = wanted;
  write(/** @type {HTMLElement} */ (element.querySelector("span:last-child")), value);
}

/** @param {"rotation" | "lateral" | "flexion"} axis */
function showAngle(axis) {
  const row = part(`angle-${axis}`);
  const degrees = frame[FIELD[axis]];
  const distrusted = axis === "rotation" && frame.heading_quality === "poor";
  const single = frame.trunk.link_state === "absent";
  const shown = distrusted || single ? null : degrees;
  write(/** @type {HTMLElement} */ (row.querySelector(".words")), angleWords(axis, shown));
  write(/** @type {HTMLElement} */ (row.querySelector(".value")), distrusted ? text("unit.none") : signed(degrees));
  row.classList.toggle("has-value", shown !== null);
  const why = /** @type {HTMLElement} */ (row.querySelector(".why"));
  why.hidden = !(distrusted || single);
  if (distrusted) write(why, text("angle.not_trusted", { sigma: number(frame.heading_sigma_deg) }));
  else if (single) write(why, text("angle.single"));
  const mark = /** @type {SVGElement} */ (row.querySelector(".mark"));
  mark.toggleAttribute("hidden", shown === null);
  if (shown !== null) {
    const along = Math.max(-1, Math.min(1, shown / REACH_DEG[axis]));
    mark.setAttribute("cx", `${50 + 48 * along}%`);
  }
}

/** @param {"head" | "trunk"} role */
function showSensor(role) {
  const sensor = frame[role];
  const element = part(`sensor-${role}`);
  const battery = sensor.battery_fraction === null
    ? text("live.battery_unknown")
    : text("live.battery", { percent: number(sensor.battery_fraction * 100) });
  const words = `${text(`live.role.${role}`)}: ${text(`live.link.${sensor.link_state}`)}`;
  const low = sensor.battery_fraction !== null && sensor.battery_fraction < 0.15;
  if (sensor.link_state === "absent") chip(element, "", words);
  else if (sensor.link_state !== "streaming") chip(element, "bad", words);
  else chip(element, low ? "warn" : "good", `${words}, ${battery}`);
  element.title = sensor.link_reason || "";
}

function showTrust() {
  const element = part("trust");
  const quality = frame.heading_quality;
  const level = quality === "good" ? "good" : quality === null ? "" : "warn";
  const sigma = frame.heading_sigma_deg === null ? "" : number(frame.heading_sigma_deg, 1);
  chip(element, level, text(`live.trust.${quality ?? "none"}`, { sigma }));
  const deviation = part("deviation");
  const value = quality === "poor" ? null : frame.deviation_deg;
  if (value === null) write(deviation, text("angle.deviation.none"));
  else write(deviation, text(value <= 10 ? "angle.near" : "angle.deviation", { deg: number(value) }));
}

function showMessages() {
  const messages = [...frame.warnings];
  if (frame.gated) messages.push(text("live.gated"));
  if (frame.worn === false) messages.push(text("live.worn.no"));
  const calibrated = frame.alignment_quality !== "low";
  if (frame.processing_behind_s > 3) messages.push(text("live.behind", { age: duration(frame.processing_behind_s) }));
  for (const role of /** @type {("head" | "trunk")[]} */ (["head", "trunk"])) {
    const waiting = frame[role].catching_up_s;
    if (waiting !== null) messages.push(text(`live.catching_up.${role}`, { age: duration(waiting) }));
  }
  if (!calibrated && frame.warnings.length === 0) messages.push(text("live.alignment.low"));
  const box = part("messages");
  box.hidden = messages.length === 0;
  // what makes all angles wrong is read before them, also on a phone
  const angles = /** @type {Element} */ (document.querySelector("[data-live] > .live"));
  if ((box.nextElementSibling === angles) === calibrated) angles[calibrated ? "after" : "before"](box);
  const joined = messages.join("\n");
  if (box.dataset.shown !== joined) {
    box.dataset.shown = joined;
    box.replaceChildren(...messages.map((message) => {
      const line = document.createElement("p");
      line.textContent = message;
      return line;
    }));
  }
}

/** The guide's news come seldom and before the first frame; how uncertain turning is, frames say. */
function showReset() {
  const sigma = frame?.heading_sigma_deg ?? null;
  const box = part("reset");
  box.hidden = !guide?.reset_due || sigma === null;
  if (box.hidden) return;
  write(part("reset-words"), text("guide.due", { sigma: number(sigma) }));
  for (const button of box.querySelectorAll("[data-pose]")) {
    const form = /** @type {HTMLElement} */ (button.closest("form"));
    form.hidden = !guide.poses.includes(button.getAttribute("data-pose"));
  }
}

/** Age and staleness; runs on a timer as well, since silence sends no event. */
function showAge() {
  const now = Date.now();
  const lost = frame !== null && now - heardAt > LOST_AFTER_MS;
  const stale = frame === null || lost || frame.stale;
  card.classList.toggle("is-stale", stale);
  card.dataset.stale = String(stale);
  figure.stale = stale;
  const status = part("freshness");
  if (frame === null || newestMs === 0) chip(status, "", text("live.waiting"));
  else if (stale) chip(status, "bad", text("live.stale", { clock: clock(newestMs, zone) }));
  else chip(status, "good", `${text("live.live")} · ${text("live.age", { age: duration(Math.max(0, (now - newestMs) / 1000)) })}`);
  const notice = part("lost");
  notice.hidden = !lost;
  if (lost) write(notice, text("live.lost", { clock: clock(heardAt, zone) }));
}

bus.addEventListener("frame", (event) => {
  frame = /** @type {CustomEvent} */ (event).detail;
  heardAt = Date.now();
  if (frame.sample_utc_ns !== null) newestMs = frame.sample_utc_ns / 1e6;
  if (frame.q_shown !== null) figure.orientation = frame.q_shown;
  for (const axis of AXES) showAngle(axis);
  showSensor("head");
  showSensor("trunk");
  showTrust();
  showMessages();
  showReset();
  showAge();
  card.dataset.events = String(Number(card.dataset.events || 0) + 1);
});

bus.addEventListener("guide", (event) => {
  guide = /** @type {CustomEvent} */ (event).detail;
  showReset();
});

setInterval(showAge, 500);
showAge();
