"""Engrave a batch: one LilyPond compile a piece gives staff images, noteheads and sounding notes.

Print and sound are linked by the place in the source that both come from; no alignment is
estimated. What sounds is checked against the melody that was selected and against LilyPond's own
MIDI file, and each head against the note it stands for.
"""

import re
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import mido
from tqdm import tqdm

from pipeline import constants, lilypond, svg, tables

DEFAULT_TEMPO = 60.0  # quarters a minute, LilyPond's own where a score names none


@dataclass
class Note:
    """A note as it is played: quarters of the played-out score, ties joined."""

    onset: Fraction
    duration: Fraction
    pitch: int
    where: str  # of its first head
    held: list[str]  # places of the heads that prolong it


def read_log(text: str) -> tuple[list[Note], list[tuple[Fraction, float]]]:
    """Notes and tempi (quarter, quarters a minute) of a log that engrave.ily wrote.

    A note that begins where a tied note of its pitch ends prolongs that note.
    """
    notes: list[Note] = []
    tempi: list[tuple[Fraction, float]] = []
    events = [line.split("\t") for line in text.splitlines()]
    tied = {4 * Fraction(event[1]) for event in events if event[0] == "tie"}
    holding: dict[tuple[Fraction, int], Note] = {}  # by end and pitch
    for kind, moment, grace, *fields in events:
        now = 4 * Fraction(moment)
        if kind == "tempo":
            tempi.append((now, float(Fraction(fields[0]))))
        elif kind == "note":
            if grace != "0":
                raise ValueError("a grace note")
            length, pitch, where = 4 * Fraction(fields[0]), int(fields[1]), fields[2]
            note = holding.pop((now, pitch), None)
            if note:
                note.duration += length
                note.held.append(where)
            else:
                note = Note(now, length, pitch, where, [])
                notes.append(note)
            if now in tied:
                holding[(now + length, pitch)] = note
    return notes, tempi


def seconds(quarter: Fraction, tempi: list[tuple[Fraction, float]]) -> float:
    """When a quarter of the played-out score is reached, at rho = 1."""
    total, start, tempo = 0.0, Fraction(0), DEFAULT_TEMPO
    for change, following in tempi:
        if change >= quarter:
            break
        total += float(change - start) * 60 / tempo
        start, tempo = change, following
    return total + float(quarter - start) * 60 / tempo


def _midi_onsets(path: Path) -> list[tuple[Fraction, int]]:
    """(onset in quarters, pitch) of every note that LilyPond's own MIDI file begins."""
    file = mido.MidiFile(path)
    onsets = []
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity > 0:
                onsets.append((Fraction(now, file.ticks_per_beat), message.note))
    return sorted(onsets)


def _check(notes: list[Note], melody: list[dict], page: svg.Page, midi: Path) -> None:
    """Raise ValueError where what is printed, what sounds and what was asked for differ."""
    played = [(float(note.onset), float(note.duration), note.pitch) for note in notes]
    asked = [(note["onset"], note["duration"], note["pitch"]) for note in melody]
    for number, (ours, theirs) in enumerate(zip(played, asked, strict=False)):
        if ours != theirs:
            raise ValueError(f"note {number} sounds as {ours} but was selected as {theirs}")
    if len(played) != len(asked):
        raise ValueError(f"{len(played)} notes sound, {len(asked)} were selected")
    if sorted((note.onset, note.pitch) for note in notes) != _midi_onsets(midi):
        raise ValueError("the notes that were logged are not those of LilyPond's MIDI file")
    heads = {head.where: head.pitch for head in page.heads}
    if len(heads) != len(page.heads):
        twice = Counter(head.where for head in page.heads).most_common(1)[0][0]
        raise ValueError(f"two heads come from one place in the source ({twice})")
    for note in notes:
        for where in (note.where, *note.held):
            if heads.get(where) != note.pitch:
                raise ValueError(f"no head of pitch {note.pitch} for the note at {where}")
    if silent := heads.keys() - {w for note in notes for w in (note.where, *note.held)}:
        raise ValueError(f"{len(silent)} printed notes never sound")


