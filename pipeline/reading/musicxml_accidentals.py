"""Print the accidentals that a MusicXML score leaves out although its pitches need them.

Some programs write a note's pitch (`alter`) and no `accidental`: engravers then print a note that
reads otherwise than it sounds. An accidental holds for its line and octave, to the next bar line.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from xml.etree import ElementTree as ET

NAMES = {
    -2: "flat-flat",
    -1: "flat",
    0: "natural",
    1: "sharp",
    2: "double-sharp",
}
ALTERED = {name: alter for alter, name in NAMES.items()} | {
    "sharp-sharp": 2,
    "natural-sharp": 1,
    "natural-flat": -1,
    "triple-sharp": 3,
    "triple-flat": -3,
}
SHARPS, FLATS = "FCGDAEB", "BEADGCF"  # in the order in which keys add them
_BEFORE = (  # the children of a note that stand before its accidental
    *("grace", "cue", "chord", "pitch", "rest", "unpitched", "duration", "tie", "instrument"),
    *("footnote", "level", "voice", "type", "dot"),
)
Line = tuple[str, str, str]  # staff, step and octave


@dataclass
class _Part:
    """What holds in a part until it is stated anew."""

    divisions: Fraction = Fraction(1)
    keys: dict[str, dict[str, int]] = field(default_factory=dict)  # by staff; "" is all

    def altered(self, line: Line) -> int:
        """What the key makes of a line of a staff."""
        staff, step, _ = line
        return self.keys.get(staff, self.keys.get("", {})).get(step, 0)


def key(fifths: int) -> dict[str, int]:
    """Alterations by step of a key with so many sharps, or flats if below 0."""
    steps, alter = (SHARPS, 1) if fifths > 0 else (FLATS, -1)
    found: dict[str, int] = defaultdict(int)
    for place in range(min(abs(fifths), 14)):
        found[steps[place % 7]] += alter
    return dict(found)


def _read_attributes(element: ET.Element, part: _Part) -> None:
    divisions = _fraction(element.findtext("divisions"))
    if divisions > 0:
        part.divisions = divisions
    for said in element.findall("key"):
        staff = said.get("number", "")
        if not staff:
            part.keys.clear()
        steps = [step.text or "" for step in said.findall("key-step")]
        alters = [int(_fraction(alter.text)) for alter in said.findall("key-alter")]
        stated = dict(zip(steps, alters, strict=False))
        part.keys[staff] = stated or key(int(_fraction(said.findtext("fifths"))))


def _fraction(text: str | None) -> Fraction:
    try:
        return Fraction((text or "0").strip())
    except (ValueError, ZeroDivisionError):
        return Fraction(0)


def _in_time(measure: ET.Element, part: _Part) -> list[list[ET.Element]]:
    """The notes of a bar in the order in which they are read, those that begin together as one
    list, and its attributes among them."""
    found: list[tuple[Fraction, bool, int, ET.Element]] = []
    now = last = Fraction(0)
    divisions = part.divisions
    for number, element in enumerate(measure):
        length = _fraction(element.findtext("duration")) / divisions
        if element.tag == "attributes":
            divisions = _fraction(element.findtext("divisions")) or divisions
            found.append((now, False, number, element))
        elif element.tag == "backup":
            now -= length
        elif element.tag == "forward":
            now += length
        elif element.tag == "note":
            chord = element.find("chord") is not None
            main = element.find("grace") is None
            found.append((last if chord and main else now, main, number, element))
            if main and not chord:
                last, now = now, now + length
    found.sort(key=lambda entry: entry[:3])
    return [[entry[3] for entry in group] for _, group in groupby(found, lambda entry: entry[:2])]


def _line(note: ET.Element) -> Line:
    return (
        note.findtext("staff") or "1",
        (note.findtext("pitch/step") or "").strip(),
        (note.findtext("pitch/octave") or "").strip(),
    )


def _ends_tie(note: ET.Element) -> bool:
    ties = [*note.findall("tie"), *note.findall("notations/tied")]
    return any(tie.get("type") == "stop" for tie in ties)


def _altered(accidental: ET.Element) -> Fraction | None:
    """Semitones of an accidental; None if it is of another kind."""
    found = ALTERED.get((accidental.text or "").strip())
    return None if found is None else Fraction(found)


def _is_read(element: ET.Element) -> bool:
    """Whether an element is a note whose pitch a reader sees."""
    return element.find("pitch") is not None and element.get("print-object") != "no"


def _insert(note: ET.Element, alter: int) -> None:
    place = sum(child.tag in _BEFORE for child in note)
    accidental = ET.Element("accidental")
    accidental.text = NAMES[alter]
    note.insert(place, accidental)


def complete(root: ET.Element) -> int:
    """Add the accidentals that are missing in a partwise score; gives their number."""
    added = 0
    for element in root.findall("part"):
        part = _Part()
        for measure in element.findall("measure"):
            holding: dict[Line, Fraction | None] = {}  # None: a sign of another kind
            for together in _in_time(measure, part):
                notes = [child for child in together if _is_read(child)]
                printed: set[
                    tuple[Line, Fraction | None]
                ] = {  # voices that meet on a line may share its accidental
                    (_line(note), _altered(accidental))
                    for note in notes
                    if (accidental := note.find("accidental")) is not None
                }
                for child in together:
                    if child.tag == "attributes":
                        _read_attributes(child, part)
                for note in notes:
                    line, alter = _line(note), _fraction(note.findtext("pitch/alter"))
                    if note.find("accidental") is not None or (line, alter) in printed:
                        continue
                    if _ends_tie(note):
                        continue
                    expected = holding.get(line, part.altered(line))
                    if expected is not None and expected != alter and alter in NAMES:
                        _insert(note, int(alter))
                        printed.add((line, alter))
                        added += 1
                holding |= dict(printed)
    return added
