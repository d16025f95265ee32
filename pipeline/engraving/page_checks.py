"""Check that what is printed and what sounds fit together well enough to learn from."""

from bisect import bisect_right
from collections import Counter, defaultdict

import numpy as np

from pipeline.engraving import accidentals, svg

LEAST_LINKED = 0.99  # of a piece's sounding onsets; with fewer it is left out
MOST_OFF = 0.01  # of a piece's noteheads or notes may fail a check; with more it is left out
STEP = 0.5  # staff spaces
STEP_TOLERANCE = 0.3  # steps; noteheads are placed exactly, the SVG rounds to four decimals
STEPS_OF_CLEF = {"clefs.G": 4, "clefs.C": 0, "clefs.F": -4}  # of the line that it stands on
NOTE_NAMES = (("c", "do", "ut"), ("d", "re", "ré"), ("e", "mi"), ("f", "fa"), ("g", "sol"),
              ("a", "la"), ("b", "h", "si"))  # fmt: skip
LEAST_INK = 0.25  # mean blackness of a notehead's box; staff lines alone give 0.15


def _is_named(notehead: svg.Notehead, source: dict[str, list[str]]) -> bool:
    """Whether the source names the note at the location that the notehead comes from."""
    text = accidentals.text_at(notehead.location, source)
    return text.lower().startswith(NOTE_NAMES[notehead.steps % 7])


def off_height(page: svg.Page, source: dict[str, list[str]]) -> int:
    """Count the noteheads whose vertical position does not match their pitch.

    The clef to their left says where a pitch belongs, in any octave: an ottava bracket or an octave
    clef moves noteheads by octaves. A notehead whose note the source names so is accepted.
    """
    staff_of = {staff.number: staff for staff in page.staves}
    clefs: dict[tuple[float, float], list[svg.Clef]] = defaultdict(list)
    for clef in sorted(page.clefs, key=lambda clef: clef.x):
        if (staff := staff_of.get(clef.staff)) and clef.glyph in STEPS_OF_CLEF:
            clefs[(staff.system, staff.top)].append(clef)
    off = 0
    for notehead in page.heads:
        staff = staff_of.get(notehead.staff)
        of_staff = clefs.get((staff.system, staff.top)) if staff else None
        if not of_staff:
            continue
        clef = of_staff[max(bisect_right([clef.x for clef in of_staff], notehead.x) - 1, 0)]
        expected = notehead.steps - STEPS_OF_CLEF[clef.glyph]
        step = (clef.y - notehead.y) / STEP - expected
        if abs((step + 3.5) % 7 - 3.5) > STEP_TOLERANCE:
            off += not _is_named(notehead, source)
    return off


def off_ink(pixels: np.ndarray, noteheads: list[dict]) -> int:
    """Count the noteheads (rows of NOTEHEADS) without a notehead's ink in their box.

    Args:
        pixels: The page, uint8 (height, width), white 255.
        noteheads: Those of the page; centre and size in pixels.
    """
    black = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1))
    black[1:, 1:] = (1 - pixels / 255).cumsum(axis=0).cumsum(axis=1)
    box = np.array([[n["x"], n["y"], n["width"], n["height"]] for n in noteheads]).reshape(-1, 4)
    low = np.floor(box[:, :2] - box[:, 2:] / 2).astype(int)
    high = np.ceil(box[:, :2] + box[:, 2:] / 2).astype(int)
    limit = np.array(pixels.shape[::-1])
    (x0, y0), (x1, y1) = np.clip(low, 0, limit).T, np.clip(high, 0, limit).T
    ink = black[y1, x1] - black[y0, x1] - black[y1, x0] + black[y0, x0]
    return int((ink < LEAST_INK * box[:, 2] * box[:, 3]).sum())


def check(counts: dict[str, int], notes: list[dict], noteheads: int, midi: str | None) -> None:
    """Check a piece as a whole.

    Args:
        counts: Numbers of ENGRAVED.
        notes: Rows of NOTES.
        noteheads: How many are printed.
        midi: Where LilyPond's MIDI first differs from the notes; None if nowhere.

    Raises:
        ValueError: Print and sound do not fit together; the message says in what.
    """
    if counts["linked_onsets"] < LEAST_LINKED * counts["onsets"]:
        why, number = Counter(note["reason"] for note in notes if note["reason"]).most_common(1)[0]
        missing = 100 - 100 * counts["linked_onsets"] / counts["onsets"]
        raise ValueError(f"onsets without a notehead: {missing:.1f} %, {why} ({number} notes)")
    for kind, what in (
        ("off_height", "noteheads whose vertical position does not match their pitch"),
        ("off_ink", "noteheads without ink on the page"),
        ("off_accidental", "noteheads whose pitch follows from neither accidental nor key"),
    ):
        if counts[kind] > MOST_OFF * noteheads:
            raise ValueError(f"{what}: {counts[kind]} of {noteheads}")
    if counts["off_midi"] > MOST_OFF * len(notes):
        raise ValueError(
            f"other notes than in LilyPond's MIDI file: {counts['off_midi']} of {len(notes)} "
            f"differ, the first {midi}"
        )
