// The two tables: all columns with the overall order, and one place with all its metrics.

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
function esc(text) {
  return String(text).replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]);
}
function metricName(metric) { return metric.replace("_", " "); }
function number(value, metric) {
  if (value === null || value === undefined || Number.isNaN(value)) return DASH;
  return /MedianR|MeanR/.test(metric || "") ? value.toFixed(1) : value.toFixed(3);
}
function range(low, high) { return low === high ? String(low) : low + "–" + high; }
function letter(group) { return LETTERS[group] || String(group + 1); }
function axis(metric, cells) {
  if (!metric.lower) return [0, Math.max(0.05, ...cells.map((cell) => metric.high[cell]), metric.chance)];
  return [1, Math.max(2, ...cells.map((cell) => metric.high[cell]), metric.chance)];
}
// A drawn interval, as the style of its cell: a bar from low to high, a dot at the value, a line at
// chance. They are layers of the background, because elements would make large tables slow.
function drawn(metric, cell, [from, to]) {
  const at = (x) => 100 * Math.min(1, Math.max(0, (x - from) / (to - from)));
  const low = at(metric.low[cell]), width = Math.max(1, at(metric.high[cell]) - low);
  const left = width < 99.5 ? 100 * Math.min(1, low / (100 - width)) : 0; // of the space beside the bar
  return ' style="--l:' + left.toFixed(0) + "%;--w:" + width.toFixed(0) + "%;--d:" + at(metric.value[cell]).toFixed(0)
    + "%;--c:" + at(metric.chance).toFixed(0) + '%"';
}
function seen(place, cell) {
  const [mark, text] = EXPOSURE[place.exposure[cell]] || ["?", place.exposure[cell]];
  const bad = mark.startsWith("!") ? " bad" : "";
  return mark ? '<abbr class="seen' + bad + '" title="' + esc(text) + '">' + mark + "</abbr>" : "";
}
function tie(metric, cell) {
  if (!metric.group) return "";
  const group = metric.group[cell];
  return '<abbr class="tie g' + (group % 6) + '" title="tie group ' + letter(group) + ", place "
    + range(metric.best[cell], metric.worst[cell]) + '">' + letter(group) + "</abbr>";
}
function valueCell(place, cell, scale) {
  const metric = place.metrics[0];
  const spread = "95 % [" + number(metric.low[cell], metric.name) + ", " + number(metric.high[cell], metric.name) + "]";
  return '<td class="value drawn" title="' + spread + '"' + drawn(metric, cell, scale) + ">" + number(metric.value[cell], metric.name)
    + tie(metric, cell) + seen(place, cell) + "</td>";
}
function sortHead(key, title, about, extra) {
  const on = state.sort === key, way = on ? (state.dir === "up" ? "ascending" : "descending") : "none";
  return '<th scope="col" aria-sort="' + way + '"' + (extra || "") + '><button type="button" data-sort="' + esc(key)
    + '" data-key="sort:' + esc(key) + '">' + title + '<span class="arrow" aria-hidden="true">'
    + (on ? (state.dir === "up" ? " ▲" : " ▼") : "") + "</span></button>" + (about ? "<small>" + about + "</small>" : "") + "</th>";
}
function aboutMetric(metric, place) {
  return metricName(metric.name) + (metric.lower ? " ↓ lower is better" : " ↑") + ", chance " + number(metric.chance, metric.name)
    + (place ? ", n " + place.n + (metric.detectable === undefined ? "" : ", Δ " + metric.detectable.toFixed(3)) : "");
}
function nameCell(row) {
  const open = state.open === row.id, pinned = pins().includes(row.id);
  return '<td class="pin"><input type="checkbox" data-pin="' + esc(row.id) + '" data-key="pin:' + esc(row.id) + '" aria-label="Pin '
    + esc(row.name) + ' to compare"' + (pinned ? " checked" : "") + "></td>"
    + '<th scope="row" class="name"><button type="button" data-open="' + esc(row.id) + '" data-key="open:' + esc(row.id)
    + '" aria-expanded="' + open + '"><span class="encoder">' + esc(row.name) + '</span></button><small>' + esc(row.title)
    + (row.revision === "cpu" ? "" : " · " + esc(row.revision)) + "</small></th>";
}
const CHANCE_NAME = '<td class="pin"></td><th scope="row" class="name"><span class="encoder">chance</span><small>random scores</small></th>';

