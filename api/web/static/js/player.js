/** The exercise player: band, repetitions and hold from the collector; sounds only where wanted. */
import { loadCatalogue, number, text } from "./format.js";
import { bus } from "./live-source.js";

loadCatalogue();

const QUIET_MS = 3000;
/** A person is left alone for so long before a sound reminds them: no nagging at every wobble. */

const card = /** @type {HTMLElement | null} */ (document.querySelector("[data-player]"));
/** @param {string} name @returns {HTMLElement} */
const part = (name) => /** @type {HTMLElement} */ (card?.querySelector(`[data-part="${name}"]`));
const box = /** @type {HTMLInputElement | null} */ (card?.querySelector("[data-cues]") ?? null);

/** @type {AudioContext | null} */
let audio = null;
let lastPhase = "";
let phaseSince = Date.now();
let reminded = false;
let heldBefore = 0;

/** @param {number} hz @param {number} seconds */
function tone(hz, seconds) {
  if (box === null || !box.checked) return;
  audio ??= new AudioContext();
  const [oscillator, gain] = [audio.createOscillator(), audio.createGain()];
  oscillator.frequency.value = hz;
  gain.gain.setValueAtTime(0.12, audio.currentTime);
  gain.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + seconds);
  oscillator.connect(gain).connect(audio.destination);
  oscillator.start();
  oscillator.stop(audio.currentTime + seconds);
}

/** @param {any} view */
function cue(view) {
  if (view.phase !== lastPhase) {
    if (view.phase === "in_band") tone(660, 0.15);
    lastPhase = view.phase;
    phaseSince = Date.now();
    reminded = false;
  }
  if (view.held > heldBefore) tone(880, 0.4);
  heldBefore = view.held;
  // a reminder, late and once: never towards more than what was prescribed
  const late = Date.now() - phaseSince > QUIET_MS;
  if (view.phase === "beyond" && late && !reminded) {
    reminded = true;
    tone(330, 0.5);
  }
}

/** @param {number} progress @param {number} most */
const along = (progress, most) => 4 + 312 * Math.max(0, Math.min(1, progress / most));

/** @param {HTMLElement} element @param {string} value */
function write(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

if (card !== null) {
  bus.addEventListener("exercise", (event) => {
    const view = /** @type {CustomEvent} */ (event).detail;
    const running = view.state === "running";
    card.dataset.state = view.state;
    write(part("phase"), text(`play.${running ? view.phase : view.state}`));
    part("why").hidden = !(running && view.unknown_why !== "");
    if (view.unknown_why !== "") write(part("why"), text(`play.why.${view.unknown_why}`));
    const end = view.beyond ?? view.most;
    part("target").setAttribute("x", String(along(view.reach, view.most)));
    part("target").setAttribute("width", String(along(end, view.most) - along(view.reach, view.most)));
    part("mark").toggleAttribute("hidden", view.progress === null);
    if (view.progress !== null) part("mark").setAttribute("cx", String(along(view.progress, view.most)));
    write(part("repetitions"), number(view.repetitions));
    write(part("hold"), number(view.hold_s, 1));
    part("stops").hidden = !running;
    part("over").hidden = running;
    part("pain").hidden = view.stopped !== "pain";
    part("rate").hidden = view.stopped !== "pain";
    if (running) cue(view);
  });
}
