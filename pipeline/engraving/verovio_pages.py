"""Rows of a piece that Verovio engraved: images, systems, noteheads, and the notes that sound, all
linked by the ids of the score's notes."""

from bisect import bisect_right
from collections import Counter
from fractions import Fraction
from xml.etree import ElementTree as ET

from pipeline.engraving import mei, svg, unfolding, verovio_engraver, verovio_svg
from pipeline.engraving.looks import Look

DEFAULT_TEMPO = 120.0  # quarters a minute, of a score that names none, as MusicXML programs play
GRACE = Fraction(9, 40)  # of its written length is what a grace note takes, as in LilyPond's MIDI
NO_HEAD = "no printed note has its id"


class Clock:
    """Seconds from quarters, where the score is played as it is printed."""

    def __init__(self, tempi: list[tuple[Fraction, float]]):
        known = [(when, tempo) for when, tempo in tempi if tempo > 0]
        if not known or known[0][0] > 0:
            known.insert(0, (Fraction(0), DEFAULT_TEMPO))
        self.when = [when for when, _ in known]
        self.tempo = [tempo for _, tempo in known]
        self.begin = [0.0]
        for place in range(1, len(known)):
            passed = float(self.when[place] - self.when[place - 1])
            self.begin.append(self.begin[-1] + passed * 60 / self.tempo[place - 1])

    def seconds(self, quarter: Fraction) -> float:
        """When a quarter of the printed score is reached."""
        place = max(bisect_right(self.when, quarter) - 1, 0)
        return self.begin[place] + float(quarter - self.when[place]) * 60 / self.tempo[place]


def bars_of(score: mei.Score, source: str, kind: str) -> list[unfolding.Bar]:
    """The score's bars with what they say about repeats: of MusicXML as the source has it."""
    if kind == ".musicxml":
        bars = unfolding.of_musicxml(ET.fromstring(source))
        if len(bars) != len(score.bars):
            raise ValueError(f"{len(bars)} bars in the source, {len(score.bars)} in print")
        return bars
    return score.bars


def _order(score: mei.Score, bars: list[unfolding.Bar], source: str, kind: str, repeats: str):
    if repeats == "once":
        return list(range(len(bars)))
    if kind == ".mei" and "expansion" in source and score.order:
        return score.order
    return unfolding.play_order(bars)


def _sounding(score: mei.Score, times: verovio_engraver.Times, order: list[int]) -> list[dict]:
    """Notes in the order in which they are played: onset and end in quarters and seconds."""
    starts = [times.bars[bar.name] for bar in score.bars]
    ends = [*starts[1:], max(times.last, starts[-1])] if starts else []
    clock = Clock(times.tempi)
    in_bar: dict[int, list[mei.Note]] = {}
    for note in score.notes:
        if note.left_out is None:
            in_bar.setdefault(note.bar, []).append(note)
    played: list[dict] = []
    last_of: dict[str, dict] = {}  # the latest row of a note, by its id
    holding: dict[tuple[int, int, Fraction], dict] = {}  # by staff, pitch and end
    now, now_s = Fraction(0), 0.0
    for bar in order:
        start, start_s = starts[bar], clock.seconds(starts[bar])
        for note in in_bar.get(bar, ()):
            if note.grace is not None:
                main = times.begin.get(note.main, None) if note.main else ends[bar]
                if main is None:
                    continue
                begin = main - GRACE * note.grace
                end = begin + GRACE * note.length
            elif note.name in times.begin:
                begin = times.begin[note.name]
                end = times.end.get(note.name, begin)
            else:
                continue
            onset = now + begin - start
            onset_s = now_s + clock.seconds(begin) - start_s
            pitch = note.pitch + note.transposed
            last = now + end - start
            last_s = now_s + clock.seconds(end) - start_s
            before = last_of.get(score.ties.get(note.name, ""))
            if before is None and note.name in score.loose:
                before = holding.get((note.staff, pitch, onset))
            if before is not None and before["end"] == onset and before["pitch"] == pitch:
                before["end"], before["end_s"] = last, last_s
                row = before
            else:
                onset, onset_s = max(onset, Fraction(0)), max(onset_s, 0.0)
                row = {
                    "onset": onset, "onset_s": onset_s, "end": last, "end_s": last_s,
                    "pitch": pitch, "note": note.name, "bar": bar, "program": note.program,
                    "grace": note.grace is not None,
                }  # fmt: skip
                played.append(row)
            last_of[note.name] = row
            holding[(note.staff, pitch, last)] = row
        now += ends[bar] - start
        now_s += clock.seconds(ends[bar]) - start_s
    return played


