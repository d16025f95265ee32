// --- what is followed ---------------------------------------------------------------------------
const sure = (share) => { // dark is sure, light is not: readable without colour
  const dark = [16, 62, 107], light = [246, 176, 92];
  return `rgb(${dark.map((value, at) => Math.round(light[at] + (value - light[at]) * share))})`;
};
const holes = piece.unaligned.filter((span) => span.end > span.start);
const hole = (t) => holes.find((span) => span.start <= t && t < span.end);
tell("#counts", [piece.route && ["The way through the score:", piece.route]]);
tell("#facts", [piece.recording, piece.method, piece.verdict,
  piece.unaligned.length && `not aligned: ${piece.unaligned.map((span) => span.label).join(", ")}`]);
legend([["now", "sounding now"], ["upper", "notehead: click to hear"]]);
$("header").append($(".keys"));
tellKeys([["space", "play, pause"], ["← →", "onset by onset"], [", .", "bar by bar"],
  ["- +", "slower, faster"], ["", "click a note to hear it"]]);

function describe(head, notes) {
  const heard = notes.map((note) => clock(note.onset_s)).join(", ");
  const bar = notes.length ? piece.stops[notes[0].stop].label.split(",")[0] : "";
  return [pitchName(head.pitch), bar, heard ? `heard at ${heard}` : "not heard"].filter(Boolean).join("\n");
}

function where(t) {
  const now = hole(t), minute = `${Math.floor(t / 60)}:${String(Math.floor(t % 60)).padStart(2, "0")}`;
  const stop = piece.stops[begun(piece.stops, t)];
  return `${now ? `not aligned: ${now.what}` : stop ? stop.label : "before the first note"} · ${minute}`;
}

// --- the strip: loudness, and how sure the alignment is -----------------------------------------
const strip = make($(".player"), "div", { class: "strip" });
const canvas = make(strip, "canvas", { "aria-hidden": "true" });
strip.append($("#seek"));
for (const span of holes) {
  const width = 100 * (span.end - span.start) / piece.duration_s;
  make(strip, "span", { class: "hole", title: span.label,
    style: `left: ${100 * span.start / piece.duration_s}%; width: ${width}%` }, span.what);
}
function fitLabels() { // a word that is cut off says nothing; the header and the title name it too
  for (const span of document.querySelectorAll(".hole")) {
    span.style.textIndent = "0";
    const high = span.scrollHeight > span.clientHeight, wide = span.scrollWidth > span.clientWidth;
    if (high || wide) span.style.textIndent = "-99em";
  }
}
const scale = make(make(strip, "p", { class: "scale" }, "the alignment is "), "span");
scale.textContent = "less … more sure";
scale.style.borderImage = `linear-gradient(90deg, ${sure(0)}, ${sure(1)}) 1`;

function drawStrip() {
  const width = canvas.clientWidth, height = canvas.clientHeight, dense = devicePixelRatio || 1;
  canvas.width = width * dense;
  canvas.height = height * dense;
  const pen = canvas.getContext("2d");
  pen.scale(dense, dense);
  const bars = Math.floor(width / 3); // of 2 px, and 1 px between
  for (let bar = 0; bar < bars; bar++) {
    const first = Math.floor(bar * piece.wave.length / bars);
    const last = Math.max(first + 1, Math.floor((bar + 1) * piece.wave.length / bars));
    const tall = Math.max(1, height * Math.max(...piece.wave.slice(first, last)) / 100);
    const t = (bar + 0.5) / bars * piece.duration_s;
    const stop = piece.stops[begun(piece.stops, t)];
    pen.fillStyle = stop && !hole(t) ? sure(stop.sureness) : "#b9c1c9";
    pen.fillRect(bar * width / bars, (height - tall) / 2, 2, tall);
  }
}
for (const then of [drawStrip, fitLabels]) {
  addEventListener("resize", then);
  then();
}

// --- speed ----------------------------------------------------------------------------------------
const SPEEDS = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2];
const speed = document.createElement("div");
speed.className = "speed";
speed.setAttribute("role", "group");
speed.setAttribute("aria-label", "Speed");
const slower = make(speed, "button", { "aria-label": "Slower" }, "−");
const rate = make(speed, "output", {}, "100 %");
const faster = make(speed, "button", { "aria-label": "Faster" }, "+");
$(".player > div").append(speed);
audio.preservesPitch = true;

function hasten(by) {
  const at = SPEEDS.indexOf(audio.playbackRate) + by;
  if (!(at in SPEEDS)) return;
  audio.playbackRate = SPEEDS[at];
  rate.value = `${Math.round(100 * SPEEDS[at])} %`;
}
slower.addEventListener("click", () => hasten(-1));
faster.addEventListener("click", () => hasten(1));

// --- bars, and places between the noteheads -------------------------------------------------------
const bars = piece.stops.filter((stop, at) => at === 0 || stop.label !== piece.stops[at - 1].label);

function stepBar(by) {
  const t = audio.currentTime, here = begun(bars, t);
  const inside = here >= 0 && t - bars[here].onset_s > AGAIN;
  const bar = bars[here + (by < 0 && inside ? 0 : by)];
  if (bar) go(bar.onset_s);
}
Object.assign(keys, { ",": () => stepBar(-1), ".": () => stepBar(1), "-": () => hasten(-1),
  "+": () => hasten(1), "=": () => hasten(1), Home: () => go(0) });

for (const { svg } of pages.values()) {
  svg.addEventListener("click", (event) => {
    if (event.target.closest(".head")) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const line = [...systems.values()].find((system) =>
      system.svg === svg && system.y <= at.y && at.y <= system.y + system.height);
    const there = line ? linked.filter((stop) => stop.system === line.system) : [];
    const far = (stop) => [Math.abs(stop.x - at.x), Math.abs(stop.onset_s - audio.currentTime)];
    there.sort((a, b) => far(a)[0] - far(b)[0] || far(a)[1] - far(b)[1]);
    if (there.length) start(there[0].onset_s);
  });
}
drawn.push((t) => {
  cursor.style.visibility = hole(t) ? "hidden" : "visible";
  $("#seek").setAttribute("aria-valuetext", $("#time").value);
});
