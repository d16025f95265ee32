"""Mend the MEI that Verovio makes of an ABC tune.

It leaves out numbered endings and the beats that a tempo counts, and plays a tune in C in the key
of the tune that it read before.
"""

import re
from fractions import Fraction
from xml.etree import ElementTree as ET

from pipeline.engraving.mei import ID, SPACE
from pipeline.engraving.mei_accidentals import changes, key_of, sign_of
from pipeline.engraving.second_reader import Reading

_TEMPO = re.compile(r"(?:^|\[)Q:([^\]\n%]*)", re.MULTILINE)
_BEATS = re.compile(r"((?:\d+/\d+\s*)+)=\s*(\d+(?:\.\d+)?)")


def mended(read: str, text: str, reading: Reading) -> str:
    """A tune as MEI, mended.

    Args:
        read: what Verovio made of it.
        text: the tune.
        reading: of it by another reader, which tells its endings.
    """
    root = ET.fromstring(read)
    _state_beats(root, text)
    _forget_keys(root)
    if len(list(root.iter(f"{SPACE}measure"))) == len(reading.bars) - 1:
        _add_endings(root, reading.endings)
    return ET.tostring(root, encoding="unicode")


def _state_beats(root: ET.Element, text: str) -> None:
    """Say which beats the tempo marks count; Verovio takes 3/8=60 for 60 quarters a minute.

    Nothing changes unless all marks are found in both.
    """
    marks = [mark for mark in root.iter(f"{SPACE}tempo") if mark.get("mm")]
    stated = [found for field in _TEMPO.findall(text) if (found := _BEATS.search(field))]
    if len(marks) != len(stated):
        return
    for mark, found in zip(marks, stated, strict=True):
        whole = sum((_fraction(part) for part in found[1].split()), Fraction(0))
        mark.set("midi.bpm", f"{float(Fraction(found[2]) * whole * 4):g}")
        if whole > 0 and whole.numerator in (1, 3):
            dotted = whole.numerator == 3
            mark.set("mm.unit", str(whole.denominator // (2 if dotted else 1)))
            mark.set("mm.dots", str(int(dotted)))


def _fraction(text: str) -> Fraction:
    above, _, below = text.partition("/")
    return Fraction(int(above), int(below) or 1)


def _forget_keys(root: ET.Element) -> None:
    """Give notes under a key without sharps and flats the pitch that they have there."""
    altered: dict[str, int] = {}
    holding: dict[tuple, str] = {}
    tied = {tie.get("endid", "").removeprefix("#") for tie in root.iter(f"{SPACE}tie")}
    for what, _, element in changes(root):
        if what == "key":
            altered = key_of(element) or {}
        elif what == "bar":
            holding.clear()
        else:
            line = (element.get("pname"), element.get("oct"))
            if sign := sign_of(element):
                holding[line] = sign
            elif (
                not altered and element.get("tie") not in ("m", "t") and element.get(ID) not in tied
            ):
                element.attrib.pop("accid.ges", None)
                if line in holding:
                    element.set("accid.ges", holding[line])


def _add_endings(root: ET.Element, endings: dict[int, list[int]]) -> None:
    """Put bars into endings, neighbours with the same numbers into one."""
    parent_of = {child: parent for parent in root.iter() for child in parent}
    current: ET.Element | None = None
    for number, bar in enumerate(list(root.iter(f"{SPACE}measure"))):
        wanted = ", ".join(map(str, endings.get(number, [])))
        if not wanted:
            current = None
            continue
        section = parent_of[bar]
        if current is None or current.get("n") != wanted:
            current = ET.Element(f"{SPACE}ending", {"n": wanted, ID: f"ending{number}"})
            section.insert(list(section).index(bar), current)
        section.remove(bar)
        current.append(bar)
