/** The Today page: the live card, plus fresh parts of the page when there is something new. */
import { bus } from "./live-source.js";
import "./live-view.js";
import { number, text } from "./format.js";

const REFRESH_MS = 15000;

/** Replace the parts marked `data-fresh` by those of a freshly rendered page. */
async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
  if (answer === null || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-fresh]")) {
    const name = old.getAttribute("data-fresh");
    const replacement = fresh.querySelector(`[data-fresh="${name}"]`);
    if (replacement === null || replacement.innerHTML === old.innerHTML) continue;
    const open = [...old.querySelectorAll("details")].map((d) => d.open);
    const focused = old.contains(document.activeElement);
    if (focused) continue;
    old.replaceChildren(...replacement.childNodes);
    old.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? false; });
  }
}

setInterval(() => { if (!document.hidden) refresh(); }, REFRESH_MS);

const box = /** @type {HTMLElement | null} */ (document.querySelector("[data-progress]"));
let last = "";
bus.addEventListener("progress", (event) => {
  const progress = /** @type {CustomEvent} */ (event).detail;
  if (box === null) return;
  const running = progress.state === "running";
  const compiling = progress.state === "compiling";
  box.hidden = !running && !compiling && progress.state !== "failed";
  const bar = /** @type {HTMLProgressElement} */ (box.querySelector("progress"));
  bar.hidden = progress.state === "failed";
  bar.value = progress.fraction;
  const line = /** @type {HTMLElement} */ (box.querySelector("p"));
  if (compiling) line.textContent = text("demo.compiling");
  else line.textContent = running
    ? text("demo.history", { done: number(progress.days_done), total: number(progress.days) })
    : text("demo.history.failed", { reason: progress.reason ?? "" });
  const state = `${progress.state} ${progress.days_done}`;
  if (last !== "" && last !== state) refresh();
  last = state;
});
