"""Check in a score that Verovio engraved whether the pitch of each notehead follows from what is
printed: its accidental, the tie that leads to it, an earlier accidental of its bar, or the key."""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from xml.etree import ElementTree as ET

from pipeline.engraving.mei import ALTERED, ID, SPACE
from pipeline.reading.musicxml_accidentals import key
from pipeline.reading.written import SEMITONES, Note, Score

_MIXED = "mixed"  # of a key signature that its own accidentals spell out


def key_of(element: ET.Element) -> dict[str, int] | None:
    """Alterations by step that a definition states with its attributes or a `keySig`."""
    stated = element.get("sig" if element.tag == f"{SPACE}keySig" else "keysig")
    if stated is None:
        return None
    if stated == _MIXED:
        return {
            sign.get("pname", ""): ALTERED.get(sign.get("accid", ""), 0)
            for sign in element.iter(f"{SPACE}keyAccid")
        }
    count, sign = int(stated[:-1] or 0), stated[-1:]
    return {step.lower(): n for step, n in key(count if sign == "s" else -count).items()}


def changes(root: ET.Element) -> Iterator[tuple[str, int | None, ET.Element]]:
    """What changes keys, bar lines and notes of a score in order: (what, staff, element)."""

    def walk(element: ET.Element, staff: int | None) -> Iterator:
        for child in element:
            number = child.get("n", "")
            inner = staff
            if child.tag in (f"{SPACE}staff", f"{SPACE}staffDef") and number.isdecimal():
                inner = int(number)
            if child.tag == f"{SPACE}measure":
                yield "bar", None, child
            elif child.tag == f"{SPACE}note":
                yield "note", inner, child
            if key_of(child) is not None:
                yield "key", inner, child
            yield from walk(child, inner)

    yield from walk(root, None)


def sign_of(note: ET.Element) -> str | None:
    """The accidental that is printed before a note."""
    if stated := note.get("accid"):
        return stated
    return next((a.get("accid") for a in note.findall(f"{SPACE}accid") if a.get("accid")), None)


def _order(note: Note) -> tuple[Fraction, Fraction]:
    return note.begin, -(note.grace or Fraction(0))


def _line(note: Note, element: ET.Element) -> tuple:
    """Staff, step and octave at which a note is printed."""
    return note.staff, element.get("pname", ""), element.get("oct", "0")


def _alteration(note: Note, element: ET.Element) -> int:
    """Semitones by which a note sounds above the natural note of its name."""
    octave = int(element.get("oct.ges", element.get("oct", "0")))
    natural = 12 * (octave + 1) + SEMITONES.get(element.get("pname", ""), 0)
    return (note.pitch or 0) - natural


def off(root: ET.Element, score: Score) -> int:
    """Count the noteheads of which a reader would take another pitch.

    Args:
        root: MEI of what is printed.
        score: as it was read, with the pitches that sound and the times of its notes.
    """
    note_of = {note.name: note for note in score.notes}
    tied = score.ties.keys() | score.loose
    keys: dict[int | None, dict[str, int]] = {}
    found = 0
    bar: list[tuple[Note, ET.Element, int]] = []

    def read_bar() -> int:
        wrong = 0
        holding: dict[tuple, int | None] = {}
        in_order = sorted(bar, key=lambda entry: _order(entry[0]))
        for _, together in groupby(in_order, key=lambda entry: _order(entry[0])):
            now = list(together)
            signs: dict[tuple, set[int | None]] = defaultdict(set)  # two voices may share one
            for note, element, _ in now:
                if sign := sign_of(element):
                    signs[_line(note, element)].add(ALTERED.get(sign))
            for note, element, of_key in now:
                if note.left_out is not None or (not sign_of(element) and note.name in tied):
                    continue
                line = _line(note, element)
                read_as = set(signs[line])
                if not sign_of(element):
                    read_as.add(holding.get(line, of_key))
                wrong += None not in read_as and _alteration(note, element) not in read_as
            holding |= {line: next(iter(found)) for line, found in signs.items() if found}
        bar.clear()
        return wrong

    for what, staff, element in changes(root):
        if what == "key":
            changed = key_of(element) or {}
            if staff is None:
                keys = {None: changed}
            else:
                keys[staff] = changed
        elif what == "bar":
            found += read_bar()
        else:
            note = note_of.get(element.get(ID, ""))
            shown = element.get("visible") != "false"  # a note without its head has accidentals
            if note is not None and shown and note.pitch is not None:
                of_staff = keys.get(note.staff, keys.get(None, {}))
                bar.append((note, element, of_staff.get(element.get("pname", ""), 0)))
    return found + read_bar()
