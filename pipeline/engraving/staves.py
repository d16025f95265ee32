"""A tune engraved: one image a staff, its heads, and the notes that sound (A 2.1, 3.1).

What sounds is checked against the melody that was selected and against LilyPond's own MIDI file,
and each head against the note it stands for.
"""

from collections import Counter
from fractions import Fraction
from pathlib import Path

import mido

from pipeline import constants
from pipeline.engraving import note_log, svg

OUTSIDE = "its head stands outside the staff image"


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


def _check(notes: list[note_log.Note], melody: list[dict], page: svg.Page, midi: Path) -> None:
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


def rows(piece_id: str, folder: Path, name: str, melody: list[dict]) -> dict[str, list[dict]]:
    """Rows of IMAGES, SYSTEMS, NOTEHEADS and NOTES of a tune that was compiled in `folder`.

    Raises ValueError with the reason where print, sound and melody are not one.
    """
    text = (folder / f"{name}.svg").read_text()
    page = svg.read(text)
    sound = note_log.read_log((folder / f"{name}.log").read_text())
    notes = sound.notes
    _check(notes, melody, page, folder / f"{name}.midi")

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
                "notehead_id": number,
                "image": staff_of[head.system],
                "system": staff_of[head.system],
                "staff": 0,
                "x": (head.x - x) * scale,
                "y": (head.y - y) * scale,
                "width": head.width * scale,
                "height": head.height * scale,
                "pitch": head.pitch,
                "moment": float(head.moment),
                "grace": False,
                "tied": head.where in held,
            }
        )
    number_of = {head.where: number for number, head in enumerate(heads)}
    onsets = note_log.seconds([note.onset for note in notes], sound.tempi)
    ends = note_log.seconds([note.onset + note.duration for note in notes], sound.tempi)
    note_rows = []
    for number, note in enumerate(notes):
        head = head_rows[number_of[note.where]]
        inside = (
            0 <= head["y"] < constants.STAFF_HEIGHT_PX and 0 <= head["x"] < constants.STAFF_WIDTH_PX
        )
        note_rows.append(
            {
                "piece_id": piece_id,
                "note_id": number,
                "onset": float(note.onset),
                "onset_s": float(onsets[number]),
                "duration": float(note.duration),
                "duration_s": float(ends[number] - onsets[number]),
                "pitch": note.pitch,
                "notehead_id": head["notehead_id"] if inside else None,
                "reason": None if inside else OUTSIDE,
            }
        )
    return {
        "images": images,
        "systems": systems,
        "noteheads": head_rows,
        "notes": note_rows,
        "linked": sum(note["notehead_id"] is not None for note in note_rows),
        "onsets": len(notes),
        "linked_onsets": sum(note["notehead_id"] is not None for note in note_rows),
        "midi_notes": len(notes),
        "midi_frames": None,
        "off_height": 0,
        "off_ink": 0,
        "off_accidental": 0,
    }