def _tables(piece_id: str, text: str, log: str, melody: list[dict], midi: Path) -> dict:
    """Rows of the tables images, systems, noteheads and notes for one compiled piece."""
    page = svg.read(text)
    notes, tempi = read_log(log)
    _check(notes, melody, page, midi)

    scale = page.mm * constants.STAFF_PX_PER_MM  # pixels a staff space
    staff_of = {staff.system: number for number, staff in enumerate(page.staves)}
    left = (constants.A4_WIDTH_MM - constants.LINE_WIDTH_MM) / 2 / page.mm
    corner = {  # of each image, in staff spaces: the margin's width to the left of the music
        staff.system: (
            left - constants.STAFF_MARGIN_PX / scale,
            (staff.top + staff.bottom) / 2 - constants.STAFF_HEIGHT_PX / 2 / scale,
        )
        for staff in page.staves
    }
    images, systems = [], []
    for staff in page.staves:
        x, y = corner[staff.system]
        pixels = svg.draw(text, x, y, scale, constants.STAFF_WIDTH_PX, constants.STAFF_HEIGHT_PX)
        number = staff_of[staff.system]
        images.append(
            {
                "piece_id": piece_id,
                "image": number,
                "png": svg.png(pixels),
                "width": pixels.shape[1],
                "height": pixels.shape[0],
            }
        )
        systems.append(
            {
                "piece_id": piece_id,
                "system": number,
                "image": number,
                "left": (staff.left - x) * scale,
                "right": (staff.right - x) * scale,
                "top": [(staff.top - y) * scale],
                "bottom": [(staff.bottom - y) * scale],
            }
        )

    held = {where for note in notes for where in note.held}
    heads = sorted(page.heads, key=lambda head: (head.moment, head.pitch))
    head_rows = []
    for number, head in enumerate(heads):
        x, y = corner[head.system]
        head_rows.append(
            {
                "piece_id": piece_id,
                "head_id": number,
                "image": staff_of[head.system],
                "system": staff_of[head.system],
                "staff": 0,
                "x": (head.x - x) * scale,
                "y": (head.y - y) * scale,
                "width": head.width * scale,
                "height": head.height * scale,
                "pitch": head.pitch,
                "moment": float(head.moment),
                "grace": head.grace,
                "tied": head.where in held,
            }
        )
    number_of = {head.where: number for number, head in enumerate(heads)}
    note_rows = []
    for number, note in enumerate(notes):
        head = head_rows[number_of[note.where]]
        inside = (
            0 <= head["y"] < constants.STAFF_HEIGHT_PX and 0 <= head["x"] < constants.STAFF_WIDTH_PX
        )
        onset_s = seconds(note.onset, tempi)
        note_rows.append(
            {
                "piece_id": piece_id,
                "note_id": number,
                "onset": float(note.onset),
                "onset_s": onset_s,
                "duration": float(note.duration),
                "duration_s": seconds(note.onset + note.duration, tempi) - onset_s,
                "pitch": note.pitch,
                "head_id": head["head_id"] if inside else None,
                "reason": None if inside else "its head stands outside the staff image",
            }
        )
    return {"images": images, "systems": systems, "noteheads": head_rows, "notes": note_rows}


def engrave(
    pieces: Path, images: Path, systems: Path, noteheads: Path, notes: Path, engraved: Path
) -> None:
    """Engrave the kept pieces of one batch.

    Reads a table of pieces; writes the tables of images, systems, noteheads and notes, and one that
    says of every piece how much was engraved or why nothing was.
    """
    table = tables.read(pieces, tables.PIECES, ["piece_id", "reason", "score", "melody"])
    kept = [row for row in table.to_pylist() if row["reason"] is None]
    found: dict[str, list[dict]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="engrave-") as name:
        folder = Path(name)
        names = {row["piece_id"]: f"p{number}" for number, row in enumerate(kept)}
        bar = tqdm(total=len(kept), desc=f"engrave {pieces.stem}", disable=None)
        for start in range(0, len(kept), lilypond.SCORES_A_RUN):
            group = kept[start : start + lilypond.SCORES_A_RUN]
            failures = lilypond.compile_all(
                {names[row["piece_id"]]: row["score"][0]["text"] for row in group}, folder
            )
            for row in group:
                name = names[row["piece_id"]]
                outcome = {"piece_id": row["piece_id"], "reason": failures.get(name)}
                if not outcome["reason"]:
                    try:
                        rows = _tables(
                            row["piece_id"],
                            (folder / f"{name}.svg").read_text(),
                            (folder / f"{name}.log").read_text(),
                            row["melody"],
                            folder / f"{name}.midi",
                        )
                    except ValueError as error:
                        outcome["reason"] = re.sub(r"\s+", " ", str(error))
                    else:
                        outcome |= {kind: len(of_kind) for kind, of_kind in rows.items()}
                        for kind, of_kind in rows.items():
                            found[kind] += of_kind
                found["engraved"].append(outcome)
                bar.update()
    tables.write(found["images"], tables.IMAGES, images)
    tables.write(found["systems"], tables.SYSTEMS, systems)
    tables.write(found["noteheads"], tables.NOTEHEADS, noteheads, row_group=4096)
    tables.write(found["notes"], tables.NOTES, notes, row_group=4096)
    tables.write(found["engraved"], tables.ENGRAVED, engraved)
