/** Sorting of the caseload by its column heads, and moving through it by keys. */

for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.querySelectorAll("thead th")];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sortBy(table, heads, column));
  });
}

/** @param {Element} table @param {Element[]} heads @param {number} column */
function sortBy(table, heads, column) {
  const down = heads[column].getAttribute("aria-sort") === "ascending";
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.querySelector("tbody");
  if (!body) return;
  const key = (/** @type {Element} */ row) => row.children[column].getAttribute("data-sort") || "";
  const rows = [...body.children].sort((a, b) => {
    const [x, y] = [Number(key(a)), Number(key(b))];
    const order = Number.isNaN(x) || Number.isNaN(y) ? key(a).localeCompare(key(b)) : x - y;
    return down ? -order : order;
  });
  body.replaceChildren(...rows);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !(event.target instanceof Element)) return;
  if (event.target.closest("input, select, textarea")) return;
  const step = /** @type {Record<string, number>} */ ({ j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 })[event.key];
  if (step === undefined) return;
  const links = [...document.querySelectorAll("a[data-row]")];
  const now = links.findIndex((link) => link === document.activeElement);
  if (now < 0 && event.key.startsWith("Arrow")) return;
  const next = links[Math.max(0, Math.min(links.length - 1, now + step))];
  if (next instanceof HTMLElement) next.focus();
  event.preventDefault();
});
