// Sorts tables by a click on a head (ascending, descending, as printed), and folds parts.
"use strict";

// Empty cells are last in both directions, numbers come before text.
const collator = new Intl.Collator("en", {numeric: true, sensitivity: "base"});

function keyOf(cell) {
  const text = cell.textContent.trim();
  if (text === "" || text === "–") return null;
  return "key" in cell.dataset ? Number(cell.dataset.key) : text;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "number") return -1;
  if (typeof b === "number") return 1;
  return collator.compare(a, b);
}

function sortRows(body, column, direction) {
  const rows = Array.from(body.rows, (row) => ({row, key: keyOf(row.cells[column])}));
  rows.sort((a, b) => {
    if (direction === 0) return a.row.dataset.order - b.row.dataset.order;
    if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
    return direction * compare(a.key, b.key);
  });
  body.append(...rows.map(({row}) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  Array.from(body.rows).forEach((row, order) => { row.dataset.order = order; });
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const next = {none: "ascending", ascending: "descending", descending: "none"};
      const order = next[head.getAttribute("aria-sort")];
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", order);
      sortRows(body, column, {none: 0, ascending: 1, descending: -1}[order]);
    });
  });
}
document.documentElement.classList.add("js");

// The contents are open where there is room beside the text.
const wide = window.matchMedia("(min-width: 75rem)");
const contents = document.getElementById("contents");
contents.open = wide.matches;
wide.addEventListener("change", () => { contents.open = wide.matches; });

// On paper every part is open, as it was on the screen afterwards.
let closed = [];
window.addEventListener("beforeprint", () => {
  closed = Array.from(document.querySelectorAll("details.part:not([open])"));
  for (const part of closed) part.open = true;
});
window.addEventListener("afterprint", () => {
  for (const part of closed) part.open = false;
});
