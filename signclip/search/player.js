// Plays skeletons. `drawing` has lines, dots and view; a sign has fps and frames, each of them
// x, y, x, y, ... in hundredths of a shoulder width. Colours are --ink and --faint of the canvas.

const MISSING = -32768, SCALE = 1.4;

function drawSkeleton(canvas, drawing, frame) {
  const [left, top, width, height] = drawing.view;
  if (canvas.width !== Math.round(width * SCALE)) {
    canvas.width = Math.round(width * SCALE);
    canvas.height = Math.round(height * SCALE);
  }
  const g = canvas.getContext("2d"), style = getComputedStyle(canvas);
  const x = (i) => (frame[2 * i] - left) * SCALE, y = (i) => (frame[2 * i + 1] - top) * SCALE;
  const seen = (i) => frame[2 * i] !== MISSING;
  g.clearRect(0, 0, canvas.width, canvas.height);
  g.strokeStyle = style.getPropertyValue("--ink") || "#333";
  g.lineWidth = 2.5;
  g.beginPath();
  for (const [i, j] of drawing.lines) {
    if (seen(i) && seen(j)) { g.moveTo(x(i), y(i)); g.lineTo(x(j), y(j)); }
  }
  g.stroke();
  g.fillStyle = style.getPropertyValue("--faint") || "#999";
  for (let i = drawing.dots; 2 * i < frame.length; i++) {
    if (seen(i)) g.fillRect(x(i), y(i), 1.5, 1.5);
  }
}

// Plays a sign again and again while its canvas is in the page; `running()` false stops it. Who
// asks for less motion sees the middle frame.
function playSkeleton(canvas, drawing, sign, running = () => true) {
  const count = sign.frames.length;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let shown = still ? count >> 1 : 0, time = 0, before = 0;
  drawSkeleton(canvas, drawing, sign.frames[shown]);
  function step(now) {
    if (before && !canvas.isConnected) return;
    if (before && running()) time += now - before;
    before = now;
    const frame = Math.floor(time / 1000 * sign.fps) % count;
    if (frame !== shown) drawSkeleton(canvas, drawing, sign.frames[shown = frame]);
    requestAnimationFrame(step);
  }
  if (!still) requestAnimationFrame(step);
}