// Sorts entries {key: value or null}; what is missing comes last either way.
function sorted(entries, value, up) {
  return [...entries].sort((a, b) => {
    const x = value(a), y = value(b);
    if (x === y) return a.order - b.order;
    if (x === null || x === undefined || Number.isNaN(x)) return 1;
    if (y === null || y === undefined || Number.isNaN(y)) return -1;
    return (x < y ? -1 : 1) * (up ? 1 : -1);
  });
}
// Body rows with the open row's details; no more than the chosen number is drawn.
function body(entries, cells, columns) {
  const most = Number(state.rows) || (entries.length > 150 ? 40 : 150), parts = [];
  for (const entry of entries.slice(0, most)) {
    parts.push("<tr" + (entry.row ? ' data-row="' + esc(entry.row.id) + '"' : ' class="chance"') + ">" + cells(entry) + "</tr>");
    if (entry.row && state.open === entry.row.id) {
      parts.push('<tr class="detail"><td colspan="' + columns + '">' + detail(entry.row) + "</td></tr>");
    }
  }
  if (entries.length > most) {
    parts.push('<tr><td colspan="' + columns + '"><button type="button" data-set="rows:' + (most + 200) + '">'
      + (entries.length - most) + " more rows: not drawn yet. Show more</button></td></tr>");
  }
  return parts.join("");
}
function droppedText(place) {
  const corpus = Object.entries(place.corpus_dropped), some = new Map();
  place.dropped.forEach((of) => Object.entries(of).forEach(([why, n]) => some.set(why, Math.max(n, some.get(why) || 0))));
  const list = (pairs) => pairs.map(([why, n]) => n + " (" + esc(why) + ")").join("; ");
  return "Dropped: " + (corpus.length ? list(corpus) + " from the corpus" : "none from the corpus")
    + (some.size ? "; test clips of single rows: up to " + list([...some]) : "") + ". "
    + "Signers: " + esc(place.signers || "not recorded") + ".";
}

function overallView() {
  const places = boardPlaces(), all = currentStandings();
  const { shown, hidden } = filteredRows((row) => all[row.number] !== null);
  const key = state.sort || "rank", up = state.sort ? state.dir === "up" : true;
  const entries = shown.map((row) => ({ row, standing: all[row.number], order: all[row.number].rank }));
  const chance = places.length ? places.reduce((sum, place) => sum + place.metrics[0].chance, 0) / places.length : null;
  entries.push({ row: null, standing: { rank: null, borda: null, mean: chance, columns: places.length }, order: 1e9 });
  const value = (entry) => {
    if (key === "name") return entry.row ? entry.row.name.toLowerCase() : "chance";
    if (key in entry.standing) return entry.standing[key];
    if (!PLACE.has(key)) return entry.standing.rank;
    const place = PLACE.get(key), cell = entry.row ? place.cell.get(entry.row.number) : undefined;
    if (!entry.row) return place.metrics[0].chance;
    return cell === undefined || !keepCell(place, cell) ? null : place.metrics[0].value[cell];
  };
  const scales = new Map(places.map((place) => [place.number, axis(place.metrics[0], place.rows.map((_, cell) => cell))]));
  const cells = ({ row, standing }) => '<td class="rank">' + (row ? range(standing.low, standing.high) : DASH) + "</td>"
    + (row ? nameCell(row) : CHANCE_NAME)
    + "<td>" + number(standing.borda) + "</td><td>" + number(standing.mean) + "</td><td>" + standing.columns + "/" + places.length + "</td>"
    + places.map((place) => {
      if (!row) return '<td class="value">' + number(place.metrics[0].chance, place.metrics[0].name) + "</td>";
      const cell = place.cell.get(row.number);
      return cell === undefined || !keepCell(place, cell) ? '<td class="value none">' + DASH + "</td>" : valueCell(place, cell, scales.get(place.number));
    }).join("");
  const groups = [];
  for (const place of places) {
    const name = place.corpus + ", " + place.split, last = groups[groups.length - 1];
    last && last.name === name ? last.count++ : groups.push({ name, count: 1 });
  }
  const columns = 6 + places.length;
  const cols = "<colgroup>" + [5, 2.6, 15, 6.4, 5, 6.2, ...places.map(() => 7.4)].map((rem) => '<col style="width:' + rem + 'rem">').join("") + "</colgroup>";
  const head = '<tr><td colspan="6"></td>' + groups.map((g) => '<th scope="colgroup" colspan="' + g.count + '">' + esc(g.name) + "</th>").join("") + "</tr><tr>"
    + sortHead("rank", "Rank", "95 % interval") + '<th scope="col"><span class="sr">Pin</span></th>' + sortHead("name", "Encoder")
    + sortHead("borda", "Borda", "comparisons won ↑") + sortHead("mean", "Mean of tasks", "↑") + sortHead("columns", "Coverage", "columns")
    + places.map((place) => sortHead(place.id, esc(place.title), aboutMetric(place.metrics[0], place) + ' <a href="' + hashOf({ ...state, view: "task", place: place.id, sort: "", dir: "" }) + '">open</a>')).join("") + "</tr>";
  const foot = '<tr><td colspan="6">Under each column: dropped samples and shared signers</td>'
    + places.map((place) => '<td><details><summary>' + (Object.values(place.corpus_dropped).reduce((a, b) => a + b, 0)) + " dropped</summary><small>" + droppedText(place) + "</small></details></td>").join("") + "</tr>";
  const order = orderText(all, places);
  report(shown.length, hidden, order + " A search hides rows and changes no rank.");
  return '<div class="scroll" tabindex="0" role="region" aria-label="Overall table"><table class="fixed" style="width:' + (40.2 + 7.4 * places.length) + 'rem"><caption>'
    + esc(order) + " By Borda.</caption>" + cols + "<thead>" + head + "</thead><tbody>" + body(sorted(entries, value, up), cells, columns)
    + "</tbody><tfoot>" + foot + "</tfoot></table></div>" + legend();
}

