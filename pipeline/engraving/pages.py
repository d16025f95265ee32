"""Pages of a piece: images, the boxes of systems and staves, and the heads that stand on them.

Coordinates are in pixels of a page that is PAGE_WIDTH_PX wide. What is printed and what sounds is
checked for every piece: against the drawn ink, clefs, accidentals and keys, and LilyPond's own MIDI
files.
"""

import math
import re
import warnings
from bisect import bisect_right
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pretty_midi

from pipeline.constants import PAGE_WIDTH_PX, RETRIEVAL
from pipeline.engraving import accidentals, compilation, link, note_log, svg

LEAST_LINKED = 0.99  # of a piece's sounding onsets; with fewer it is left out
MOST_OFF = 0.01  # of a piece's heads may fail a check; with more it is left out
STEP = 0.5  # staff spaces
STEP_TOLERANCE = 0.3  # steps; heads are placed exactly, the SVG rounds to four decimals
STEPS_OF_CLEF = {"clefs.G": 4, "clefs.C": 0, "clefs.F": -4}  # of the line that it stands on
NOTE_NAMES = (("c", "do", "ut"), ("d", "re", "ré"), ("e", "mi"), ("f", "fa"), ("g", "sol"),
              ("a", "la"), ("b", "h", "si"))  # fmt: skip
LEAST_INK = 0.25  # mean blackness of a head's box; staff lines alone give 0.15
SAME_STAFF = 1.0  # staff spaces between the tops of what counts as one staff, lines interrupted


def files(folder: Path, stem: str) -> list[Path]:
    """The SVG files of a score in the order in which LilyPond numbers them."""
    tail = re.compile(re.escape(stem) + r"((?:-\d+)*)\.svg")
    numbered = [
        ([int(number) for number in match[1].split("-")[1:]], path)
        for path in folder.glob("*.svg")
        if (match := tail.fullmatch(path.name))
    ]
    return [path for _, path in sorted(numbered)]


def _systems(page: svg.Page) -> list[dict[int, list[svg.Staff]]]:
    """Systems from the top of a page, each a dict from a staff's index to its staff lines."""
    by_system: dict[int, list[svg.Staff]] = defaultdict(list)
    for staff in page.staves:  # sorted by top
        by_system[staff.system].append(staff)
    found = []
    for staves in sorted(by_system.values(), key=lambda staves: staves[0].top):
        system: dict[int, list[svg.Staff]] = {0: [staves[0]]}
        for staff in staves[1:]:
            last = max(system)
            same = staff.top - system[last][0].top < SAME_STAFF
            system.setdefault(last if same else last + 1, []).append(staff)
        found.append(system)
    return found


def _named(head: svg.Head, source: dict[str, list[str]]) -> bool:
    """Whether the source has, at the place that the head comes from, the name of its note."""
    text = accidentals.text_at(head.where, source)
    return text.lower().startswith(NOTE_NAMES[head.steps % 7])


def _off_height(
    page: svg.Page, staff_of: dict[int, svg.Staff], source: dict[str, list[str]]
) -> int:
    """How many heads neither stand where their pitch belongs under the clef to their left, nor are
    named so in the source.

    Octaves are left aside: an ottava bracket or an octave clef moves heads by them.
    """
    clefs: dict[tuple[float, float], list[svg.Clef]] = defaultdict(list)
    for clef in sorted(page.clefs, key=lambda clef: clef.x):
        if (staff := staff_of.get(clef.staff)) and clef.glyph in STEPS_OF_CLEF:
            clefs[(staff.system, staff.top)].append(clef)
    off = 0
    for head in page.heads:
        staff = staff_of.get(head.staff)
        own = clefs.get((staff.system, staff.top)) if staff else None
        if not own:
            continue
        clef = own[max(bisect_right([clef.x for clef in own], head.x) - 1, 0)]
        expected = head.steps - STEPS_OF_CLEF[clef.glyph]
        step = (clef.y - head.y) / STEP - expected
        if abs((step + 3.5) % 7 - 3.5) > STEP_TOLERANCE:
            off += not _named(head, source)
    return off


def _off_ink(pixels: np.ndarray, heads: list[dict]) -> int:
    """How many heads have no notehead's ink in their box (px)."""
    black = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1))
    black[1:, 1:] = (1 - pixels / 255).cumsum(axis=0).cumsum(axis=1)
    box = np.array([[h["x"], h["y"], h["width"], h["height"]] for h in heads]).reshape(-1, 4)
    low = np.floor(box[:, :2] - box[:, 2:] / 2).astype(int)
    high = np.ceil(box[:, :2] + box[:, 2:] / 2).astype(int)
    limit = np.array(pixels.shape[::-1])
    (x0, y0), (x1, y1) = np.clip(low, 0, limit).T, np.clip(high, 0, limit).T
    ink = black[y1, x1] - black[y0, x1] - black[y1, x0] + black[y0, x0]
    return int((ink < LEAST_INK * box[:, 2] * box[:, 3]).sum())


def _midi(paths: list[Path]) -> dict[str, int]:
    """Strokes of keys in LilyPond's own MIDI files, one key at one time being one, and the frames
    that they begin in as MSMD counts them: without allowance for rounding."""
    strokes: set[tuple[int, float, int]] = set()
    for number, path in enumerate(paths):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # LilyPond puts tempi into any track
            file = pretty_midi.PrettyMIDI(str(path))
        strokes.update((number, n.start, n.pitch) for i in file.instruments for n in i.notes)
    frames = {(number, math.ceil(start * RETRIEVAL.fps)) for number, start, _ in strokes}
    return {"midi_notes": len(strokes), "midi_frames": len(frames)}


