"""Rows of a piece that Verovio engraved: images, systems, noteheads, and the notes that sound, all
linked by the ids of the score's notes."""

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

from pipeline.engraving import (
    abc_mending,
    mei,
    mei_accidentals,
    mei_tempo,
    page_checks,
    parts,
    playing,
    second_reader,
    source_check,
    svg,
    verovio_engraver,
    verovio_svg,
)
from pipeline.engraving.looks import Look
from pipeline.reading import musicxml_accidentals, musicxml_notes, unfolding
from pipeline.reading.written import UNPITCHED, Score

NO_HEAD = "no printed note has its id"
ADDED = "accidentals that the file leaves out although its pitches need them were printed"


def written(text: str, kind: str, read: ET.Element, times: mei.Times) -> Score:
    """A score of another format than MusicXML as Verovio read it.

    Args:
        text: the score; `kind` is its suffix.
        read: what Verovio made of it, the root of an MEI file; `times` are those of its notes.
    """
    score = mei.read(read, times)
    score.tempi = mei_tempo.read(read, times)
    if not (kind == ".mei" and "<expansion" in text):
        score.order = None
    return score


def _engraved(
    text: str, kind: str, look: Look, wanted: str | list
) -> tuple[Score, ET.Element, ET.Element, list[str], int]:
    """Engrave a score.

    Returns:
        The score as its source has it; its MEI, with all parts and with those that are printed; the
        pages as SVG; and how many accidentals were added to it.
    """
    source = ET.fromstring(text) if kind == ".musicxml" else None  # its own durations count
    added = 0
    if source is not None:
        # Verovio lists all bars that are played: for some damaged scores that takes hours.
        unfolding.play_order(unfolding.of_musicxml(source))
        if added := musicxml_accidentals.complete(source):
            text = ET.tostring(source, encoding="unicode")
    made = verovio_engraver.engrave(text, kind, look) if wanted == parts.ALL else None
    whole = verovio_engraver.load(text, kind) if made is None else made.mei
    read = printed = ET.fromstring(whole)
    times = None
    if source is not None:
        score = musicxml_notes.read(source)
    else:
        times = verovio_engraver.times(whole)
        score = written(text, kind, read, times)
    if made is None:
        made = verovio_engraver.engrave(parts.reduce(whole, wanted, times), ".mei", look)
        printed = ET.fromstring(made.mei)
    return score, read, printed, made.pages, added


def rows(
    piece_id: str, path: Path, repeats: str, look: Look, wanted: str | list, fonts: list[str]
) -> dict[str, list[dict] | int]:
    """Rows of IMAGES, SYSTEMS, NOTEHEADS and NOTES of a score, and counts for ENGRAVED.

    Args:
        piece_id: of the piece.
        path: of the score.
        repeats: `unfold` or `once`.
        look: what the pages look like.
        wanted: `all`, `piano`, or names and numbers of parts.
        fonts: files of the fonts that texts are drawn with.

    Raises:
        ValueError: the piece cannot serve; the message is the reason.
    """
    text, kind = path.read_text(), path.suffix
    reading = None
    if kind == ".abc":  # which Verovio reads without numbered endings
        reading = second_reader.read(path)
        read_text = verovio_engraver.load(text, kind)
        text, kind = abc_mending.mended(read_text, text, reading), ".mei"
    score, read, engraved, drawings, added = _engraved(text, kind, look, wanted)
    if repeats == "unfold" and score.order is None:
        score.order = unfolding.play_order(score.bars)  # before other readers lose themselves in it
    reading = reading or second_reader.read(path)
    if len(reading.bars) <= 1:  # it finds no bars in some tunes
        reading.bars = [float(begin) for begin in score.begins]
    order = source_check.order_of(score, reading, read, repeats)
    played = playing.play(score, order)
    if not played:
        raise ValueError("no notes sound")
    compared = source_check.check(score, played, order, reading)
    playing.begin_at_zero(played)
    printed = mei.pitches(engraved)
    if wanted != parts.ALL:
        score.notes = [note for note in score.notes if note.name in printed]
        played = [note for note in played if note.note in printed]
    numbers = mei.staff_numbers(engraved)
    found, boxes, row_of, pixels = _pages(piece_id, drawings, numbers, look, fonts)
    heads, number_of = _noteheads(piece_id, score, boxes, row_of)
    if not heads:
        raise ValueError("no notes are printed")
    found["noteheads"], found["notes"] = heads, _notes(piece_id, played, number_of)
    left_out = Counter(note.left_out for note in score.notes)
    sounding = {note.name: note.pitch for note in score.notes if note.left_out is None}
    linked = [note for note in found["notes"] if note["notehead_id"] is not None]
    counts = {
        "linked": len(linked),
        "onsets": len({note["onset"] for note in found["notes"]}),
        "linked_onsets": len({note["onset"] for note in linked}),
        "off_source": compared.different,
        "off_height": sum(printed.get(name) != pitch for name, pitch in sounding.items()),
        "off_accidental": mei_accidentals.off(engraved, score),
        "off_ink": sum(
            page_checks.off_ink(image, [head for head in heads if head["image"] == page])
            for page, image in enumerate(pixels)
        ),
        "drum_strokes": left_out[UNPITCHED],
        "chord_symbols": score.chord_symbols,
        "engraving": f"Verovio, {look.music_font}",
        "warnings": [f"{ADDED} ({added})"] if added else [],
    }
    source_check.check_print(counts, found["notes"], len(heads))
    return found | counts