function placeFacts(place, metric) {
  const facts = [
    ["Metric", aboutMetric(metric)],
    ["Test clips", place.n + " clips, " + place.labels + " candidates"],
    ["Smallest detectable difference", metric.detectable === undefined ? DASH : metric.detectable.toFixed(3) + " (one test at 5 %, power 80 %)"],
    ["Ties", metric.why ? "no ranks: " + metric.why : "paired randomisation tests over " + place.units.count + " " + place.units.kind
      + (place.units.why ? " (" + place.units.why + ")" : "") + "; Holm over " + metric.family + " of " + metric.pairs
      + (metric.neighbours ? " pairs of neighbours in rank" : " pairs") + ", those that could be significant at all"],
    ["Samples and signers", droppedText(place)],
    ["Fingerprints", "corpus " + place.corpus_fingerprint + ", split " + place.split_fingerprint],
  ];
  return '<dl class="facts">' + facts.map(([term, text]) => "<div><dt>" + term + "</dt><dd>" + (term === "Samples and signers" ? text : esc(text)) + "</dd></div>").join("") + "</dl>";
}

function placePicker(action, chosen, places) {
  const groups = new Map();
  for (const place of places) {
    const name = place.corpus + ", " + place.split;
    groups.set(name, (groups.get(name) || "") + '<option value="' + esc(place.id) + '"' + (place.id === chosen ? " selected" : "") + ">" + esc(place.title + " · " + place.split) + "</option>");
  }
  return '<select data-change="' + action + '" data-key="' + action + '">' + [...groups].map(([name, options]) => '<optgroup label="' + esc(name) + '">' + options + "</optgroup>").join("") + "</select>";
}

