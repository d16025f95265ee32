"""Read the tempo of an MEI score as Verovio writes it: its own table of times moves a change of
tempo to the beginning of the bar."""

import re
from collections.abc import Iterator
from fractions import Fraction
from xml.etree import ElementTree as ET

from pipeline.engraving.mei import ID, SPACE, Times

QUARTER = 4  # as a unit of beats: how many of it make a whole note
MICROSECONDS = 60e6  # in a minute
_ABC_TEMPO = re.compile(r"(?:^|\[)Q:([^\]\n%]*)", re.MULTILINE)
_ABC_BEATS = re.compile(r"((?:\d+/\d+\s*)+)=\s*(\d+(?:\.\d+)?)")


def measures(root: ET.Element) -> Iterator[tuple[ET.Element, int]]:
    """The bars of a score, each with the unit of its beats (4: a quarter)."""
    unit = QUARTER
    for element in root.iter():
        stated = element.get("unit" if element.tag == f"{SPACE}meterSig" else "meter.unit", "")
        if stated.isdecimal() and int(stated):
            unit = int(stated)
        if element.tag == f"{SPACE}measure":
            yield element, unit


def onset_in(measure: ET.Element, anchor: ET.Element, times: Times) -> Fraction | None:
    """Quarters from the beginning of a bar to a note in it, or to the first within an element."""
    begin = times.bars.get(measure.get(ID, ""))
    for element in anchor.iter():
        onset = times.begin.get(element.get(ID, ""))
        if begin is not None and onset is not None:
            return onset - begin
    return None


def _number(element: ET.Element, name: str) -> float:
    try:
        return float(element.get(name, ""))
    except ValueError:
        return 0.0


def quarters_a_minute(element: ET.Element) -> float:
    """What a `tempo` or `scoreDef` states, in quarters a minute; 0 if it states no number."""
    if bpm := _number(element, "midi.bpm"):
        return bpm
    if microseconds := _number(element, "midi.mspb"):
        return MICROSECONDS / microseconds
    unit = _number(element, "mm.unit") or QUARTER
    return _number(element, "mm") * QUARTER / unit * (2 - 0.5 ** _number(element, "mm.dots"))


def _when(tempo: ET.Element, measure: ET.Element, unit: int, times: Times) -> Fraction:
    """The quarter of the printed score at which a tempo begins."""
    begin = times.bars.get(measure.get(ID, ""), Fraction(0))
    name = tempo.get("startid", "").removeprefix("#")
    if name:
        anchor = next((e for e in measure.iter() if e.get(ID) == name), None)
        onset = None if anchor is None else onset_in(measure, anchor, times)
        return begin + (onset or 0)
    beat = Fraction(_number(tempo, "tstamp") or 1).limit_denominator(1024)
    return begin + max(beat - 1, Fraction(0)) * QUARTER / unit


def read(root: ET.Element, times: Times) -> list[tuple[Fraction, float]]:
    """(quarter of the printed score, quarters a minute) at each change of tempo, in order."""
    found: dict[Fraction, float] = {}
    waiting = 0.0  # of a definition before the bars that it holds for
    bars = {id(measure): unit for measure, unit in measures(root)}
    for element in root.iter():
        if element.tag == f"{SPACE}scoreDef":
            waiting = quarters_a_minute(element) or waiting
        elif element.tag == f"{SPACE}measure":
            begin = times.bars.get(element.get(ID, ""))
            if waiting and begin is not None:
                found[begin], waiting = waiting, 0.0
            for tempo in element.findall(f"{SPACE}tempo"):
                if bpm := quarters_a_minute(tempo):
                    found[_when(tempo, element, bars[id(element)], times)] = bpm
    return sorted(found.items())


def with_beats_of_abc(root: ET.Element, text: str) -> None:
    """State the beat in the tempo marks of an ABC tune, which Verovio takes for quarters: it reads
    3/8=60 as 60 quarters a minute, not 90. Nothing changes unless all marks are found in both."""
    marks = [m for m in root.iter(f"{SPACE}tempo") if m.get("mm")]
    stated = [found for field in _ABC_TEMPO.findall(text) if (found := _ABC_BEATS.search(field))]
    if len(marks) != len(stated):
        return
    for mark, found in zip(marks, stated, strict=True):
        whole = sum((_fraction(part) for part in found[1].split()), Fraction(0))
        mark.set("midi.bpm", f"{float(Fraction(found[2]) * whole * QUARTER):g}")


def _fraction(text: str) -> Fraction:
    above, _, below = text.partition("/")
    return Fraction(int(above), int(below) or 1)
