"""Check whether the pitch of each notehead follows from what is printed: its accidental, the tie
that leads to it, an earlier accidental of its bar, or the key.

An accidental holds for its own line and octave, to the next bar line. Styles that print by other
rules, and bar lines and keys that a score hides, leave some noteheads to the names in the source.
"""

import posixpath
import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from typing import Literal
from urllib.parse import unquote

from pipeline.engraving import svg

GLYPHS = {
    "accidentals.flatflat": -2,
    "accidentals.flat": -1,
    "accidentals.natural": 0,
    "accidentals.sharp": 1,
    "accidentals.doublesharp": 2,
}
NATURAL = (0, 2, 4, 5, 7, 9, 11)  # semitones above C of the seven steps
MIDDLE_C = 60  # MIDI
_DUTCH = {-2: ["eses"], -1: ["es"], 0: [""], 1: ["is"], 2: ["isis"]}
_NORDIC = {
    -2: ["eses", "essess"],
    -1: ["es", "ess"],
    0: [""],
    1: ["is", "iss"],
    2: ["isis", "ississ"],
}
_ENGLISH = {
    -2: ["ff", "flatflat", "-flatflat"],
    -1: ["f", "flat", "-flat"],
    0: ["", "-natural"],
    1: ["s", "sharp", "-sharp"],
    2: ["ss", "x", "sharpsharp", "-sharpsharp"],
}
_ROMANCE = {-2: ["bb"], -1: ["b"], 0: [""], 1: ["d", "s", "k"], 2: ["dd", "ss", "kk", "x"]}
_ACCENTED = {f"ré{tail}": (1, number) for number, tails in _ROMANCE.items() for tail in tails}
_DOUBLE_B_FLAT = dict.fromkeys(("bb", "bes", "bess"), (6, -2))
LANGUAGES = {  # of note names, by LilyPond's name: the steps from C, what alters them, other names
    "nederlands": ("c d e f g a b", _DUTCH, {}),
    **dict.fromkeys(
        ("deutsch", "norsk", "suomi", "svenska"),
        ("c d e f g a h", _NORDIC, {"b": (6, -1), "asas": (5, -2)} | _DOUBLE_B_FLAT),
    ),
    "english": ("c d e f g a b", _ENGLISH, {}),
    **dict.fromkeys(
        (
            *("italiano", "català", "catalan", "español", "espanol", "français"),
            *("português", "portugues", "vlaams"),
        ),
        ("do re mi fa sol la si", _ROMANCE, _ACCENTED),
    ),
}
DEFAULT_LANGUAGE = "nederlands"
_LANGUAGE = re.compile(r'\\(?:language|include)\s*"(\w+?)(?:\.ly)?"')
_NAME = re.compile(r"[^\W\d_]+(?:-(?:natural|(?:sharp|flat)+))?")

Explained = Literal["print", "source"] | None


def text_at(location: str, source: dict[str, list[str]]) -> str:
    """The source from a location (file:line:column) to the end of its line; music that Scheme makes
    may have no location."""
    if not location:
        return ""
    name, line, column = location.rsplit(":", 2)
    # engrave.ily writes some letters of names as %XX, LilyPond `suite/../notes.ily` as it is asked
    lines = source.get(posixpath.normpath(unquote(name)), [])
    return lines[int(line) - 1][int(column) :] if int(line) <= len(lines) else ""


def names(source: dict[str, list[str]]) -> dict[str, set[tuple[int, int]]]:
    """(step of the scale, semitones of alteration) by note name, in the languages of a source."""
    asked = {
        match for lines in source.values() for line in lines for match in _LANGUAGE.findall(line)
    }
    found: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for language in asked & LANGUAGES.keys() or {DEFAULT_LANGUAGE}:
        steps, altered, others = LANGUAGES[language]
        for name, meaning in others.items():
            found[name].add(meaning)
        for step, name in enumerate(steps.split()):
            for alteration, tails in altered.items():
                for tail in tails:
                    found[name + tail].add((step, alteration))
                    if name in ("a", "e") and tail.startswith("es"):  # aes, ees
                        found[name + tail[1:]].add((step, alteration))
    return found


