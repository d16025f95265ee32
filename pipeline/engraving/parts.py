"""Choose parts of a score: all, the piano, or some by name or number."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from pipeline.engraving import mei_tempo
from pipeline.engraving.mei import ID, JUMPS, SPACE, Times

ALL, PIANO = "all", "piano"
PIANO_PROGRAMS = range(8)  # General MIDI, from 0: pianos, harpsichord, clavinet
_PIANO = re.compile(
    r"piano|klavier|clavier|pian[oö]?f|^pf|^pno|^pfte|cembalo|harpsichord|keyboard", re.I
)


@dataclass(frozen=True)
class Part:
    """A part of a score."""

    name: str
    staves: tuple[int, ...]  # numbers
    program: int | None  # General MIDI, from 0


def _label(element: ET.Element) -> str:
    label = element.find(f"{SPACE}label")
    return " ".join("".join(label.itertext()).split()) if label is not None else ""


def _program(element: ET.Element) -> int | None:
    for said in element.iter(f"{SPACE}instrDef"):
        if said.get("midi.instrnum", "").isdecimal():
            return int(said.get("midi.instrnum", ""))
    return None


def _is_one(group: ET.Element) -> bool:
    """Whether a group of staves is a single part: it alone has a name, or only a brace."""
    staves = list(group.iter(f"{SPACE}staffDef"))
    named = any(_label(staff) for staff in staves)
    braced = group.get("symbol") == "brace" or any(
        symbol.get("symbol") == "brace" for symbol in group.findall(f"{SPACE}grpSym")
    )
    return not named and bool(braced or _label(group) or group.find(f"{SPACE}instrDef") is not None)


def read(root: ET.Element) -> list[Part]:
    """The parts of an MEI score as Verovio writes it, from the top."""
    found: list[Part] = []

    def walk(element: ET.Element) -> None:
        for child in element:
            if child.tag == f"{SPACE}staffDef" or (
                child.tag == f"{SPACE}staffGrp" and _is_one(child)
            ):
                numbers = tuple(int(staff.get("n", 0)) for staff in child.iter(f"{SPACE}staffDef"))
                found.append(Part(_label(child), numbers, _program(child)))
            elif child.tag == f"{SPACE}staffGrp":
                walk(child)

    definition = next(root.iter(f"{SPACE}scoreDef"), None)
    if definition is not None:
        walk(definition)
    return found


def _is_piano(part: Part) -> bool:
    return bool(_PIANO.search(part.name)) or (
        part.program in PIANO_PROGRAMS and (not part.name or len(part.staves) > 1)
    )


def chosen(parts: list[Part], wanted: str | list) -> list[Part]:
    """The parts that are asked for.

    Args:
        parts: all of a score.
        wanted: `all`, `piano`, or names and numbers (from 1) of parts.

    Raises:
        ValueError: the score lacks a part that is asked for; the message names those it has.
    """
    if wanted == ALL:
        return parts
    names = ", ".join(part.name or f"part {n}" for n, part in enumerate(parts, 1))
    if wanted == PIANO:
        found = [part for part in parts if _is_piano(part)]
        found = found or [part for part in parts if len(part.staves) == 2][:1]
        if not found:
            raise ValueError(f"no piano among its parts: {names}")
        return found
    found = []
    for want in wanted:
        number = str(want)
        own = [part for part in parts if part.name.casefold() == number.casefold()]
        if not own and number.isdecimal() and 0 < int(number) <= len(parts):
            own = [parts[int(number) - 1]]
        if not own:
            raise ValueError(f"no part '{want}' among its parts: {names}")
        found += own
    return [part for part in parts if part in found]


def _is_for_all(element: ET.Element) -> bool:
    """Whether a sign at one staff holds for the whole score: tempo, rehearsal mark, jump."""
    if element.tag == f"{SPACE}dir":
        return (element.get("type") or "").lower() in JUMPS
    return element.tag in {f"{SPACE}{name}" for name in ("tempo", "reh", "repeatMark")}


def _staves_of(element: ET.Element) -> set[int]:
    return {int(number) for number in element.get("staff", "").split() if number.isdecimal()}


def _beat(anchor: ET.Element, measure: ET.Element, unit: int, times: Times | None) -> float:
    """The beat, from 1, on which an element of a bar begins; 1 if it cannot be told."""
    onset = mei_tempo.onset_in(measure, anchor, times) if times else None
    return 1 + float(onset or 0) * unit / mei_tempo.QUARTER


def _move_signs(measure: ET.Element, unit: int, dropped: set[int], first: str, times) -> None:
    """Move the signs of a bar that hold for all from staves that are dropped to the `first` that
    is kept, and remove what else belongs to those staves."""
    staff_of = {
        element.get(ID): (int(staff.get("n", 0)), element)
        for staff in measure.findall(f"{SPACE}staff")
        for element in staff.iter()
        if staff.get("n", "").isdecimal()
    }
    for child in list(measure):
        if child.tag == f"{SPACE}staff":
            if child.get("n", "").isdecimal() and int(child.get("n", "")) in dropped:
                measure.remove(child)
            continue
        number, anchor = staff_of.get(child.get("startid", "").removeprefix("#"), (0, None))
        on = _staves_of(child) or {number} - {0}
        if not on or on - dropped:
            continue
        if not _is_for_all(child):
            measure.remove(child)
            continue
        child.set("staff", first)
        if anchor is not None:
            del child.attrib["startid"]
            child.set("tstamp", f"{_beat(anchor, measure, unit, times):g}")


def _remove(root: ET.Element, tag: str, unwanted) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{SPACE}{tag}" and unwanted(child):
                parent.remove(child)


def reduce(text: str, wanted: str | list, times: Times | None = None) -> str:
    """An MEI score with only the parts that are asked for.

    Tempo, rehearsal marks and jumps hold for all and move to the first staff that is kept.

    Args:
        text: the score, as Verovio writes it.
        wanted: as for `chosen`.
        times: when its notes begin, for signs that are bound to a note of a part that is dropped.

    Raises:
        ValueError: as `chosen`.
    """
    root = ET.fromstring(text)
    parts = read(root)
    kept = {staff for part in chosen(parts, wanted) for staff in part.staves}
    every = {staff for part in parts for staff in part.staves}
    if kept == every:
        return text
    dropped, first = every - kept, str(min(kept))
    for measure, unit in mei_tempo.measures(root):
        _move_signs(measure, unit, dropped, first, times)
    _remove(root, "staffDef", lambda staff: int(staff.get("n") or 0) in dropped)
    _remove(root, "staffGrp", lambda group: group.find(f".//{SPACE}staffDef") is None)
    return ET.tostring(root, encoding="unicode")