def rows(
    piece_id: str, text: str, kind: str, repeats: str, look: Look
) -> dict[str, list[dict] | int]:
    """Rows of IMAGES, SYSTEMS, NOTEHEADS and NOTES of a score, and counts for ENGRAVED.

    Raises:
        ValueError: the piece cannot serve; the message is the reason.
    """
    made = verovio_engraver.engrave(text, kind, look)
    score = mei.read(made.mei)
    bars = bars_of(score, text, kind)
    order = _order(score, bars, text, kind, repeats)
    found: dict = {"images": [], "systems": []}
    boxes: list[verovio_svg.Box] = []
    row_of: dict[int, dict[int, int]] = {}  # index of a staff in its system, by number in the score
    for page, drawn in enumerate(made.pages):
        systems, own = verovio_svg.read(
            drawn, page, len(found["systems"]), score.staves, look.music_font, look.page_width_px
        )
        pixels = verovio_svg.draw(drawn, look.page_width_px, look.music_font)
        found["images"].append(
            {
                "piece_id": piece_id, "image": page, "png": svg.png(pixels),
                "width": pixels.shape[1], "height": pixels.shape[0],
            }
        )  # fmt: skip
        for system in systems:
            number = len(found["systems"])
            staves = sorted(system.staves.items(), key=lambda pair: pair[1].top)
            row_of[number] = {staff: row for row, (staff, _) in enumerate(staves)}
            found["systems"].append(
                {
                    "piece_id": piece_id, "system": number, "image": page,
                    "left": min((s.left for _, s in staves), default=0.0),
                    "right": max((s.right for _, s in staves), default=0.0),
                    "top": [s.top for _, s in staves], "bottom": [s.bottom for _, s in staves],
                }
            )  # fmt: skip
        boxes += own
    notes = {note.name: note for note in score.notes}
    heads = [box for box in boxes if box.note in notes and notes[box.note].left_out is None]
    if not heads:
        raise ValueError("no notes are printed")
    found["noteheads"], number_of = _noteheads(piece_id, score, made.times, heads, row_of)
    found["notes"] = _notes(piece_id, _sounding(score, made.times, order), number_of)
    if not found["notes"]:
        raise ValueError("no notes sound")
    linked = [note for note in found["notes"] if note["notehead_id"] is not None]
    left_out = Counter(note.left_out for note in score.notes)
    return found | {
        "linked": len(linked),
        "onsets": len({note["onset"] for note in found["notes"]}),
        "linked_onsets": len({note["onset"] for note in linked}),
        "unpitched": left_out[mei.UNPITCHED],
        "cues": left_out[mei.SILENT],
        "chord_symbols": score.chord_symbols,
    }


def _noteheads(piece_id, score: mei.Score, times, heads: list[verovio_svg.Box], row_of):
    """Rows of NOTEHEADS in order of moment, and their numbers by id of the note."""
    place = {note.name: number for number, note in enumerate(score.notes)}
    found = []
    for box in heads:
        note = score.notes[place[box.note]]
        start = times.bars[score.bars[note.bar].name]
        moment = times.begin.get(note.main or "" if note.grace is not None else note.name, start)
        rows = row_of[box.system]
        found.append(
            {
                "piece_id": piece_id, "image": box.page, "system": box.system,
                "staff": rows.get(note.shown_on, rows.get(note.staff, 0)),
                "x": box.x, "y": box.y, "width": box.width, "height": box.height,
                "pitch": note.pitch, "moment": float(moment), "grace": note.grace is not None,
                "tied": note.name in score.ties, "source_id": note.name,
            }
        )  # fmt: skip
    found.sort(
        key=lambda row: (row["moment"], not row["grace"], row["pitch"], place[row["source_id"]])
    )
    number_of: dict[str, int] = {}
    for number, row in enumerate(found):
        row["notehead_id"] = number
        number_of.setdefault(row["source_id"], number)
    return found, number_of


def _notes(piece_id: str, played: list[dict], number_of: dict[str, int]) -> list[dict]:
    played = sorted(played, key=lambda row: (row["onset"], row["pitch"]))
    passes: Counter[str] = Counter()
    found = []
    for number, row in enumerate(played):
        passes[row["note"]] += 1
        head = number_of.get(row["note"])
        found.append(
            {
                "piece_id": piece_id, "note_id": number,
                "onset": float(row["onset"]), "onset_s": row["onset_s"],
                "duration": float(row["end"] - row["onset"]),
                "duration_s": row["end_s"] - row["onset_s"],
                "pitch": row["pitch"], "pass": passes[row["note"]], "program": row["program"],
                "notehead_id": head, "reason": None if head is not None else NO_HEAD,
            }
        )  # fmt: skip
    return found
