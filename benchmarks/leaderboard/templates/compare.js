// Two pinned rows: their paired difference, and the clips that flipped, playing side by side.

function compareView() {
  const [a, b] = pins().map((id) => ROW.get(id));
  if (!a) return "";
  const unpin = '<button type="button" data-set="pin:" data-key="unpin">Unpin</button>';
  if (!b) return '<section class="compare"><p><strong>' + esc(a.name) + "</strong> is pinned. Pin a second row to compare the two. " + unpin + "</p></section>";
  const common = DATA.places.filter((p) => p.cell.has(a.number) && p.cell.has(b.number));
  const head = '<section class="compare" aria-label="Comparison"><h2>' + esc(a.name) + " − " + esc(b.name) + "</h2>";
  if (!common.length) return head + "<p>They have no column in common, so there is nothing to compare. " + unpin + "</p></section>";
  const place = common.find((p) => p.id === state.versus) || common.find((p) => p.id === state.place) || common[0];
  const pick = '<div class="pickers"><label>Task ' + placePicker("versus", place.id, common) + "</label>" + unpin + "</div>";
  const found = pairedDifference(place, place.cell.get(a.number), place.cell.get(b.number), 1);
  if (!found) return head + pick + "<p>This page does not hold the ranks of both rows on single clips.</p></section>";
  const sign = (x) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(3);
  const clear = found.low > 0 || found.high < 0;
  const side = (title, clips, which) => '<div><h3>' + title + " <small>" + clips.length + ' clips</small></h3><label>Clip <select data-clip="' + which + '" data-key="clip:' + which + '">'
    + clips.map((index) => { const clip = clipOf(place, index); return '<option value="' + index + '">' + esc(clip.id) + (clip.label ? " · " + esc(clip.label) : "") + "</option>"; }).join("") + "</select></label></div>";
  return head + pick + '<p class="difference">R@1 difference <strong>' + sign(found.difference) + "</strong>, 95 % [" + sign(found.low) + ", " + sign(found.high) + "] over " + found.clips + " clips, "
    + place.units.count + " " + place.units.kind + " resampled 2,000 times: " + (clear ? "the interval excludes 0" : "the two cannot be distinguished") + ". One comparison, not corrected for others.</p>"
    + '<div class="flipped">' + side("Only " + esc(a.name), found.only_a, "a") + side("Only " + esc(b.name), found.only_b, "b") + '</div><div id="flips" class="player"></div></section>';
}
function mountComparison() {
  const target = document.getElementById("flips");
  if (!target) return;
  const [a, b] = pins().map((id) => ROW.get(id)), selects = [...document.querySelectorAll("[data-clip]")];
  const common = DATA.places.filter((p) => p.cell.has(a.number) && p.cell.has(b.number));
  const place = common.find((p) => p.id === state.versus) || common.find((p) => p.id === state.place) || common[0];
  const wanted = state.clip.split("~");
  selects.forEach((select, i) => {
    const option = [...select.options].find((o) => o.textContent.split(" · ")[0] === wanted[i]);
    if (option) select.value = option.value;
  });
  const said = (row, index) => {
    const cell = place.cell.get(row.number), ranks = ranksOf(place, cell), own = [];
    for (let i = index * ranks.of; i < (index + 1) * ranks.of && own.length < 5; i++) if (ranks.at[i]) {
      const high = ranks.tied ? ranks.tied[2 * i] : ranks.at[i];
      own.push(ranks.at[i] + (high > ranks.at[i] ? "–" + high : ""));
    }
    const predicted = place.predicted && place.predicted.cells[cell] ? place.predicted.cells[cell][index] : -1;
    return esc(row.name) + ": rank " + own.join(", ") + (predicted >= 0 ? ", predicts " + esc(place.predicted.labels[predicted]) : "");
  };
  const mount = () => mountPlayer(target, selects.filter((s) => s.options.length).map((select) => {
    const index = Number(select.value);
    return { ...clipOf(place, index), note: said(a, index) + "<br>" + said(b, index) };
  }));
  selects.forEach((select) => select.addEventListener("change", () => {
    state.clip = selects.map((s) => s.options.length ? clipOf(place, Number(s.value)).id : "").join("~");
    history.replaceState(null, "", hashOf(state));
    mount();
  }));
  mount();
}

// Clips that no encoder gets, the hardest first.
function hardClips(place) {
  return cached(place, "hard", () => {
    const hits = place.rows.map((_, cell) => hitsOf(place, cell, 1)).filter(Boolean);
    return place.clips.map((_, index) => {
      let sum = 0, count = 0, best = 0;
      for (const one of hits) if (!Number.isNaN(one[index])) { sum += one[index]; count++; best = Math.max(best, one[index]); }
      return { index, share: count ? sum / count : NaN, best, count };
    }).filter((one) => one.count).sort((x, y) => x.share - y.share || x.index - y.index);
  });
}
const HARD_SHOWN = 60;
function hardView() {
  const place = PLACE.get(state.place), clips = hardClips(place), never = clips.filter((one) => one.best === 0);
  const shown = (never.length ? never : clips).slice(0, HARD_SHOWN), kept = place.ranks.filter(Boolean).length;
  say("");
  const chosen = shown.find((one) => clipOf(place, one.index).id === state.clip) || shown[0];
  return '<div class="pickers"><label>Task ' + placePicker("place", place.id, DATA.places) + "</label></div><h2>Clips that no encoder gets</h2><p>" + never.length + " of " + clips.length
    + " clips are ranked first by none of " + kept + " encoders" + (kept < place.rows.length ? " (those whose ranks are in this page, of " + place.rows.length + ")" : "") + "."
    + (never.length ? "" : " The hardest are listed instead.") + (never.length > HARD_SHOWN ? " The first " + HARD_SHOWN + " are listed." : "") + "</p>"
    + (chosen ? '<div class="hard"><div class="scroll short" tabindex="0" role="region" aria-label="Hard clips"><table><thead><tr><th scope="col">Clip</th><th scope="col">Label</th><th scope="col">Language</th><th scope="col">Encoders right</th></tr></thead><tbody>'
      + shown.map((one) => { const clip = clipOf(place, one.index); return '<tr><th scope="row"><button type="button" data-set="clip:' + esc(clip.id) + '" data-key="hard:' + esc(clip.id) + '" aria-pressed="' + (one === chosen) + '">' + esc(clip.id) + "</button></th><td>" + esc(clip.label) + "</td><td>" + esc(languageName(clip.language)) + "</td><td>" + (100 * one.share).toFixed(0) + " %</td></tr>"; }).join("")
      + '</tbody></table></div><div id="hardplayer" class="player" data-index="' + chosen.index + '"></div></div>' : "");
}
function mountHard() {
  const target = document.getElementById("hardplayer");
  if (target) mountPlayer(target, [clipOf(PLACE.get(state.place), Number(target.dataset.index))]);
}
