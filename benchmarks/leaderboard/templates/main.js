// Drawing the page from its state, and listening.

const VIEWS = { overall: overallView, task: taskView, cost: plotView, hard: hardView, rules: rulesView };

function rulesView() {
  say("");
  return document.getElementById("rules").innerHTML;
}
function filters() {
  const box = (group, key, values, name) => "<fieldset><legend>" + group + "</legend>" + values.map((value) => '<label><input type="checkbox" data-toggle="' + key + '" value="' + esc(value) + '" data-key="' + key + ":" + esc(value) + '"'
    + (off(key).has(value) ? "" : " checked") + "> " + esc(name ? name(value) : value) + "</label>").join("") + "</fieldset>";
  const titles = new Map(DATA.places.map((p) => [p.task, p.title]));
  const licences = [...new Set(DATA.rows.map((r) => r.licence))].sort();
  return box("Corpora", "corpora", [...new Set(DATA.places.map((p) => p.corpus))])
    + box("Tasks", "tasks", [...titles.keys()], (task) => titles.get(task)) + box("Kinds", "kinds", KINDS)
    + '<fieldset><legend>Rows</legend><label><input type="checkbox" data-zero data-key="zero"' + (state.zero ? " checked" : "") + "> zero-shot results only</label>"
    + '<label>Licence <select data-change="licence" data-key="licence"><option value="">any</option>' + licences.map((l) => '<option value="' + esc(l) + '"' + (l === state.licence ? " selected" : "") + ">" + esc(l) + "</option>").join("") + "</select></label>"
    + '<label>Search <input type="search" data-search data-key="search" value="' + esc(state.q) + '"></label>'
    + '<button type="button" data-reset data-key="reset">Reset all</button></fieldset><p class="hint">Corpora and tasks choose the columns of the order, kinds and a licence its rows, “zero-shot results only” its cells; it is computed anew among those. Search hides rows and changes no rank.</p>';
}
// Sets the content of an element, if it is another one than last time; was it?
const LAST = {};
function show(id, html) {
  if (LAST[id] === html) return false;
  LAST[id] = html;
  document.getElementById(id).innerHTML = html;
  return true;
}
function render() {
  const active = document.activeElement, key = active && active.dataset ? active.dataset.key : null;
  const caret = active && active.type === "search" ? active.selectionStart : null;
  const scrolled = document.querySelector("#view > .scroll");
  const left = scrolled ? scrolled.scrollLeft : 0;
  document.documentElement.dataset.theme = state.theme;
  show("filters", filters());
  document.querySelectorAll("[data-view]").forEach((b) => b.dataset.view === state.view ? b.setAttribute("aria-current", "page") : b.removeAttribute("aria-current"));
  if (show("compare", compareView())) mountComparison();
  const empty = "<p>There are no results yet. <code>signbench run</code> makes some.</p>";
  if (show("view", DATA.places.length ? (VIEWS[state.view] || overallView)() : empty)) mountHard();
  const fresh = document.querySelector("#view > .scroll");
  if (fresh) fresh.scrollLeft = left;
  if (key) {
    const again = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
    if (again && again !== document.activeElement) {
      again.focus({ preventScroll: true });
      if (caret !== null) again.setSelectionRange(caret, caret);
    }
  }
}
document.addEventListener("click", (event) => {
  const at = (name) => event.target.closest("[data-" + name + "]");
  let found;
  if ((found = at("sort"))) {
    const key = found.dataset.sort, metric = PLACE.has(key) ? PLACE.get(key).metrics[0] : null;
    const low = metric ? metric.lower : /rank|name|kind|places|parameters|MedianR|MeanR/.test(key);
    const first = low ? "up" : "down", now = state.sort === key ? state.dir : "";
    change({ sort: key, dir: now === "" ? first : now === "up" ? "down" : "up" });
  } else if ((found = at("open"))) change({ open: state.open === found.dataset.open ? "" : found.dataset.open, detail: "" });
  else if ((found = at("view"))) { event.preventDefault(); change({ view: found.dataset.view, sort: "", dir: "" }, true); }
  else if ((found = at("set"))) { const [key, value] = found.dataset.set.split(/:(.*)/s); change({ [key]: value }); }
  else if (at("reset")) change({ ...DEFAULTS, place: state.place, theme: state.theme, view: state.view });
  else if (at("theme-switch")) {
    const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    change({ theme: dark ? "light" : "dark" });
  }
});
document.addEventListener("change", (event) => {
  const box = event.target, data = box.dataset;
  if (data.toggle) toggle(data.toggle, box.value);
  else if ("zero" in data) change({ zero: box.checked ? "1" : "" });
  else if (data.change) change({ [data.change]: box.value, ...(data.change === "place" ? { metric: "", clip: "" } : {}) });
  else if (data.pin) {
    const now = pins().filter((id) => id !== data.pin);
    change({ pin: (box.checked ? [...now, data.pin].slice(-2) : now).join(","), clip: "" });
  }
});
document.addEventListener("input", (event) => { if ("search" in event.target.dataset) change({ q: event.target.value }); });
window.addEventListener("hashchange", () => { state = parseHash(); render(); });
window.addEventListener("popstate", () => { state = parseHash(); render(); });
window.leaderboard = { standings: () => currentStandings(), data: DATA, compare: pairedDifference };
state = parseHash();
render();
