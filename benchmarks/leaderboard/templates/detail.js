// An opened row: metadata, cost, scores by language, label and signer, and confusion.

function list(pairs) {
  return '<dl class="facts">' + pairs.filter(([, text]) => text !== null && text !== undefined && text !== "")
    .map(([term, text]) => "<div><dt>" + esc(term) + "</dt><dd>" + text + "</dd></div>").join("") + "</dl>";
}
function corporaText(about) {
  if (!about || about.training_corpora === null) return "not known";
  if (!about.training_corpora.length) return about.trained_here ? "the training clips of each split" : "none";
  return about.training_corpora.map((c) => esc(c.name) + " (" + esc(c.part) + (c.derives_from.length ? "; derives from " + esc(c.derives_from.join(", ")) : "") + ")").join("; ")
    + (about.trained_here ? "; then the training clips of each split" : "");
}
function detail(row) {
  const about = row.about, places = DATA.places.filter((place) => place.cell.has(row.number));
  const place = places.find((p) => p.id === state.detail) || places.find((p) => p.id === state.place) || places[0];
  const cell = place.cell.get(row.number);
  const link = about && /^https?:\/\//.test(about.link || "") ? '<a href="' + esc(about.link) + '" rel="noreferrer">' + esc(about.link) + "</a>" : "";
  const metadata = list([
    ["Title", esc(row.title)], ["Revision", esc(row.revision)], ["Authors", about ? esc(about.authors.join(", ")) : "not known"],
    ["Licence", esc(row.licence)], ["Link", link], ["Trained on", corporaText(about)], ["Run by", about ? esc(about.run_by) : "not known"],
    ["Input", about ? esc(about.input.kind + (about.input.variant ? ": " + about.input.variant : "")) : "not known"], ["Kind", esc(row.kind)],
    ["Notes", about ? esc(about.notes) : ""],
  ]);
  const cost = list([
    ["Parameters", place.parameters[cell].toLocaleString("en")], ["Training", place.training[cell] + " s"],
    ["Speed", place.speed[cell] + " clips/s on " + esc(DATA.hardware[place.hw[cell]])], ["Seeds", esc(place.seeds[cell])],
    ["Evaluated", place.evaluated[cell] + " of " + place.n + " clips"], ["Commit", esc(place.commit[cell])], ["Group", esc(place.group[cell] + "/" + place.revision[cell])],
  ]);
  return '<div class="opened"><h3>' + esc(row.name) + "</h3><section><h4>Metadata</h4>" + metadata + "</section>"
    + '<section><h4>At one task</h4><label>Task ' + placePicker("detail", place.id, places) + "</label>" + cost + "</section>" + breakdowns(place, cell) + confusion(place, cell) + "</div>";
}
function breakdowns(place, cell) {
  const hits = hitsOf(place, cell, 1);
  if (!hits) return "<section><p>No ranks of single clips in this page for this row and task.</p></section>";
  const parts = [["language", "By sign language", languageName], ["label", "By label", (x) => x], ["signer", "By signer", (x) => x]].map(([field, title, name]) => {
    const sums = new Map();
    place.clips.forEach((_, index) => {
      const key = clipOf(place, index)[field];
      if (!key || Number.isNaN(hits[index])) return;
      const one = sums.get(key) || [0, 0];
      sums.set(key, [one[0] + hits[index], one[1] + 1]);
    });
    if (!sums.size) return '<section class="by"><h4>' + title + "</h4><p>not recorded</p></section>";
    const rows = [...sums].map(([key, [sum, n]]) => [key, sum / n, n]).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const macro = rows.reduce((sum, r) => sum + r[1], 0) / rows.length;
    return '<section class="by"><h4>' + title + " <small>R@1; mean of " + rows.length + ": " + macro.toFixed(3) + '</small></h4><div class="scroll short" tabindex="0" role="region" aria-label="' + title + '"><table><tbody>'
      + rows.map(([key, share, n]) => '<tr><th scope="row">' + esc(name(key)) + '</th><td>' + share.toFixed(2) + '</td><td class="wide"><span class="fill" aria-hidden="true" style="width:' + (100 * share).toFixed(0) + '%"></span></td><td>' + n + "</td></tr>").join("") + "</tbody></table></div></section>";
  });
  return parts.join("");
}
function confusion(place, cell) {
  const found = place.predicted && place.predicted.cells[cell];
  if (!found) return '<section class="by"><h4>Confusion</h4><p>No predicted labels are recorded for this row and task.</p></section>';
  const names = place.predicted.labels, pairs = new Map();
  let wrong = 0, of = 0;
  found.forEach((label, index) => {
    if (label < 0) return;
    of++;
    const truth = clipOf(place, index).label;
    if (truth === names[label]) return;
    wrong++;
    const key = truth + NUL + names[label];
    pairs.set(key, (pairs.get(key) || 0) + 1);
  });
  const rows = [...pairs].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return '<section class="by"><h4>Confusion <small>' + wrong + " of " + of + ' clips, first seed</small></h4><div class="scroll short" tabindex="0" role="region" aria-label="Confusion"><table><thead><tr><th scope="col">signed</th><th scope="col">predicted</th><th scope="col">clips</th></tr></thead><tbody>'
    + rows.map(([key, n]) => { const [a, b] = key.split(NUL); return "<tr><td>" + esc(a) + "</td><td>" + esc(b) + "</td><td>" + n + "</td></tr>"; }).join("") + "</tbody></table></div></section>" + matrix(place, found);
}
// The confusion matrix as a picture, where it has few enough labels to be read.
function matrix(place, found) {
  const names = [...new Set(found.map((_, i) => clipOf(place, i).label))].sort();
  const number = new Map(names.map((name, i) => [name, i]));
  if (names.length > 40) return "";
  const counts = names.map(() => new Array(names.length).fill(0)), most = [];
  found.forEach((label, i) => {
    const column = number.get(place.predicted.labels[label]);
    if (column !== undefined) counts[number.get(clipOf(place, i).label)][column]++;
  });
  counts.forEach((row) => most.push(Math.max(...row)));
  const top = Math.max(1, ...most), size = 11, edge = 14, whole = edge + size * names.length;
  const cells = counts.map((row, y) => row.map((n, x) => n ? '<rect x="' + (edge + x * size) + '" y="' + (edge + y * size) + '" width="10" height="10" class="' + (x === y ? "hit" : "miss")
    + '" opacity="' + (0.2 + 0.8 * n / top).toFixed(2) + '"><title>' + esc(names[y]) + " → " + esc(names[x]) + ": " + n + "</title></rect>" : "").join("")).join("");
  const labels = names.map((name, i) => '<text x="' + (edge + i * size + 5) + '" y="10">' + esc(name) + '</text><text x="5" y="' + (edge + i * size + 9) + '">' + esc(name) + "</text>").join("");
  return '<section class="by"><h4>Confusion matrix <small>rows: signed; columns: predicted</small></h4><svg class="matrix" viewBox="0 0 ' + whole + " " + whole + '" role="img" aria-label="Confusion matrix; its numbers stand in the table beside it">' + cells + labels + "</svg></section>";
}
