"""Turn a compiled piece into tables: page images, systems, noteheads and sounding notes.

Coordinates are in pixels of a page that is PAGE_WIDTH_PX wide. What is printed and what sounds is
checked for every piece: against the drawn ink, clefs, accidentals and keys, and LilyPond's own MIDI
files.
"""

import re
from pathlib import Path

from pipeline.constants import PAGE_WIDTH_PX
from pipeline.engraving import (
    accidentals,
    compilation,
    link,
    midi_output,
    note_log,
    page_checks,
    svg,
    systems,
)


def files(folder: Path, stem: str) -> list[Path]:
    """The SVG files of a score in the order of books and pages, as engrave.ily names them."""
    name = re.compile(re.escape(stem) + r"(?:-b([0-9]+))?(?:-([0-9]+))?\.svg")
    numbered = [
        (int(match[1] or 0), int(match[2] or 0), path)
        for path in folder.glob("*.svg")
        if (match := name.fullmatch(path.name)) and path.is_file()
    ]
    return [path for *_, path in sorted(numbered)]


def _image_row(piece_id: str, number: int, text: str, page: svg.Page, scale: float) -> dict:
    """A row of IMAGES, with the drawn page under `pixels`."""
    pixels = svg.draw(text, 0, 0, scale, PAGE_WIDTH_PX, round(page.height * scale))
    return {
        "piece_id": piece_id,
        "image": number,
        "png": svg.png(pixels),
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "pixels": pixels,
    }


def rows(piece_id: str, folder: Path, score: list[dict]) -> dict[str, list[dict] | int]:
    """Read a compiled piece.

    Args:
        piece_id: The piece.
        folder: Where it was compiled.
        score: Its files ({name, text}), the compiled one first.

    Returns:
        Rows of IMAGES, SYSTEMS, NOTEHEADS and NOTES by table, and numbers and warnings of ENGRAVED.

    Raises:
        ValueError: The piece is left out; the message says why.
    """
    score = compilation.as_compiled(score)
    stem = Path(score[0]["name"]).stem
    source = {file["name"]: file["text"].split("\n") for file in score}  # as LilyPond counts them
    sound = note_log.read_log((folder / f"{stem}.log").read_text())
    found: dict[str, list[dict]] = {"images": [], "systems": []}
    printed: list[tuple[dict, svg.Notehead]] = []
    pages: list[svg.Page] = []
    staff_of: dict[int, tuple[int, int]] = {}
    off_height = off_ink = 0
    for number, path in enumerate(files(folder, stem)):
        text = path.read_text()
        page = svg.read(text)
        pages.append(page)
        scale = PAGE_WIDTH_PX / page.width
        system_rows, of_page = systems.rows(piece_id, number, page, scale, len(found["systems"]))
        found["systems"] += system_rows
        staff_of |= of_page
        image = _image_row(piece_id, number, text, page, scale)
        on_page = [
            (_notehead_row(piece_id, number, *of_page[head.staff], head, scale), head)
            for head in page.heads
            if head.staff in of_page
        ]
        printed += on_page
        off_height += page_checks.off_height(page, source)
        off_ink += page_checks.off_ink(image.pop("pixels"), [row for row, _ in on_page])
        found["images"].append(image)
    if not printed:
        raise ValueError("no notes are printed" + (", only drums" if sound.drums else ""))
    if not sound.notes:
        raise ValueError("no notes sound" + (", only drums" if sound.drums else ""))
    printed.sort(key=lambda pair: (pair[0]["system"], pair[1].moment, pair[1].grace, pair[1].pitch))
    found["noteheads"], noteheads = (list(part) for part in zip(*printed, strict=True))
    repeats = link.repeats_of(bar for page in pages for bar in page.bars)
    found["notes"] = _note_rows(piece_id, sound, noteheads, found["noteheads"], repeats)
    linked = [note for note in found["notes"] if note["notehead_id"] is not None]
    midi = midi_output.compare(sound, midi_output.read_all(folder, stem, len(sound.starts)))
    counts = {
        "linked": len(linked),
        "onsets": len({note["onset"] for note in found["notes"]}),
        "linked_onsets": len({note["onset"] for note in linked}),
        "midi_notes": midi.strokes,
        "midi_frames": midi.frames,
        "off_midi": midi.differing,
        "off_height": off_height,
        "off_ink": off_ink,
        "off_accidental": list(accidentals.explain(pages, staff_of, source).values()).count(None),
        "chord_notes": len(sound.chords),
        "drum_strokes": sound.drums,
    }
    page_checks.check(counts, found["notes"], len(noteheads), midi.first)
    return found | counts | {"warnings": sound.warnings}


def _notehead_row(
    piece_id: str, image: int, system: int, staff: int, notehead: svg.Notehead, scale: float
) -> dict:
    """A row of NOTEHEADS, not yet numbered."""
    return {
        "piece_id": piece_id,
        "image": image,
        "system": system,
        "staff": staff,
        "x": notehead.x * scale,
        "y": notehead.y * scale,
        "width": notehead.width * scale,
        "height": notehead.height * scale,
        "pitch": notehead.pitch,
        "moment": float(notehead.moment),
        "bar": None if notehead.bar is None else str(notehead.bar),
        "beat": None if notehead.beat is None else float(notehead.beat),
        "grace": notehead.grace != 0,
        "tied": False,
    }


def _note_rows(
    piece_id: str,
    sound: note_log.SoundLog,
    noteheads: list[svg.Notehead],
    rows_: list[dict],
    repeats: link.Repeats,
) -> list[dict]:
    """Rows of NOTES; numbers the rows of the noteheads, and marks those that prolong a note."""
    link.settle_written(sound.notes, noteheads)
    linked, reasons = link.link(sound.notes, noteheads, repeats)
    held = {(location, note.written) for note in sound.notes for location in note.held}
    begun = set(linked)  # music printed twice from one location may be held at one place only
    for number, (row, notehead) in enumerate(zip(rows_, noteheads, strict=True)):
        row["notehead_id"] = number
        row["tied"] = (notehead.location, notehead.pitch) in held and number not in begun
    onsets = note_log.seconds([note.onset for note in sound.notes], sound.tempi)
    ends = note_log.seconds([note.onset + note.duration for note in sound.notes], sound.tempi)
    return [
        {
            "piece_id": piece_id,
            "note_id": number,
            "onset": float(note.onset),
            "onset_s": onset,
            "duration": float(note.duration),
            "duration_s": end - onset,
            "pitch": note.pitch,
            "notehead_id": notehead,
            "reason": reason,
        }
        for number, (note, notehead, reason, onset, end) in enumerate(
            zip(sound.notes, linked, reasons, onsets.tolist(), ends.tolist(), strict=True)
        )
    ]
