// Quality against cost: one point a row, among results of equal hardware where cost is a time.

const COSTS = { speed: ["clips/s", "↑ more is better"], parameters: ["parameters", "↓ fewer is better"], training: ["seconds of training", "↓ fewer is better"] };
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
  for (let i = 0; i <= 4; i++) { const y = from + (to - from) * i / 4; ticks.push('<line x1="' + edge + '" x2="' + (W - 20) + '" y1="' + Y(y) + '" y2="' + Y(y) + '" class="grid"/><text x="' + (edge - 6) + '" y="' + (Y(y) + 4) + '" text-anchor="end">' + number(y, metric.name) + "</text>"); }
  ticks.push('<line x1="' + edge + '" x2="' + (W - 20) + '" y1="' + Y(metric.chance) + '" y2="' + Y(metric.chance) + '" class="chance"/><text x="' + (W - 20) + '" y="' + (Y(metric.chance) - 4) + '" text-anchor="end">chance</text>');
  const labelled = new Set([...points].sort((p, q) => (metric.lower ? p.y - q.y : q.y - p.y)).slice(0, 14));
  const marks = points.map((p) => '<g class="point k-' + p.row.kind.replace(/\W+/g, "-") + '"><line x1="' + X(p.x) + '" x2="' + X(p.x) + '" y1="' + Y(metric.low[p.cell]) + '" y2="' + Y(metric.high[p.cell]) + '"/><circle cx="' + X(p.x) + '" cy="' + Y(p.y) + '" r="4"><title>' + esc(p.row.name) + ": " + number(p.y, metric.name) + ", " + p.x + " " + COSTS[axisName][0] + "</title></circle>"
    + (labelled.has(p) ? '<text x="' + (X(p.x) + 6) + '" y="' + (Y(p.y) - 5) + '">' + esc(p.row.name) + "</text>" : "") + "</g>").join("");
  const pick = (name, options, chosen) => '<select data-change="' + name + '" data-key="' + name + '">' + options.map(([v, t]) => '<option value="' + v + '"' + (v === chosen ? " selected" : "") + ">" + esc(t) + "</option>").join("") + "</select>";
  return '<div class="pickers"><label>Task ' + placePicker("place", place.id, DATA.places) + "</label><label>Cost " + pick("x", Object.entries(COSTS).map(([k, [t]]) => [k, t]), axisName) + "</label>"
    + (timed ? "<label>Hardware " + pick("hardware", [...new Set(place.hw)].map((h) => [String(h), DATA.hardware[h]]), String(hardware)) + "</label>" : "") + "</div>"
    + '<p>' + esc(aboutMetric(metric, place)) + " against " + COSTS[axisName].join(", ") + (timed ? ", measured on " + esc(DATA.hardware[hardware]) + " only" : "") + ". Colours: " + [...new Set(points.map((p) => p.row.kind))].map((kind) => '<span class="key k-' + kind.replace(/\W+/g, "-") + '">' + esc(kind) + "</span>").join(" ") + "</p>"
    + (points.length ? '<div class="scroll" tabindex="0" role="region" aria-label="Plot"><svg class="plot" viewBox="0 0 ' + W + " " + H + '" role="img" aria-label="Quality against cost; the numbers stand in the table below">' + ticks.join("") + marks + "</svg></div>" : "<p>No row has this cost.</p>")
    + '<details><summary>The numbers</summary><table><thead><tr><th scope="col">Encoder</th><th scope="col">' + esc(metricName(metric.name)) + '</th><th scope="col">' + COSTS[axisName][0] + "</th></tr></thead><tbody>"
    + sorted(points.map((p, order) => ({ ...p, order })), (p) => p.x, true).map((p) => "<tr><th scope=\"row\">" + esc(p.row.name) + "</th><td>" + number(p.y, metric.name) + "</td><td>" + p.x.toLocaleString("en") + "</td></tr>").join("") + "</tbody></table></details>";
}
