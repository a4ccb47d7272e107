// A small player of skeletons: canvases that play together, with one set of controls.

const SKELETON = DATA.skeleton;
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Points in shoulder widths, Float32 (frames, points, 2), NaN where not detected; hands seen.
function decodeClip(clip) {
  const raw = new Int8Array(bytes(clip.points).buffer), n = SKELETON.points, body = SKELETON.body;
  const frames = raw.length / (2 * n), xy = new Float32Array(raw.length).fill(NaN), seen = [0, 0];
  const side = (n - body) / 2;
  for (let f = 0; f < frames; f++) {
    for (let p = 0; p < n; p++) {
      const i = 2 * (f * n + p);
      if (raw[i] === SKELETON.hidden) continue;
      if (p < body) {
        xy[i] = raw[i] / SKELETON.step; xy[i + 1] = raw[i + 1] / SKELETON.step;
        if (p >= body - 2) seen[p - body + 2]++;
      } else {
        const wrist = 2 * (f * n + body - 2 + (p - body < side ? 0 : 1));
        xy[i] = xy[wrist] + raw[i] * clip.hand / 127; xy[i + 1] = xy[wrist + 1] + raw[i + 1] * clip.hand / 127;
      }
    }
  }
  return { frames, xy, seen };
}

function drawFrame(canvas, decoded, frame, mirror) {
  const scale = window.devicePixelRatio || 1, size = canvas.clientWidth || 220;
  if (canvas.width !== size * scale) { canvas.width = size * scale; canvas.height = size * scale; }
  const g = canvas.getContext("2d"), style = getComputedStyle(canvas), n = SKELETON.points;
  const unit = canvas.width / 3.6;
  const X = (p) => canvas.width / 2 + (mirror ? -1 : 1) * unit * decoded.xy[2 * (frame * n + p)];
  const Y = (p) => canvas.height * 0.42 + unit * decoded.xy[2 * (frame * n + p) + 1];
  const strokes = (lines, color, width) => {
    g.strokeStyle = color; g.lineWidth = width * scale; g.lineCap = "round"; g.beginPath();
    for (const [a, b] of lines) {
      if (Number.isNaN(X(a)) || Number.isNaN(X(b))) continue;
      g.moveTo(X(a), Y(a)); g.lineTo(X(b), Y(b));
    }
    g.stroke();
  };
  g.clearRect(0, 0, canvas.width, canvas.height);
  const ink = style.getPropertyValue("--ink");
  strokes(SKELETON.lines, ink, 2);
  g.fillStyle = ink;
  for (const p of SKELETON.head) {
    if (!Number.isNaN(X(p))) { g.beginPath(); g.arc(X(p), Y(p), 2.5 * scale, 0, 7); g.fill(); }
  }
  strokes(SKELETON.hands[0], style.getPropertyValue("--left"), 2);
  strokes(SKELETON.hands[1], style.getPropertyValue("--right"), 2);
}

// What a reader who does not see the canvas is told.
function clipText(clip, decoded) {
  const parts = ["label " + clip.label, languageName(clip.language)];
  if (clip.signer) parts.push("signer " + clip.signer);
  if (decoded) {
    parts.push((decoded.frames / clip.fps).toFixed(1) + " s", decoded.frames + " frames");
    parts.push("left hand seen in " + decoded.seen[0] + ", right hand in " + decoded.seen[1]);
  }
  return parts.filter(Boolean).join("; ");
}

// Fills `place` with players of clips; every clip may have a `note` (HTML) below it.
function mountPlayer(place, clips) {
  const decoded = clips.map((clip) => clip.points ? decodeClip(clip) : null);
  const any = decoded.some(Boolean);
  place.innerHTML = '<div class="stage">' + clips.map((clip, i) =>
    '<figure>' + (decoded[i]
      ? '<canvas role="img" aria-label="' + esc("Skeleton of clip " + clip.id + ": " + clipText(clip, decoded[i])) + '"></canvas>'
      : '<p class="absent">Clip ' + esc(clip.id) + ' has no points in this page.</p>')
    + '<figcaption><strong>' + esc(clip.id) + "</strong><br>" + esc(clipText(clip, decoded[i]))
    + (clip.note ? "<br>" + clip.note : "") + "</figcaption></figure>").join("") + "</div>"
    + (any ? '<div class="transport"><button type="button" class="play">Play</button>'
      + '<label>Position <input type="range" class="scrub" min="0" max="1000" value="0"></label>'
      + '<label>Speed <select class="speed"><option value="0.25">¼×</option><option value="0.5">½×</option>'
      + '<option value="1" selected>1×</option><option value="2">2×</option></select></label>'
      + '<label><input type="checkbox" class="mirror"> Mirror</label></div>' : "");
  if (!any) return;
  const canvases = [...place.querySelectorAll("figure")].map((f) => f.querySelector("canvas"));
  const [play, scrub, speed, mirror] = ["play", "scrub", "speed", "mirror"].map((c) => place.querySelector("." + c));
  const seconds = Math.max(...decoded.map((d, i) => d ? d.frames / clips[i].fps : 0));
  let time = 0, last = 0, running = false;
  const draw = () => canvases.forEach((canvas, i) => {
    if (!canvas) return;
    const frame = Math.min(decoded[i].frames - 1, Math.floor(time * clips[i].fps + 1e-6));
    drawFrame(canvas, decoded[i], frame, mirror.checked);
    canvas.dataset.frame = frame;
  });
  const step = (now) => {
    if (!running || !place.isConnected || !place.contains(play)) return;
    time += last ? (now - last) / 1000 * Number(speed.value) : 0;
    last = now;
    if (time > seconds) time = 0;
    scrub.value = 1000 * time / seconds;
    draw();
    requestAnimationFrame(step);
  };
  const run = (on) => { running = on; last = 0; play.textContent = on ? "Pause" : "Play"; if (on) requestAnimationFrame(step); };
  play.onclick = () => run(!running);
  scrub.oninput = () => { run(false); time = seconds * scrub.value / 1000; draw(); };
  mirror.onchange = draw;
  draw();
  if (!still()) run(true);
}
