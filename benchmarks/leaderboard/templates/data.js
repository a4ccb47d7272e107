// The data of the page, and what is computed from them: hits, units, overall order.

const DATA = JSON.parse(document.getElementById("data").textContent);
const DASH = "–";
const EXPOSURE = {
  "none": ["zs", "zero-shot: it has seen nothing of this corpus"],
  "trained here": ["", "trained or fitted on the training clips of this split"],
  "training clips": ["tr", "trained before on the training part of this corpus"],
  "test clips": ["!", "contaminated: trained on all of this corpus, or on an unknown part"],
  "source": ["!s", "contaminated: trained on a corpus that shares a source with this one"],
  "not known": ["?", "what it was trained on is not known"],
};

function bytes(text) {
  const raw = atob(text), out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

DATA.rows.forEach((row, number) => {
  row.number = number;
  row.id = row.encoder + "@" + row.revision + (row.origin === "pipeline" ? "" : "@" + row.origin);
  row.licence = (row.about && row.about.licence) || "not known";
});
DATA.places.forEach((place, number) => {
  place.number = number;
  place.id = [place.task, place.corpus, place.split].join(".");
  if (DATA.places.some((other, n) => n < number && other.id === place.id)) {
    place.id += "." + place.corpus_fingerprint + "." + place.split_fingerprint + "." + place.labels;
  }
  place.cell = new Map(place.rows.map((row, cell) => [row, cell]));
  place.cache = {};
});
const KINDS = [...new Set(DATA.rows.map((row) => row.kind))].sort();
const ROW = new Map(DATA.rows.map((row) => [row.id, row]));
const PLACE = new Map(DATA.places.map((place) => [place.id, place]));

function cached(place, key, make) {
  return key in place.cache ? place.cache[key] : (place.cache[key] = make());
}

// Ranks of a cell: clip by clip, `of` numbers each, 0 where there is none; null if not in the page.
function ranksOf(place, cell) {
  const kept = place.ranks[cell];
  if (!kept) return null;
  return cached(place, "ranks" + cell, () => {
    const raw = bytes(kept.data);
    const tied = kept.tied ? new Uint32Array(bytes(kept.tied).buffer) : null;
    return { of: kept.of, at: kept.size === 1 ? raw : new Uint16Array(raw.buffer), tied };
  });
}

// Probability that rank i lies within the first k, over a random order of the tied.
function within(ranks, i, k) {
  const low = ranks.at[i];
  if (!ranks.tied || ranks.tied[2 * i] <= low) return low <= k ? 1 : 0;
  const high = ranks.tied[2 * i], right = ranks.tied[2 * i + 1], tied = high - low + right;
  let beyond = 1;
  for (let step = 0; step < Math.min(k, high) + 1 - low; step++) beyond *= (tied - right - step) / (tied - step);
  return 1 - beyond;
}

// Share of a clip's ranks within the first k; NaN where the encoder does not have the clip.
function hitsOf(place, cell, k) {
  const ranks = ranksOf(place, cell);
  if (!ranks) return null;
  return cached(place, "hits" + cell + "." + k, () => {
    const hits = new Float64Array(place.clips.length);
    for (let clip = 0; clip < hits.length; clip++) {
      let found = 0, count = 0;
      for (let i = clip * ranks.of; i < (clip + 1) * ranks.of; i++) {
        if (ranks.at[i]) { count++; found += within(ranks, i, k); }
      }
      hits[clip] = found / count;
    }
    return hits;
  });
}

function clipOf(place, index) {
  const table = DATA.clips[place.corpus], n = place.clips[index];
  return {
    corpus: place.corpus, number: n, id: table.ids[n], label: table.label[n],
    language: table.language[n], signer: table.signer[n], frames: table.frames[n],
    fps: table.fps[n], hand: table.hand[n], points: table.points[n],
  };
}

function languageName(tag) { return DATA.languages[tag] ? DATA.languages[tag] + " (" + tag + ")" : tag; }

// The unit that tests and intervals resample, of each clip of a place.
function unitsOf(place) {
  return cached(place, "units", () => {
    const kind = place.units.kind, names = new Map();
    return place.clips.map((_, index) => {
      const clip = clipOf(place, index);
      const name = kind === "signers" ? clip.signer : kind === "sign languages" ? clip.language : clip.id;
      if (!names.has(name)) names.set(name, names.size);
      return names.get(name);
    });
  });
}

// Uniform numbers in [0, 1), as benchmarks/leaderboard/order.py draws them.
function mulberry32(seed) {
  return function () {
    seed = (seed + 0x6D2B79F5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Share of the other values that each one exceeds, equal ones counting half.
function beaten(values) {
  const count = values.length, points = new Float64Array(count);
  if (count < 2) return points.fill(0.5);
  const order = Array.from(values.keys()).sort((a, b) => values[a] - values[b]);
  for (let start = 0; start < count;) {
    let end = start + 1;
    while (end < count && values[order[end]] === values[order[start]]) end++;
    for (let i = start; i < end; i++) points[order[i]] = (start + (end - start - 1) / 2) / (count - 1);
    start = end;
  }
  return points;
}

function ranksOfScores(score) {
  const rounded = score.map((x) => Math.round(x * 1e9) / 1e9);
  const sorted = Float64Array.from(rounded).sort();
  return rounded.map((x) => {
    let low = 0, high = sorted.length;
    while (low < high) { const mid = (low + high) >> 1; sorted[mid] <= x ? (low = mid + 1) : (high = mid); }
    return 1 + sorted.length - low;
  });
}

// The overall order over places, as order.py computes it; `keep(place, cell)` says which cells count.
function standings(places, keep) {
  const rows = DATA.rows.length, points = new Float64Array(rows), possible = new Float64Array(rows);
  const total = new Float64Array(rows), have = new Int32Array(rows);
  const columns = [];
  for (const place of places) {
    const cells = place.rows.map((_, cell) => cell).filter((cell) => keep(place, cell));
    if (!cells.length) continue;
    const main = place.metrics[0], others = cells.length - 1, sign = main.lower ? -1 : 1;
    const share = beaten(cells.map((cell) => sign * main.value[cell]));
    const drawn = cached(place, "replicates", () => bytes(place.replicates));
    columns.push({ place, cells, drawn, whole: cells.length === place.rows.length });
    cells.forEach((cell, i) => {
      const row = place.rows[cell];
      points[row] += share[i] * others;
      possible[row] += others;
      total[row] += main.value[cell];
      have[row]++;
    });
  }
  const score = Array.from(points, (p, row) => possible[row] ? p / possible[row] : have[row] ? 0.5 : -1);
  const rank = ranksOfScores(score);
  const interval = rankIntervals(columns, rows, have.filter(Boolean).length);
  return DATA.rows.map((_, row) => have[row] ? {
    rank: rank[row], low: Math.min(rank[row], interval.low[row]),
    high: Math.max(rank[row], interval.high[row]), borda: score[row],
    mean: total[row] / have[row], columns: have[row],
  } : null);
}

// Best and worst rank of each row over the replicates; `last` is the worst rank that there is.
function rankIntervals(columns, rows, last) {
  const low = new Int32Array(rows).fill(1), high = new Int32Array(rows).fill(last);
  if (!columns.length) return { low, high };
  const draws = columns[0].place.draws, next = mulberry32(1);
  const best = Array.from({ length: rows }, () => new Int32Array(draws));
  const worst = Array.from({ length: rows }, () => new Int32Array(draws));
  for (let draw = 0; draw < draws; draw++) {
    const points = new Float64Array(rows), possible = new Float64Array(rows);
    const times = new Int32Array(columns.length);
    for (let i = 0; i < columns.length; i++) times[Math.floor(next() * columns.length)]++;
    columns.forEach((column, c) => {
      if (!times[c]) return;
      const { place, cells, drawn } = column, others = cells.length - 1;
      let share = cells.map((cell) => drawn[cell * draws + draw] / 255);
      if (!column.whole) share = beaten(share);
      cells.forEach((cell, i) => {
        points[place.rows[cell]] += times[c] * others * share[i];
        possible[place.rows[cell]] += times[c] * others;
      });
    });
    const ranks = ranksOfScores(Array.from(points, (p, row) => possible[row] ? p / possible[row] : -1));
    for (let row = 0; row < rows; row++) {
      best[row][draw] = possible[row] ? ranks[row] : 1;
      worst[row][draw] = possible[row] ? ranks[row] : last;
    }
  }
  const cut = Math.floor(0.025 * (draws - 1));
  for (let row = 0; row < rows; row++) {
    low[row] = best[row].sort()[cut];
    high[row] = worst[row].sort()[draws - 1 - cut];
  }
  return { low, high };
}

// Mean of a - b over the clips that both have, with a 95 % interval over resampled units.
function pairedDifference(place, a, b, k) {
  const of_a = hitsOf(place, a, k), of_b = hitsOf(place, b, k);
  if (!of_a || !of_b) return null;
  const unit = unitsOf(place), sums = new Float64Array(place.units.count), sizes = new Float64Array(place.units.count);
  let total = 0, clips = 0;
  const only_a = [], only_b = [];
  for (let clip = 0; clip < of_a.length; clip++) {
    const d = of_a[clip] - of_b[clip];
    if (Number.isNaN(d)) continue;
    sums[unit[clip]] += d; sizes[unit[clip]]++; total += d; clips++;
    if (d > 0) only_a.push(clip);
    if (d < 0) only_b.push(clip);
  }
  const next = mulberry32(7), means = new Float64Array(2000), count = sums.length;
  for (let i = 0; i < means.length; i++) {
    let sum = 0, size = 0;
    for (let j = 0; j < count; j++) { const u = Math.floor(next() * count); sum += sums[u]; size += sizes[u]; }
    means[i] = size ? sum / size : 0;
  }
  means.sort();
  return { difference: total / clips, low: means[50], high: means[1949], clips, only_a, only_b };
}
