// --- what the piece is ------------------------------------------------------------------------
const loose = piece.notes.filter((note) => note.head === null);
tell("#counts", [
  [count(piece.images.length, piece.unit), ""], [count(piece.systems.length, "system"), ""],
  [count(piece.heads.length, "notehead"), ""], [count(piece.notes.length, "note"), ""],
  [loose.length.toLocaleString("en"), "without a notehead"],
]);
tell("#facts", [piece.piece_id, piece.collection, piece.split, piece.sound, piece.licence]);
tellKeys([["space", "play, pause"], ["← →", "onset by onset"], ["", "click a notehead"]]);
legend([["upper", "head, upper staff"], ["lower", "head, lower staff"],
  ["silent", "head without an onset (tied)"], ["now", "sounding now"]]);

function describe(head, notes) {
  const system = systems.get(head.system);
  const kind = `${head.grace ? " · grace note" : ""}${head.tied ? " · tied" : ""}`;
  const when = notes.map((note) => note.onset_s.toFixed(3)).join(", ");
  return [
    `${pitchName(head.pitch)}${kind}`,
    when ? `onset ${when} s` : head.tied ? "goes on sounding, no onset" : "does not sound",
    `staff ${head.staff + 1} of ${system.top.length}, system ${head.system + 1}`,
    `pitch ${head.pitch}, quarter ${+head.moment.toFixed(3)}`,
  ].join("\n");
}

function where(t) {
  return `${clock(t)} / ${clock(piece.duration_s)}`;
}

// --- notes without a notehead, by reason ------------------------------------------------------
if (loose.length) {
  const section = make($("main"), "section", { class: "loose", "aria-label": "Notes without a notehead" });
  make(section, "h2", {}, `${count(loose.length, "note")} without a notehead`);
  make(section, "p", { class: "soft" }, "Sounding, but linked to nothing on the page.");
  const reasons = new Map();
  for (const note of loose) reasons.set(note.reason, [...(reasons.get(note.reason) || []), note]);
  for (const [reason, notes] of reasons) {
    make(section, "h3", {}, `${reason || "no reason given"} (${notes.length})`);
    const list = make(section, "ul");
    for (const note of notes) {
      note.button = make(make(list, "li"), "button", {}, `${note.onset_s.toFixed(3)} s · ${pitchName(note.pitch)}`);
      note.button.addEventListener("click", () => start(note.onset_s));
    }
  }
  drawn.push((t, now) => {
    for (const note of loose) note.button.classList.toggle("now", now.includes(note));
  });
}
