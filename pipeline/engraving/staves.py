"""Turn an engraved tune into tables: one image a staff, its noteheads, and the notes that sound
(A 2.1, 3.1).

What sounds is checked against the melody that was selected and against LilyPond's own MIDI file,
and each notehead against the note that it stands for.
"""

from collections import Counter
from pathlib import Path

from pipeline import constants
from pipeline.engraving import midi_output, note_log, svg

OUTSIDE = "its notehead stands outside the staff image"


def _check(sound: note_log.SoundLog, melody: list[dict], page: svg.Page, midi: Path) -> None:
    """Check that what is printed, what sounds and the selected melody are the same notes.

    Raises ValueError that names the first difference.
    """
    played = [(float(note.onset), float(note.duration), note.pitch) for note in sound.notes]
    selected = [(note["onset"], note["duration"], note["pitch"]) for note in melody]
    for number, (actual, expected) in enumerate(zip(played, selected, strict=False)):
        if actual != expected:
            raise ValueError(f"note {number} sounds as {actual} but was selected as {expected}")
    if len(played) != len(selected):
        raise ValueError(f"{len(played)} notes sound, {len(selected)} were selected")
    compared = midi_output.compare(sound, [midi_output.read(midi.read_bytes())])
    if compared.differing:
        raise ValueError(
            f"other notes than in LilyPond's MIDI file: {compared.differing} of {len(played)} "
            f"differ, the first {compared.first}"
        )
    pitches = {notehead.location: notehead.pitch for notehead in page.heads}
    if len(pitches) != len(page.heads):
        twice = Counter(notehead.location for notehead in page.heads).most_common(1)[0][0]
        raise ValueError(f"two noteheads come from one location in the source ({twice})")
    sounding = set()
    for note in sound.notes:
        for location in (note.location, *note.held):
            sounding.add(location)
            if pitches.get(location) != note.pitch:
                raise ValueError(f"no notehead of pitch {note.pitch} for the note at {location}")
    if silent := pitches.keys() - sounding:
        raise ValueError(f"{len(silent)} printed notes never sound")


def rows(piece_id: str, folder: Path, name: str, melody: list[dict]) -> dict[str, list[dict]]:
    """Read a compiled tune.

    Args:
        piece_id: The piece.
        folder: Where it was compiled.
        name: Name of its files, without the ending.
        melody: The notes that must sound: onset, duration (quarter notes), pitch.

    Returns:
        Rows of IMAGES, SYSTEMS, NOTEHEADS and NOTES by table, and numbers and warnings of ENGRAVED.

    Raises:
        ValueError: Print, sound and melody differ; the message says in what.
    """
    text = (folder / f"{name}.svg").read_text()
    page = svg.read(text)
    sound = note_log.read_log((folder / f"{name}.log").read_text())
    notes = sound.notes
    _check(sound, melody, page, folder / f"{name}.midi")

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

    held = {location for note in notes for location in note.held}
    noteheads = sorted(page.heads, key=lambda notehead: (notehead.moment, notehead.pitch))
    notehead_rows = []
    for number, notehead in enumerate(noteheads):
        x, y = corner[notehead.system]
        notehead_rows.append(
            {
                "piece_id": piece_id,
                "notehead_id": number,
                "image": staff_of[notehead.system],
                "system": staff_of[notehead.system],
                "staff": 0,
                "x": (notehead.x - x) * scale,
                "y": (notehead.y - y) * scale,
                "width": notehead.width * scale,
                "height": notehead.height * scale,
                "pitch": notehead.pitch,
                "moment": float(notehead.moment),
                "bar": None if notehead.bar is None else str(notehead.bar),
                "beat": None if notehead.beat is None else float(notehead.beat),
                "grace": False,
                "tied": notehead.location in held,
            }
        )
    number_of = {notehead.location: number for number, notehead in enumerate(noteheads)}
    onsets = note_log.seconds([note.onset for note in notes], sound.tempi)
    ends = note_log.seconds([note.onset + note.duration for note in notes], sound.tempi)
    note_rows = []
    for number, note in enumerate(notes):
        notehead = notehead_rows[number_of[note.location]]
        inside = (
            0 <= notehead["y"] < constants.STAFF_HEIGHT_PX
            and 0 <= notehead["x"] < constants.STAFF_WIDTH_PX
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
                "notehead_id": notehead["notehead_id"] if inside else None,
                "reason": None if inside else OUTSIDE,
            }
        )
    return {
        "images": images,
        "systems": systems,
        "noteheads": notehead_rows,
        "notes": note_rows,
        "linked": sum(note["notehead_id"] is not None for note in note_rows),
        "onsets": len(notes),
        "linked_onsets": sum(note["notehead_id"] is not None for note in note_rows),
        "midi_notes": len(notes),
        "midi_frames": None,
        "off_midi": 0,
        "off_height": 0,
        "off_ink": 0,
        "off_accidental": 0,
        "chord_notes": 0,
        "drum_strokes": 0,
        "warnings": [],
    }