def alteration(notehead: svg.Notehead) -> int:
    """Semitones by which a notehead's pitch lies above the natural note of its name."""
    octave, step = divmod(notehead.steps, 7)
    return notehead.pitch - (MIDDLE_C + 12 * octave + NATURAL[step])


def _is_named(notehead: svg.Notehead, source: dict[str, list[str]], known: dict) -> bool:
    """Whether the source names the note at the location that the notehead comes from."""
    word = _NAME.match(text_at(notehead.location, source))
    return bool(word) and (notehead.steps % 7, alteration(notehead)) in known.get(word[0], ())


def _follow(
    noteheads: list[svg.Notehead],
    keys: list[svg.Key],
    bars: list[svg.Bar],
    accidentals: dict[int, str],
    tied: dict[int, svg.Notehead],
) -> Iterable[tuple[svg.Notehead, bool]]:
    """Each notehead of one staff of a system, and whether its pitch follows from what is printed.

    Args:
        noteheads: Of the staff.
        keys: Key signatures of the staff.
        bars: Bar lines of the staff.
        accidentals: Glyph by number of the notehead.
        tied: Notehead at the left end of a tie, by number of that at the right.
    """
    keys, lines = sorted(keys, key=lambda key: key.x), sorted(bar.x for bar in bars)

    def measure(notehead: svg.Notehead) -> int:
        return bisect(lines, notehead.x)

    def when(notehead: svg.Notehead) -> tuple:
        return measure(notehead), notehead.moment, notehead.grace

    for _, bar in groupby(sorted(noteheads, key=when), measure):
        holding: dict[int, int | None] = {}  # alteration by step; None if none can be told
        for _, together in groupby(bar, when):
            printed: dict[int, set[int | None]] = defaultdict(set)
            for notehead in together:
                if notehead.number in accidentals:
                    expected = GLYPHS.get(accidentals[notehead.number])
                    printed[notehead.steps].add(expected)
                elif notehead.number in tied:
                    expected = alteration(tied[notehead.number])
                elif notehead.steps in holding:
                    expected = holding[notehead.steps]
                else:
                    before = bisect(keys, notehead.x, key=lambda key: key.x)
                    expected = keys[before - 1].altered.get(notehead.steps % 7, 0) if before else 0
                yield notehead, alteration(notehead) == expected
            for steps, (one, *others) in printed.items():
                holding[steps] = None if others else one


def explain(
    pages: list[svg.Page], staff_of: dict[int, tuple[int, int]], source: dict[str, list[str]]
) -> dict[int, Explained]:
    """By number of the notehead, whether its pitch follows from print, else from the source's name.

    A notehead's own accidental is final; the others may have been printed by other rules.

    Args:
        pages: What the pages show.
        staff_of: (system, staff) by number of the staff lines; noteheads of others are skipped.
        source: Lines of each file by name.
    """
    by_number = {notehead.number: notehead for page in pages for notehead in page.heads}
    tied = {
        right: by_number[left]
        for page in pages
        for right, left in page.ties.items()
        if left in by_number
    }
    known = names(source)
    found: dict[int, Explained] = {}
    for page in pages:
        staves = defaultdict(lambda: ([], [], []))
        for kind, grobs in enumerate((page.heads, page.keys, page.bars)):
            for grob in grobs:
                if grob.staff in staff_of:
                    staves[staff_of[grob.staff]][kind].append(grob)
        for of_staff in staves.values():
            for notehead, follows in _follow(*of_staff, page.accidentals, tied):
                if follows:
                    found[notehead.number] = "print"
                elif page.accidentals.get(notehead.number) in GLYPHS:  # a wrong one has no excuse
                    found[notehead.number] = None
                else:
                    named = _is_named(notehead, source, known)
                    found[notehead.number] = "source" if named else None
    return found