def _pages(
    piece_id: str, drawings: list[str], numbers: dict[str, int], look: Look, fonts: list[str]
) -> tuple:
    """Rows of IMAGES and SYSTEMS; the boxes of noteheads; the place of each staff in its system, by
    number of the system and of the staff in the score; and the pixels of the pages."""
    found: dict = {"images": [], "systems": []}
    boxes: list[verovio_svg.Box] = []
    row_of: dict[int, dict[int, int]] = {}
    pages = []
    for page, drawn in enumerate(drawings):
        systems, on_page = verovio_svg.read(
            drawn, page, len(found["systems"]), numbers, look.music_font, look.page_width_px
        )
        boxes += on_page
        pages.append(verovio_svg.draw(drawn, look.page_width_px, fonts))
        height, width = pages[-1].shape
        image = {"piece_id": piece_id, "image": page, "width": width, "height": height}
        found["images"].append(image | {"png": svg.png(pages[-1])})
        for system in systems:
            number = len(found["systems"])
            row_of[number] = _add_system(found["systems"], piece_id, system)
    return found, boxes, row_of, pages


def _add_system(rows: list[dict], piece_id: str, system: verovio_svg.System) -> dict[int, int]:
    """Add a row of SYSTEMS; gives the place of each staff in it by its number in the score.

    Raises ValueError if no staff of the system has lines.
    """
    if not system.staves:
        raise ValueError("a system without staff lines is printed")
    staves = sorted(system.staves.items(), key=lambda pair: pair[1].top)
    rows.append(
        {
            "piece_id": piece_id,
            "system": len(rows),
            "image": system.page,
            "left": min(staff.left for _, staff in staves),
            "right": max(staff.right for _, staff in staves),
            "top": [staff.top for _, staff in staves],
            "bottom": [staff.bottom for _, staff in staves],
        }
    )
    return {number: place for place, (number, _) in enumerate(staves)}


def _noteheads(
    piece_id: str,
    score: Score,
    boxes: list[verovio_svg.Box],
    row_of: dict[int, dict[int, int]],
) -> tuple[list[dict], dict[str, int]]:
    """Rows of NOTEHEADS in order of moment, and their numbers by id of the note.

    The order follows from the score alone: other looks of a piece have the same numbers.
    """
    place = {note.name: number for number, note in enumerate(score.notes)}
    found: list[dict] = []
    for box in boxes:
        note = score.notes[place[box.note]] if box.note in place else None
        if note is None or note.left_out is not None:
            continue
        if note.staff not in row_of[box.system]:  # a staff without lines
            continue
        found.append(
            {
                "piece_id": piece_id,
                "image": box.page,
                "system": box.system,
                "staff": row_of[box.system][note.staff],
                "x": box.x,
                "y": box.y,
                "width": box.width,
                "height": box.height,
                "pitch": note.pitch,
                "moment": float(note.begin),
                "bar": score.bars[note.bar].number or None,
                "beat": float(note.begin - score.begins[note.bar]),
                "grace": note.grace is not None,
                "tied": note.name in score.ties or note.name in score.loose,
                "source_id": note.name,
            }
        )
    found.sort(
        key=lambda row: (row["moment"], not row["grace"], row["pitch"], place[row["source_id"]])
    )
    number_of: dict[str, int] = {}
    for number, row in enumerate(found):
        row["notehead_id"] = number
        number_of.setdefault(row["source_id"], number)
    return found, number_of


def _notes(piece_id: str, played: list[playing.Played], number_of: dict[str, int]) -> list[dict]:
    """Rows of NOTES."""
    found = []
    for number, note in enumerate(played):
        head = number_of.get(note.note)
        found.append(
            {
                "piece_id": piece_id,
                "note_id": number,
                "onset": float(note.onset),
                "onset_s": note.onset_s,
                "duration": float(note.end - note.onset),
                "duration_s": note.end_s - note.onset_s,
                "pitch": note.pitch,
                "program": note.program,
                "notehead_id": head,
                "reason": None if head is not None else NO_HEAD,
            }
        )
    return found