def rows(piece_id: str, folder: Path, score: list[dict]) -> dict[str, list[dict] | int]:
    """Rows of IMAGES, SYSTEMS, NOTEHEADS and NOTES of a compiled piece, and the checks' counts.

    `score` are the piece's files ({name, text}), the first of which was compiled in `folder`.

    Raises ValueError with the reason where the piece cannot serve.
    """
    score = compilation.as_compiled(score)
    stem = Path(score[0]["name"]).stem
    source = {file["name"]: file["text"].splitlines() for file in score}
    paths = files(folder, stem)
    found: dict[str, list[dict]] = {"images": [], "systems": []}
    heads: list[tuple[dict, svg.Head]] = []
    drawn: list[svg.Page] = []
    places: dict[int, tuple[int, int]] = {}
    off_height = off_ink = 0
    for number, path in enumerate(paths):
        text = path.read_text()
        page = svg.read(text)
        scale = PAGE_WIDTH_PX / page.width
        staff_of = {staff.number: staff for staff in page.staves}
        place = _add_page(found, piece_id, number, page, scale)
        places |= place
        drawn.append(page)
        own = [
            (_head(piece_id, number, *place[head.staff], head, scale), head)
            for head in page.heads
            if head.staff in place
        ]
        pixels = svg.draw(text, 0, 0, scale, PAGE_WIDTH_PX, round(page.height * scale))
        found["images"].append(
            {
                "piece_id": piece_id,
                "image": number,
                "png": svg.png(pixels),
                "width": pixels.shape[1],
                "height": pixels.shape[0],
            }
        )
        heads += own
        off_height += _off_height(page, staff_of, source)
        off_ink += _off_ink(pixels, [row for row, _ in own])
    if not heads:
        raise ValueError("no notes are printed")
    sound = note_log.read_log((folder / f"{stem}.log").read_text())
    if not sound.notes:
        raise ValueError("no notes sound")
    heads.sort(key=lambda pair: (pair[0]["system"], pair[1].moment, pair[1].grace, pair[1].pitch))
    found["noteheads"], printed = (list(part) for part in zip(*heads, strict=True))
    found["notes"] = _notes(piece_id, sound, printed, found["noteheads"])
    linked = [note for note in found["notes"] if note["notehead_id"] is not None]
    counts = {
        "linked": len(linked),
        "onsets": len({note["onset"] for note in found["notes"]}),
        "linked_onsets": len({note["onset"] for note in linked}),
        **_midi(sorted(folder.glob(f"{stem}*.midi"))),
        "off_height": off_height,
        "off_ink": off_ink,
        "off_accidental": list(accidentals.explain(drawn, places, source).values()).count(None),
    }
    _check(counts, found)
    return found | counts


def _add_page(found: dict, piece_id: str, number: int, page: svg.Page, scale: float) -> dict:
    """Add the systems of a page; gives (system, staff) by staff lines."""
    place = {}
    for system in _systems(page):
        index = len(found["systems"])
        parts = [part for staff in system.values() for part in staff]
        place |= {part.number: (index, staff) for staff, own in system.items() for part in own}
        found["systems"].append(
            {
                "piece_id": piece_id,
                "system": index,
                "image": number,
                "left": min(part.left for part in parts) * scale,
                "right": max(part.right for part in parts) * scale,
                "top": [min(part.top for part in own) * scale for own in system.values()],
                "bottom": [max(part.bottom for part in own) * scale for own in system.values()],
            }
        )
    return place


def _head(piece_id: str, image: int, system: int, staff: int, head: svg.Head, scale: float) -> dict:
    return {
        "piece_id": piece_id,
        "image": image,
        "system": system,
        "staff": staff,
        "x": head.x * scale,
        "y": head.y * scale,
        "width": head.width * scale,
        "height": head.height * scale,
        "pitch": head.pitch,
        "moment": float(head.moment),
        "grace": head.grace != 0,
        "tied": False,
    }


def _notes(
    piece_id: str, sound: note_log.Played, printed: list[svg.Head], heads: list[dict]
) -> list[dict]:
    """Rows of NOTES; numbers the rows of the heads, and marks those that prolong a note."""
    linked, reasons = link.link(sound.notes, printed)
    held = {(where, note.pitch) for note in sound.notes for where in note.held}
    for number, (row, head) in enumerate(zip(heads, printed, strict=True)):
        row["notehead_id"] = number
        row["tied"] = (head.where, head.pitch) in held
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
            "notehead_id": head,
            "reason": reason,
        }
        for number, (note, head, reason, onset, end) in enumerate(
            zip(sound.notes, linked, reasons, onsets.tolist(), ends.tolist(), strict=True)
        )
    ]


def _check(counts: dict[str, int], found: dict[str, list[dict]]) -> None:
    """Raise ValueError where print and sound do not fit together well enough to learn from."""
    notes, heads = found["notes"], found["noteheads"]
    if counts["linked_onsets"] < LEAST_LINKED * counts["onsets"]:
        why, number = Counter(note["reason"] for note in notes if note["reason"]).most_common(1)[0]
        share = 100 - 100 * counts["linked_onsets"] / counts["onsets"]
        raise ValueError(f"onsets without a head: {share:.1f} %, {why} ({number} notes)")
    for kind, what in (("off_height", "heads at another height than their pitch"),
                       ("off_ink", "heads without ink on the page"),
                       ("off_accidental", "heads that neither accidental nor key explains"),
                       ):  # fmt: skip
        if counts[kind] > MOST_OFF * len(heads):
            raise ValueError(f"{what}: {counts[kind]} of {len(heads)}")
    if abs(counts["midi_notes"] - len(notes)) > MOST_OFF * len(notes):
        raise ValueError(
            f"other notes than in LilyPond's MIDI file: {len(notes)}, not {counts['midi_notes']}"
        )