function taskView() {
  const place = PLACE.get(state.place), chosen = place.metrics.find((m) => m.name === state.metric) || place.metrics[0];
  const others = place.metrics.filter((m) => m !== chosen);
  const here = (row) => { const cell = place.cell.get(row.number); return cell !== undefined && keepCell(place, cell) ? cell : undefined; };
  const { shown, hidden } = filteredRows((row) => here(row) !== undefined);
  const hardware = DATA.hardware[Number(state.hardware)] !== undefined && state.hardware !== "" ? Number(state.hardware) : mostCommon(place.hw);
  const entries = shown.map((row, order) => ({ row, cell: here(row), order }));
  entries.push({ row: null, order: 1e9 });
  const key = state.sort || "value", up = state.sort ? state.dir === "up" : chosen.lower;
  const value = ({ row, cell }) => {
    if (key === "name") return row ? row.name.toLowerCase() : "chance";
    if (key === "kind") return row ? row.kind : null;
    const metric = key === "value" ? chosen : place.metrics.find((m) => m.name === key);
    if (metric) return row ? metric.value[cell] : metric.chance;
    if (!row) return null;
    if (key === "places") return chosen.best ? chosen.best[cell] : null;
    if (key === "speed") return place.hw[cell] === hardware ? place.speed[cell] : null;
    return key in place ? place[key][cell] : null;
  };
  const scale = axis(chosen, place.rows.map((_, cell) => cell));
  const cells = ({ row, cell }) => {
    if (!row) return '<td class="rank">' + DASH + "</td>" + CHANCE_NAME + "<td></td><td>" + number(chosen.chance, chosen.name) + "</td><td></td>"
      + others.map((m) => "<td>" + number(m.chance, m.name) + "</td>").join("") + '<td colspan="5"></td>';
    const dropped = Object.entries(place.dropped[cell]).map(([why, n]) => n + " " + why).join("; ");
    const [, text] = EXPOSURE[place.exposure[cell]] || ["", place.exposure[cell]];
    return '<td class="rank">' + (chosen.best ? range(chosen.best[cell], chosen.worst[cell]) : DASH) + " " + tie(chosen, cell) + "</td>" + nameCell(row)
      + "<td>" + esc(row.kind) + "</td><td>" + number(chosen.value[cell], chosen.name) + "</td>"
      + '<td class="wide drawn"' + drawn(chosen, cell, scale) + '><span class="sr">95 % interval ' + number(chosen.low[cell], chosen.name) + " to " + number(chosen.high[cell], chosen.name) + "</span></td>"
      + others.map((m) => "<td>" + number(m.value[cell], m.name) + "</td>").join("")
      + '<td title="' + esc(dropped) + '">' + place.evaluated[cell] + (dropped ? "*" : "") + "</td><td title=\"" + esc(text) + '">' + esc(place.exposure[cell]) + "</td>"
      + "<td>" + esc(place.seeds[cell]) + "</td><td>" + place.parameters[cell].toLocaleString("en") + "</td>"
      + "<td>" + (place.hw[cell] === hardware ? place.speed[cell] : '<span title="measured on other hardware">' + DASH + "</span>") + "</td>";
  };
  const head = "<tr>" + sortHead("places", "Places", "the data allow") + '<th scope="col"><span class="sr">Pin</span></th>' + sortHead("name", "Encoder") + sortHead("kind", "Kind")
    + sortHead("value", metricName(chosen.name), aboutMetric(chosen, place)) + '<th scope="col">95 % interval<small>' + number(scale[0], chosen.name) + " to " + number(scale[1], chosen.name) + "; line: chance</small></th>"
    + others.map((m) => sortHead(m.name, metricName(m.name), aboutMetric(m))).join("") + sortHead("evaluated", "Clips") + sortHead("exposure", "Has seen")
    + sortHead("seeds", "Seeds") + sortHead("parameters", "Parameters", "↓") + sortHead("speed", "Clips/s ↑", "on equal hardware") + "</tr>";
  report(shown.length, hidden, "Places and tie groups are those among all " + place.rows.length + " rows of the column; no filter changes them.");
  const used = [...new Set(place.hw)];
  return '<div class="pickers"><label>Task ' + placePicker("place", place.id, DATA.places) + "</label><label>Metric "
    + '<select data-change="metric" data-key="metric">' + place.metrics.map((m) => '<option value="' + esc(m.name) + '"' + (m === chosen ? " selected" : "") + ">" + esc(metricName(m.name)) + "</option>").join("") + "</select></label>"
    + '<label>Speed on <select data-change="hardware" data-key="hardware">' + used.map((h) => '<option value="' + h + '"' + (h === hardware ? " selected" : "") + ">" + esc(DATA.hardware[h]) + "</option>").join("") + "</select></label></div>"
    + placeFacts(place, chosen)
    + '<div class="scroll" tabindex="0" role="region" aria-label="Task table"><table><caption>' + esc(place.title) + ": " + esc(place.corpus + ", " + place.split) + "</caption><thead>" + head
    + "</thead><tbody>" + body(sorted(entries, value, up), cells, 11 + others.length) + "</tbody></table></div>" + legend();
}
function mostCommon(values) {
  const counts = new Map();
  values.forEach((v) => counts.set(v, (counts.get(v) || 0) + 1));
  return [...counts].sort((a, b) => b[1] - a[1])[0][0];
}
function legend() {
  return '<p class="legend">Letters are tie groups: rows of one letter cannot be distinguished from the first of them. Bars are 95 % intervals over clips, the thin line is chance. '
    + "Δ is the smallest difference that a task can show. Marks: " + Object.values(EXPOSURE).filter(([m]) => m).map(([m, t]) => '<abbr class="seen' + (m.startsWith("!") ? " bad" : "") + '">' + m + "</abbr> " + esc(t)).join("; ") + ".</p>";
}
// The line that says what is hidden and why, and what the order is over.
function report(shown, hidden, order) {
  const parts = Object.entries(hidden).map(([why, n]) => n + " by " + why), count = Object.values(hidden).reduce((a, b) => a + b, 0);
  const results = Object.entries(DATA.hidden).map(([why, n]) => n + " results not shown: " + why + ".");
  say([shown + " rows shown" + (count ? "; " + count + " rows hidden: " + parts.join(", ") : "; none hidden") + ".", order, ...results].join(" ").trim());
}
function say(text) {
  const status = document.getElementById("status");
  if (status.textContent !== text) status.textContent = text;
}
