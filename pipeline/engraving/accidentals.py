"""Whether the pitch of each head follows from what is printed: its accidental, the tie that leads
to it, an earlier accidental of its measure, or the key.

An accidental holds for its own line and octave, to the next bar line. Styles that print by other
rules, and bar lines and keys that a score hides, leave some heads to the names in the source.
"""

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


def text_at(where: str, source: dict[str, list[str]]) -> str:
    """The source from a place (file:line:column) to the end of its line."""
    name, line, column = where.rsplit(":", 2)
    lines = source.get(unquote(name), [])  # engrave.ily writes some letters of names as %XX
    return lines[int(line) - 1][int(column) :] if int(line) <= len(lines) else ""


def names(source: dict[str, list[str]]) -> dict[str, set[tuple[int, int]]]:
    """(step of the scale, semitones of alteration) by name, in the languages of a source."""
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


def alteration(head: svg.Head) -> int:
    """Semitones by which a head's pitch lies above the natural note of its name."""
    octave, step = divmod(head.steps, 7)
    return head.pitch - (MIDDLE_C + 12 * octave + NATURAL[step])


def _named(head: svg.Head, source: dict[str, list[str]], known: dict) -> bool:
    """Whether the source has, at the place that the head comes from, a name of its note."""
    word = _NAME.match(text_at(head.where, source))
    return bool(word) and (head.steps % 7, alteration(head)) in known.get(word[0], ())


def _staff(
    heads: list[svg.Head],
    keys: list[svg.Key],
    bars: list[svg.Bar],
    accidentals: dict[int, str],
    tied: dict[int, svg.Head],
) -> Iterable[tuple[svg.Head, bool]]:
    """Each head of one staff of a system, and whether its pitch follows from what is printed."""
    keys, lines = sorted(keys, key=lambda key: key.x), sorted(bar.x for bar in bars)

    def measure(head: svg.Head) -> int:
        return bisect(lines, head.x)

    def when(head: svg.Head) -> tuple:
        return measure(head), head.moment, head.grace

    for _, bar in groupby(sorted(heads, key=when), measure):
        holding: dict[int, int | None] = {}  # alteration by step; None where none can be told
        for _, together in groupby(bar, when):
            printed: dict[int, set[int | None]] = defaultdict(set)
            for head in together:
                if head.number in accidentals:
                    expected = GLYPHS.get(accidentals[head.number])
                    printed[head.steps].add(expected)
                elif head.number in tied:
                    expected = alteration(tied[head.number])
                elif head.steps in holding:
                    expected = holding[head.steps]
                else:
                    before = bisect(keys, head.x, key=lambda key: key.x)
                    expected = keys[before - 1].altered.get(head.steps % 7, 0) if before else 0
                yield head, alteration(head) == expected
            for steps, (one, *others) in printed.items():
                holding[steps] = None if others else one


def explain(
    pages: list[svg.Page], place: dict[int, tuple[int, int]], source: dict[str, list[str]]
) -> dict[int, Explained]:
    """By number of the head, whether its pitch follows from print, else from the source's name.

    A head's own accidental is final; the others may have been printed by other rules. `place` gives
    (system, staff) by staff lines; heads of other staves are left aside.
    """
    heads = {head.number: head for page in pages for head in page.heads}
    tied = {
        right: heads[left] for page in pages for right, left in page.ties.items() if left in heads
    }
    known = names(source)
    found: dict[int, Explained] = {}
    for page in pages:
        staves = defaultdict(lambda: ([], [], []))
        for kind, grobs in enumerate((page.heads, page.keys, page.bars)):
            for grob in grobs:
                if grob.staff in place:
                    staves[place[grob.staff]][kind].append(grob)
        for own in staves.values():
            for head, follows in _staff(*own, page.accidentals, tied):
                if follows:
                    found[head.number] = "print"
                elif page.accidentals.get(head.number) in GLYPHS:  # nothing excuses a wrong one
                    found[head.number] = None
                else:
                    found[head.number] = "source" if _named(head, source, known) else None
    return found
