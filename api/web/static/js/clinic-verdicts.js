/**
 * Confirm or reject episodes by key: j and k (or the arrows) move, c confirms, r rejects, u takes
 * back. The same forms work without this script.
 */

const list = document.querySelector("[data-verdicts]");
const said = document.querySelector("[data-said]");
/** @type {HTMLElement[]} */
const rows = list ? [...list.children].filter((row) => row instanceof HTMLElement) : [];

/** @param {HTMLElement | undefined} row */
function go(row) {
  if (!row) return;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
}

/** @param {HTMLElement} row @param {string} verdict */
async function judge(row, verdict) {
  const form = row.querySelector("form");
  if (!form) return;
  const body = new URLSearchParams();
  new FormData(form).forEach((value, name) => body.append(name, String(value)));
  body.set("verdict", verdict);
  const answer = await fetch(form.action, { method: "POST", body }).catch(() => null);
  if (!answer || !answer.ok) {
    form.requestSubmit(form.querySelector(`button[value="${verdict}"]`));
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(row.id);
  const part = fresh?.querySelector("form");
  if (!fresh || !part) return;
  row.dataset.verdict = fresh.dataset.verdict;
  form.replaceChildren(...[...part.childNodes].map((node) => document.importNode(node, true)));
  if (said) said.textContent = part.querySelector("[data-state]")?.textContent || "";
  if (verdict !== "clear") go(rows[rows.indexOf(row) + 1]);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !(event.target instanceof Element)) return;
  if (event.target.closest("input:not([type=hidden]), select, textarea")) return;
  const row = rows.find((each) => each.contains(document.activeElement));
  const step = /** @type {Record<string, number>} */ ({ j: 1, k: -1, ArrowDown: row ? 1 : 0, ArrowUp: row ? -1 : 0 })[event.key];
  const verdict = /** @type {Record<string, string>} */ ({ c: "confirm", r: "reject", u: "clear" })[event.key];
  if (step) go(rows[row ? Math.max(0, Math.min(rows.length - 1, rows.indexOf(row) + step)) : 0]);
  else if (verdict && row) judge(row, verdict);
  else return;
  event.preventDefault();
});

if (location.hash) go(document.getElementById(location.hash.slice(1)) || undefined);
