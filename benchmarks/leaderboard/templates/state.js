// The state of the page: everything that a reader has chosen. It is the address's fragment, so every
// state has a link.

const DEFAULTS = {
  view: "overall", place: "", metric: "", sort: "", dir: "", corpora: "", tasks: "", kinds: "",
  zero: "", licence: "", q: "", pin: "", open: "", detail: "", versus: "", hardware: "", x: "speed",
  rows: "", clip: "", theme: "",
};
const NUL = "\u0000";
let state = { ...DEFAULTS };

function parseHash() {
  const given = new URLSearchParams(location.hash.slice(1)), found = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS)) if (given.has(key)) found[key] = given.get(key);
  if (!PLACE.has(found.place)) found.place = DATA.places.length ? DATA.places[0].id : "";
  return found;
}

function hashOf(of) {
  const given = new URLSearchParams();
  for (const key of Object.keys(DEFAULTS)) {
    const plain = key === "place" && DATA.places.length ? DATA.places[0].id : DEFAULTS[key];
    if (of[key] !== plain) given.set(key, of[key]);
  }
  return "#" + given.toString();
}

// Change the state; `push` makes the back button return to the old one.
function change(patch, push) {
  state = { ...state, ...patch };
  const hash = hashOf(state);
  if (hash !== (location.hash || "#")) history[push ? "pushState" : "replaceState"](null, "", hash);
  render();
}

// Filters hold what is switched off, so that new tasks are on in old links.
function off(key) { return new Set(state[key] ? state[key].split(",") : []); }
function toggle(key, value) {
  const set = off(key);
  set.has(value) ? set.delete(value) : set.add(value);
  change({ [key]: [...set].sort().join(",") });
}
function pins() { return (state.pin ? state.pin.split(",") : []).filter((id) => ROW.has(id)); }

const memo = { key: NUL, value: null };
function chosenPlaces() {
  const corpora = off("corpora"), tasks = off("tasks");
  return DATA.places.filter((place) => !corpora.has(place.corpus) && !tasks.has(place.task));
}
// Kinds and a licence choose the rows of the order, "zero-shot results only" its cells: ranks are
// counted among those. A search only hides rows.
function onBoard(row) { return !off("kinds").has(row.kind) && (!state.licence || row.licence === state.licence); }
function keepCell(place, cell) {
  return onBoard(DATA.rows[place.rows[cell]]) && (!state.zero || place.exposure[cell] === "none");
}
// The chosen columns that hold a result of the order; the others are empty.
function boardPlaces() {
  return chosenPlaces().filter((place) => place.rows.some((_, cell) => keepCell(place, cell)));
}
function currentStandings() {
  const key = [state.corpora, state.tasks, state.kinds, state.licence, state.zero].join("|");
  if (memo.key !== key) { memo.key = key; memo.value = standings(chosenPlaces(), keepCell); }
  return memo.value;
}

// What the overall order is an order of, in words.
function orderText(standings, places) {
  const kinds = off("kinds"), chosen = [];
  if (kinds.size) chosen.push("kind = " + (KINDS.filter((kind) => !kinds.has(kind)).join(" or ") || "none"));
  if (state.licence) chosen.push("licence = " + state.licence);
  if (state.zero) chosen.push("zero-shot results only");
  const of = chosenPlaces(), empty = of.length - places.length;
  const all = DATA.rows.filter((row) => of.some((place) => place.cell.has(row.number))).length;
  return (chosen.length ? "Order among " + standings.filter(Boolean).length + " of " : "Order over all ") + all + " rows"
    + (chosen.length ? ": " + chosen.join("; ") : "") + "; over " + places.length + " of " + DATA.places.length + " columns."
    + (empty ? " " + empty + " column" + (empty > 1 ? "s" : "") + " hidden: no such result." : "");
}

// Rows to show, and why the others are hidden: reason -> count.
function filteredRows(present) {
  const kinds = off("kinds"), words = state.q.toLowerCase(), hidden = {}, shown = [];
  for (const row of DATA.rows) {
    const text = (row.name + " " + row.title + " " + row.id).toLowerCase();
    const why = kinds.has(row.kind) ? "kind"
      : !onBoard(row) ? "licence"
      : !present(row) ? (state.zero ? "no zero-shot result here" : "no result here")
      : words && !text.includes(words) ? "search" : "";
    if (why) hidden[why] = (hidden[why] || 0) + 1; else shown.push(row);
  }
  return { shown, hidden };
}
