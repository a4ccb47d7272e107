// Quality against cost: one point a row, among results of equal hardware where cost is a time.

const COSTS = { speed: ["clips/s", "↑ more is better"], parameters: ["parameters", "↓ fewer is better"], training: ["seconds of training", "↓ fewer is better"] };
// Multiples of 1, 2 or 5 times a power of ten, about five of them.
function roundSteps(from, to) {
  const least = (to - from) / 5, power = 10 ** Math.floor(Math.log10(least)), found = [];
  const step = power * [1, 2, 5, 10].find((m) => m * power >= least);
  for (let i = Math.ceil(from / step); i * step <= to; i++) found.push(i * step);
  return found;
}
// Where the names of points go, the best first: beside the point, where no other name or point is,
// nor any of some other boxes [left, top, right, bottom].
// Names without a place are left out; every point has its name as a title and in the table below.
function placedLabels(points, width, others) {
  const size = { wide: 6.4, high: 12 }, found = new Map(); // of a letter, about
  const taken = [...others, ...points.map(([, x, y]) => [x - 4, y - 4, x + 4, y + 4])];
  const free = (box) => box[0] > 0 && box[2] < width && taken.every((o) => box[2] < o[0] || o[2] < box[0] || box[3] < o[1] || o[3] < box[1]);
  for (const [p, x, y] of points) {
    const wide = size.wide * p.row.name.length;
    for (const [left, base] of [[x + 6, y - 5], [x + 6, y + 13], [x - 6 - wide, y - 5], [x - 6 - wide, y + 13]]) {
      const box = [left, base - size.high + 2, left + wide, base + 2];
      if (!free(box)) continue;
      taken.push(box);
      found.set(p, { x: left.toFixed(1), y: base.toFixed(1) });
      break;
    }
  }
  return found;
}
function plotView() {
  const place = PLACE.get(state.place), metric = place.metrics[0], axisName = COSTS[state.x] ? state.x : "speed";
  const hardware = state.hardware !== "" && DATA.hardware[Number(state.hardware)] !== undefined ? Number(state.hardware) : mostCommon(place.hw);
  const timed = axisName !== "parameters";
  const { shown, hidden } = filteredRows((row) => { const c = place.cell.get(row.number); return c !== undefined && keepCell(place, c); });
  const points = [], left = { hardware: 0, zero: 0 };
  for (const row of shown) {
    const cell = place.cell.get(row.number), x = place[axisName][cell];
    if (timed && place.hw[cell] !== hardware) left.hardware++;
    else if (!(x > 0)) left.zero++;
    else points.push({ row, cell, x, y: metric.value[cell] });
  }
  if (left.hardware) hidden["other hardware"] = left.hardware;
  if (left.zero) hidden["no cost recorded (or 0)"] = left.zero;
  report(points.length, hidden, "");
  const W = 820, H = 420, edge = 56, [from, to] = axis(metric, points.map((p) => p.cell));
  const logs = points.map((p) => Math.log10(p.x)), low = Math.min(...logs) - 0.1, high = Math.max(...logs) + 0.1;
  const X = (x) => edge + (W - edge - 20) * (Math.log10(x) - low) / (high - low || 1), Y = (y) => H - edge - (H - edge - 20) * (y - from) / (to - from);
  const ticks = [];
  const values = [];
  for (let e = Math.floor(low); e <= high; e++) for (const m of high - low > 2 ? [1] : [1, 2, 5]) if (Math.log10(m * 10 ** e) >= low && Math.log10(m * 10 ** e) <= high) values.push(m * 10 ** e);
  for (const x of values) ticks.push('<line x1="' + X(x) + '" x2="' + X(x) + '" y1="20" y2="' + (H - edge) + '" class="grid"/><text x="' + X(x) + '" y="' + (H - edge + 18) + '" text-anchor="middle">' + x.toLocaleString("en") + "</text>");
  for (const y of roundSteps(from, to)) { ticks.push('<line x1="' + edge + '" x2="' + (W - 20) + '" y1="' + Y(y) + '" y2="' + Y(y) + '" class="grid"/><text x="' + (edge - 6) + '" y="' + (Y(y) + 4) + '" text-anchor="end">' + number(y, metric.name) + "</text>"); }
  ticks.push('<line x1="' + edge + '" x2="' + (W - 20) + '" y1="' + Y(metric.chance) + '" y2="' + Y(metric.chance) + '" class="chance"/><text x="' + (W - 20) + '" y="' + (Y(metric.chance) - 4) + '" text-anchor="end">chance</text>');
  ticks.push('<text x="' + (edge + W - 20) / 2 + '" y="' + (H - 14) + '" text-anchor="middle">' + COSTS[axisName][0] + '</text><text x="' + edge + '" y="12" text-anchor="middle">' + esc(metricName(metric.name)) + "</text>");
  const best = [...points].sort((p, q) => (metric.lower ? p.y - q.y : q.y - p.y));
  const label = placedLabels(best.map((p) => [p, X(p.x), Y(p.y)]), W, [[W - 64, Y(metric.chance) - 16, W - 20, Y(metric.chance)]]);
  const marks = points.map((p) => '<g class="point k-' + p.row.kind.replace(/\W+/g, "-") + '"><line x1="' + X(p.x) + '" x2="' + X(p.x) + '" y1="' + Y(metric.low[p.cell]) + '" y2="' + Y(metric.high[p.cell]) + '"/><circle cx="' + X(p.x) + '" cy="' + Y(p.y) + '" r="4"><title>' + esc(p.row.name) + ": " + number(p.y, metric.name) + ", " + p.x + " " + COSTS[axisName][0] + "</title></circle>"
    + (label.has(p) ? '<text x="' + label.get(p).x + '" y="' + label.get(p).y + '">' + esc(p.row.name) + "</text>" : "") + "</g>").join("");
  const pick = (name, options, chosen) => '<select data-change="' + name + '" data-key="' + name + '">' + options.map(([v, t]) => '<option value="' + v + '"' + (v === chosen ? " selected" : "") + ">" + esc(t) + "</option>").join("") + "</select>";
  return '<div class="pickers"><label>Task ' + placePicker("place", place.id, DATA.places) + "</label><label>Cost " + pick("x", Object.entries(COSTS).map(([k, [t]]) => [k, t]), axisName) + "</label>"
    + (timed ? "<label>Hardware " + pick("hardware", [...new Set(place.hw)].map((h) => [String(h), DATA.hardware[h]]), String(hardware)) + "</label>" : "") + "</div>"
    + '<p>' + esc(aboutMetric(metric, place)) + " against " + COSTS[axisName].join(", ") + (timed ? ", measured on " + esc(DATA.hardware[hardware]) + " only" : "") + ". Colours: " + [...new Set(points.map((p) => p.row.kind))].map((kind) => '<span class="key k-' + kind.replace(/\W+/g, "-") + '">' + esc(kind) + "</span>").join(" ") + "</p>"
    + (points.length ? '<div class="scroll" tabindex="0" role="region" aria-label="Plot"><svg class="plot" viewBox="0 0 ' + W + " " + H + '" role="img" aria-label="Quality against cost; the numbers stand in the table below">' + ticks.join("") + marks + "</svg></div>" : "<p>No row has this cost.</p>")
    + '<details><summary>The numbers</summary><table><thead><tr><th scope="col">Encoder</th><th scope="col">' + esc(metricName(metric.name)) + '</th><th scope="col">' + COSTS[axisName][0] + "</th></tr></thead><tbody>"
    + sorted(points.map((p, order) => ({ ...p, order })), (p) => p.x, true).map((p) => "<tr><th scope=\"row\">" + esc(p.row.name) + "</th><td>" + number(p.y, metric.name) + "</td><td>" + p.x.toLocaleString("en") + "</td></tr>").join("") + "</tbody></table></details>";
}
