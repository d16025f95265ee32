"""Read the MEI that Verovio writes of a score it has loaded: bars and notes, with pitch, ties and
what is hidden or silent, by the ids that its pages have, too."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from xml.etree import ElementTree as ET

from pipeline.reading.unfolding import Bar, ending_numbers
from pipeline.reading.written import (
    HIDDEN,
    SEMITONES,
    UNPITCHED,
    Note,
    Score,
    grace_leads,
)

ET.register_namespace("", "http://www.music-encoding.org/ns/mei")  # as Verovio reads it
SPACE = "{http://www.music-encoding.org/ns/mei}"
ID = "{http://www.w3.org/XML/1998/namespace}id"
ALTERED = {  # semitones by the name of an accidental
    **{"s": 1, "f": -1, "n": 0, "ss": 2, "x": 2, "ff": -2, "xs": 3, "sx": 3, "ts": 3, "tf": -3},
    **{"nf": -1, "ns": 1, "su": 1, "sd": 1, "fu": -1, "fd": -1, "nu": 0, "nd": 0},
}
LONG = {"breve": Fraction(8), "long": Fraction(16), "maxima": Fraction(32)}  # quarters
GRACE = Fraction(1, 2)  # quarters; of a grace note that states no length
JUMPS = {  # by the type of a direction or the function of a repeat mark, in small letters
    "dacapo": "dacapo",
    "dalsegno": "dalsegno",
    "segno": "segno",
    "coda": "coda",
    "tocoda": "to_coda",
    "fine": "fine",
}
NAMED_SIGNS = ("segno", "coda", "dalsegno", "to_coda")


@dataclass(frozen=True)
class Times:
    """When the notes of a score begin and end, as Verovio tells, in quarters."""

    begin: dict[str, Fraction]  # by id of the note
    end: dict[str, Fraction]
    bars: dict[str, Fraction]  # where a bar begins, by its id
    last: Fraction  # end of all


@dataclass
class _Staff:
    """What holds for a staff until it is stated anew."""

    transposed: int = 0
    program: int | None = None


def written_pitch(note: ET.Element) -> int | None:
    """MIDI pitch of a note before it is transposed; None if it has none."""
    name = note.get("pname.ges", note.get("pname"))
    octave = note.get("oct.ges", note.get("oct"))
    if name not in SEMITONES or octave is None:
        return None
    signs = [note, *note.iter(f"{SPACE}accid")]
    stated = [s.get("accid.ges") for s in signs] + [s.get("accid") for s in signs]
    altered = next((value for value in stated if value), "n")
    return 12 * (int(octave) + 1) + SEMITONES[name] + ALTERED.get(altered, 0)


def _shape(*elements: ET.Element) -> Fraction:
    """Quarters of a grace note by its shape, stated by itself or by the chord around it."""
    for element in elements:
        if value := element.get("dur"):
            if not (value in LONG or (value.isdecimal() and int(value))):
                return GRACE
            whole = LONG[value] if value in LONG else Fraction(4, int(value))
            return whole * (2 - Fraction(1, 2 ** int(element.get("dots", 0))))
    return GRACE


def _in_layer(layer: ET.Element) -> Iterator[tuple[ET.Element, list[ET.Element]]]:
    """Notes of a layer in order, each with the elements around it, outermost first."""

    def walk(element: ET.Element, around: list[ET.Element]) -> Iterator:
        for child in element:
            if child.tag == f"{SPACE}note":
                yield child, around
            else:
                yield from walk(child, [*around, child])

    yield from walk(layer, [])


def _left_out(note: ET.Element, around: list[ET.Element], pitch: int | None) -> str | None:
    hidden = any(element.get("visible") == "false" for element in (note, *around))
    if hidden or note.get("head.visible") == "false":
        return HIDDEN
    return UNPITCHED if pitch is None else None


class _Reader:
    def __init__(self, times: Times):
        self.times = times
        self.score = Score()
        self.staves: dict[int, _Staff] = {}
        self.names: list[str] = []  # ids of the bars

    def walk(self, element: ET.Element, endings: list[int]) -> None:
        """Read a score, section or ending."""
        for child in element:
            if child.tag in (f"{SPACE}scoreDef", f"{SPACE}staffGrp", f"{SPACE}staffDef"):
                self._define(child, None)
            elif child.tag == f"{SPACE}measure":
                self._measure(child, endings)
            elif child.tag == f"{SPACE}ending":
                self.walk(child, ending_numbers(child.get("n", "")))
            elif child.tag != f"{SPACE}expansion":
                self.walk(child, endings)

    def _define(self, element: ET.Element, program: int | None) -> None:
        """Take over what a definition of the score or of some staves says."""
        said = element.find(f"{SPACE}instrDef")
        if said is not None and said.get("midi.instrnum", "").isdecimal():
            program = int(said.get("midi.instrnum", ""))
        if element.tag == f"{SPACE}staffDef" and element.get("n", "").isdecimal():
            state = self.staves.setdefault(int(element.get("n", "")), _Staff())
            state.transposed = int(element.get("trans.semi", state.transposed))
            state.program = state.program if program is None else program
        for child in element:
            if child.tag in (f"{SPACE}staffGrp", f"{SPACE}staffDef"):
                self._define(child, program)

    def _measure(self, measure: ET.Element, endings: list[int]) -> None:
        left, right = measure.get("left", ""), measure.get("right", "")
        bar = Bar(number=measure.get("n", ""), endings=set(endings))
        bar.start_repeat = left in ("rptstart", "rptboth") or self._opened()
        bar.end_repeat = 2 if right in ("rptend", "rptboth") else 0
        for element in measure.iter():
            kind = element.get("func") if element.tag == f"{SPACE}repeatMark" else None
            kind = element.get("type") if element.tag == f"{SPACE}dir" else kind
            if sign := JUMPS.get((kind or "").lower()):
                setattr(bar, sign, "1" if sign in NAMED_SIGNS else True)
        number = len(self.score.bars)
        self.score.bars.append(bar)
        self.names.append(measure.get(ID, ""))
        self.last_right = right
        begin = self.times.bars.get(self.names[-1])
        if begin is None:
            begin = self.score.begins[-1] if self.score.begins else Fraction(0)
        self.score.begins.append(begin)
        for staff in measure.findall(f"{SPACE}staff"):
            for layer in staff.findall(f"{SPACE}layer"):
                self._layer(layer, number, int(staff.get("n", 0)))
        for tie in measure.findall(f"{SPACE}tie"):
            start, end = (tie.get(name, "").removeprefix("#") for name in ("startid", "endid"))
            if start and end:
                self.score.ties[end] = start
        for note in measure.iter(f"{SPACE}note"):
            if note.get("tie", "") in ("m", "t"):
                self.score.loose.add(note.get(ID, ""))

    def _opened(self) -> bool:
        return getattr(self, "last_right", "") in ("rptboth", "rptstart")

    def _layer(self, layer: ET.Element, bar: int, staff: int) -> None:
        waiting: list[tuple[ET.Element, list[ET.Element]]] = []
        for note, around in _in_layer(layer):
            if any(e.get("grace") or e.tag == f"{SPACE}graceGrp" for e in (note, *around)):
                waiting.append((note, around))
                continue
            begin = self.times.begin.get(note.get(ID, ""))
            if begin is None:
                continue
            self._lead(waiting, bar, staff, begin)
            self._note(note, around, bar, staff, begin, self.times.end.get(note.get(ID, ""), begin))
        if waiting:
            self._lead(waiting, bar, staff, None)

    def _lead(self, waiting: list, bar: int, staff: int, begin: Fraction | None) -> None:
        """Add the grace notes that lead to a note that begins there, or to the end of the bar."""
        if begin is None:
            begin = self._after(self.names[bar])
        lengths, before = [], None
        for note, around in waiting:
            chord = next((e for e in reversed(around) if e.tag == f"{SPACE}chord"), None)
            lengths.append((_shape(note, *reversed(around)), chord is not None and chord is before))
            before = chord
        for (note, around), (length, _), lead in zip(
            waiting, lengths, grace_leads(lengths), strict=True
        ):
            self._note(note, around, bar, staff, begin, begin, lead, length)
        waiting.clear()

    def _after(self, name: str) -> Fraction:
        """Where the bar after this one begins."""
        begins = sorted(self.times.bars.values())
        own = self.times.bars.get(name, Fraction(0))
        return next((begin for begin in begins if begin > own), self.times.last)

    def _note(self, note, around, bar, staff, begin, end, lead=None, length=Fraction(0)) -> None:
        pitch = written_pitch(note)
        state = self.staves.setdefault(staff, _Staff())
        shown = next((e.get("staff") for e in (note, *reversed(around)) if e.get("staff")), None)
        self.score.notes.append(
            Note(
                name=note.get(ID, ""),
                bar=bar,
                staff=int(shown) if shown and shown.isdecimal() else staff,
                pitch=pitch,
                transposed=state.transposed,
                begin=begin,
                end=end,
                grace=lead,
                length=length,
                left_out=_left_out(note, around, pitch),
                program=state.program,
            )
        )


def _names_a_beat_alone(tie: ET.Element) -> bool:
    """Whether an end of a tie is known by its beat and not by its note."""
    ends = (("startid", "tstamp"), ("endid", "tstamp2"))
    return any(tie.get(beat) and not tie.get(note) for note, beat in ends)


def read(root: ET.Element, times: Times) -> Score:
    """Read an MEI score as Verovio writes it.

    Args:
        root: of the file.
        times: when its notes begin and end.

    Raises:
        ValueError: if notes under an octave sign do not say how they sound, or ties do not name
            their notes.
    """
    signs = next(root.iter(f"{SPACE}octave"), None)
    if signs is not None and not any(note.get("oct.ges") for note in root.iter(f"{SPACE}note")):
        raise ValueError("octave signs whose notes do not say how they sound (oct.ges)")
    if any(map(_names_a_beat_alone, root.iter(f"{SPACE}tie"))):
        raise ValueError("ties from beat to beat (tstamp) that do not name notes (startid, endid)")
    reader = _Reader(times)
    music = next(root.iter(f"{SPACE}score"), None)
    if music is not None:
        reader.walk(music, [])
    score = reader.score
    score.chord_symbols = sum(1 for _ in root.iter(f"{SPACE}harm"))
    score.begins.append(max([times.last, *score.begins]))
    score.order = expansion(root)
    return score


def _expanded(root: ET.Element) -> list[ET.Element] | None:
    """The bars in the order that the first expansion of an MEI score asks for, if it has any."""
    said = next(root.iter(f"{SPACE}expansion"), None)
    if said is None:
        return None
    sections = {
        element.get(ID): list(element.iter(f"{SPACE}measure"))
        for element in root.iter()
        if element.tag in (f"{SPACE}section", f"{SPACE}ending")
    }
    names = [part.removeprefix("#") for part in said.get("plist", "").split()]
    if not names or not sections.keys() >= set(names):
        return None
    return [bar for name in names for bar in sections[name]]


def expansion(root: ET.Element) -> list[int] | None:
    """The order of bars that the first expansion of an MEI score asks for, if it has any."""
    bars = _expanded(root)
    number = {id(bar): place for place, bar in enumerate(root.iter(f"{SPACE}measure"))}
    return None if bars is None else [number[id(bar)] for bar in bars]


def first_notes(root: ET.Element) -> list[str] | None:
    """The id of a note in each bar that has any, in the order of `expansion`."""
    bars = _expanded(root)
    if bars is None:
        return None
    notes = (next(bar.iter(f"{SPACE}note"), None) for bar in bars)
    return [note.get(ID, "") for note in notes if note is not None]


def staff_numbers(root: ET.Element) -> dict[str, int]:
    """The number of a staff by the id that it has in a bar, and so in Verovio's SVG."""
    return {staff.get(ID, ""): int(staff.get("n", 0)) for staff in root.iter(f"{SPACE}staff")}


def pitches(root: ET.Element) -> dict[str, int | None]:
    """The written pitch of each note by its id, as Verovio understood and printed it."""
    return {note.get(ID, ""): written_pitch(note) for note in root.iter(f"{SPACE}note")}
