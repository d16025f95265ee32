"""Choose parts of a score: all, the piano, or some by name or number."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from pipeline.engraving.mei import SPACE

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


def reduce(text: str, wanted: str | list) -> str:
    """An MEI score with only the parts that are asked for.

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
    for parent in list(root.iter()):
        for child in list(parent):
            number = child.get("n", "")
            if child.tag in (f"{SPACE}staff", f"{SPACE}staffDef"):
                if number.isdecimal() and int(number) in dropped:
                    parent.remove(child)
                continue
            on = {int(n) for n in child.get("staff", "").split() if n.isdecimal()}
            if not on or on - dropped:
                continue
            if child.tag == f"{SPACE}tempo":  # it holds for all
                child.set("staff", first)
            else:
                parent.remove(child)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{SPACE}staffGrp" and child.find(f".//{SPACE}staffDef") is None:
                parent.remove(child)
    return ET.tostring(root, encoding="unicode")
