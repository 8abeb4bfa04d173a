/**
 * The first-run page: forms that take a while say so, and the guide's card follows the collector:
 * what is asked for in large words and aloud, time left, repetitions as they are counted, verdict.
 */
import { loadCatalogue, number, text } from "./format.js";
import { bindVoice, say } from "./speech.js";

loadCatalogue();

const PREPARING_MS = 2000;
const preparing = document.querySelector("[data-preparing]");
if (preparing !== null) {
  setTimeout(() => location.replace("/setup"), Number(preparing.getAttribute("data-preparing")) || PREPARING_MS);
}

for (const form of document.querySelectorAll("form[data-busy]")) {
  form.addEventListener("submit", (event) => {
    const button = /** @type {SubmitEvent} */ (event).submitter;
    // after the form's data are gathered, so that the pressed button is among them
    setTimeout(() => {
      for (const each of form.querySelectorAll("button")) each.disabled = true;
      if (button) button.textContent = form.getAttribute("data-busy");
    });
  });
}

const card = /** @type {HTMLElement | null} */ (document.querySelector("[data-guide]"));
if (card !== null) follow(card);

/** @param {HTMLElement} root */
async function follow(root) {
  const { bus } = await import("./live-source.js");
  /** @param {string} name @returns {HTMLElement} */
  const part = (name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
  const voice = /** @type {HTMLInputElement} */ (root.querySelector("[data-voice]"));
  bindVoice(voice);
  const placement = /** @type {HTMLElement | null} */ (document.querySelector("[data-placement]"));
  /** @type {any} */
  let view = null;
  let spoken = "";
  let phaseSince = 0;

  for (const form of root.querySelectorAll("form[data-quiet]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const { submitter } = /** @type {SubmitEvent} */ (event);
      const target = /** @type {HTMLFormElement} */ (form);
      const body = new URLSearchParams(/** @type {any} */ (new FormData(target, submitter)));
      const answer = await fetch(target.action, { method: "POST", body, redirect: "manual" });
      if (answer.status >= 400) {
        const problem = await answer.json().catch(() => ({ detail: text("guide.cannot.busy") }));
        part("phase").textContent = problem.detail;
        part("running").hidden = false;
      }
    });
  }

  /** @param {HTMLElement} element @param {string} value */
  function write(element, value) {
    if (element.textContent !== value) element.textContent = value;
  }

  function showStep() {
    const step = view.steps[view.current];
    const busy = step !== undefined && view.state !== "judging";
    write(part("prompt"), busy ? text(`guide.ask.${step.kind}`) : "");
    let phase = view.state === "judging" ? text("guide.judging") : "";
    if (busy && step.state === "ready") phase = text("guide.phase.ready");
    if (busy && step.state === "now") phase = text(step.times > 0 ? "guide.phase.move" : "guide.phase.hold");
    if (busy && step.state === "again") phase = text(`guide.problem.${step.problem}`);
    write(part("phase"), phase);
    let feedback = "";
    if (busy && step.state === "now" && step.times > 0) {
      feedback = text("guide.count", { n: number(step.repetitions), of: number(step.times) });
    } else if (busy && step.state === "now" && step.unrest_dps > 0) {
      feedback = text(step.unrest_dps < 3 ? "guide.still" : "guide.moving");
    }
    write(part("feedback"), feedback);
    const key = busy ? `${view.current} ${step.state} ${step.problem}` : view.state;
    if (key === spoken) return;
    spoken = key;
    phaseSince = Date.now();
    // on a small phone the list below would push what is asked for out of sight
    if (busy) part("running").scrollIntoView({ block: "start" });
    if (busy && step.state === "ready") say(voice, text(`guide.ask.${step.kind}`));
    else if (busy) say(voice, phase);
    else if (view.state === "done" || view.state === "failed") say(voice, part("verdict-words").textContent || "");
  }

  function showSteps() {
    const items = view.steps.map((/** @type {any} */ step) => {
      const item = document.createElement("li");
      item.dataset.step = step.state;
      item.append(`${text(`guide.name.${step.kind}`)} `);
      const state = document.createElement("span");
      state.className = "muted";
      state.textContent = text(`guide.step.${step.state}`);
      item.append(state);
      if (step.problem !== "") {
        const why = document.createElement("span");
        why.className = "why";
        why.textContent = text(`guide.problem.${step.problem}`);
        item.append(" ", why);
      }
      return item;
    });
    part("steps").replaceChildren(...items);
  }

  function showVerdict() {
    const over = view.state === "done" || view.state === "failed";
    const fresh = over && part("verdict").hidden;
    part("verdict").hidden = !over;
    if (!over) return;
    let words = text("guide.verdict.failed");
    if (view.state === "done") words = text(`guide.verdict.${view.task === "reset" ? "reset" : view.quality}`);
    write(part("verdict-words"), words);
    part("sentences").replaceChildren(...view.sentences.map((/** @type {string} */ line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
    part("redo").hidden = !view.can_redo;
    part("slipped").hidden = !view.slipped;
    part("to-today").classList.toggle("quiet", view.slipped);
    // offered where it helps, out of the way where all is well
    if (fresh) {
      /** @type {HTMLDetailsElement} */ (part("redo")).open = view.quality !== "good";
      part("verdict-words").scrollIntoView({ block: "center" });
    }
  }

  bus.addEventListener("guide", (event) => {
    view = /** @type {CustomEvent} */ (event).detail;
    const busy = ["running", "waiting", "judging"].includes(view.state);
    root.dataset.state = view.state;
    part("running").hidden = !busy;
    part("start").hidden = busy;
    const replace = root.querySelector('[data-part="replace"]');
    if (replace !== null) replace.toggleAttribute("hidden", busy);
    part("answer").hidden = view.state !== "waiting";
    part("again-on").hidden = view.poses.length === 0;
    part("silent").hidden = view.sending;
    for (const button of root.querySelectorAll("[data-needs-sensors]")) {
      /** @type {HTMLButtonElement} */ (button).disabled = !view.sending;
    }
    for (const button of root.querySelectorAll("[data-pose]")) {
      /** @type {HTMLElement} */ (button).hidden = !view.poses.includes(button.getAttribute("data-pose"));
    }
    // what is asked for stands at the top of a phone
    if (placement !== null) placement.hidden = busy;
    showVerdict();
    showStep();
    showSteps();
  });

  const bar = /** @type {HTMLElement} */ (part("meter").firstElementChild);
  setInterval(() => {
    const left = view === null || view.ends_utc_ms === null ? 0 : view.ends_utc_ms - Date.now();
    const whole = view === null || view.ends_utc_ms === null ? 1 : Math.max(1, view.ends_utc_ms - phaseSince);
    bar.style.transform = `scaleX(${Math.max(0, Math.min(1, left / whole))})`;
  }, 100);
}
