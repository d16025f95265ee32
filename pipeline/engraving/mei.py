"""Read the MEI that Verovio writes of a score it has loaded: its bars and its notes, with pitch,
ties and what is hidden or silent, by the ids that its pages have, too."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree import ElementTree as ET

from pipeline.engraving.unfolding import Bar, ending_numbers

ET.register_namespace("", "http://www.music-encoding.org/ns/mei")  # as Verovio reads it
SPACE = "{http://www.music-encoding.org/ns/mei}"
ID = "{http://www.w3.org/XML/1998/namespace}id"
SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
ALTERED = {
    **{"s": 1, "f": -1, "n": 0, "ss": 2, "x": 2, "ff": -2, "xs": 3, "sx": 3, "ts": 3, "tf": -3},
    **{"nf": -1, "ns": 1, "su": 1, "sd": 1, "fu": -1, "fd": -1, "nu": 0, "nd": 0},
}
LONG = {"breve": Fraction(8), "long": Fraction(16), "maxima": Fraction(32)}
DEFAULT_DURATION = Fraction(1, 2)  # quarters; of a grace note that states none
HIDDEN, SILENT, UNPITCHED = "hidden", "cue", "unpitched"
JUMPS = {  # of the text of a direction or the function of a repeat mark, to a field of Bar
    "dacapo": "dacapo",
    "dalsegno": "dalsegno",
    "segno": "segno",
    "coda": "coda",
    "tocoda": "to_coda",
    "fine": "fine",
}


@dataclass(frozen=True)
class Note:
    """A written note."""

    name: str  # its id
    bar: int
    staff: int  # number of the staff it belongs to
    shown_on: int  # number of the staff that prints it
    pitch: int | None  # as written, MIDI
    transposed: int  # semitones from written to sounding
    grace: Fraction | None  # quarters until its main note begins; None: no grace note
    length: Fraction  # quarters, as written; of grace notes alone
    main: str | None  # of a grace note: id of the note that it leads to; None: the bar's end
    left_out: str | None  # why it does not sound: one of HIDDEN, SILENT, UNPITCHED
    program: int | None  # General MIDI, from 0


@dataclass
class Score:
    """A score as Verovio understood it."""

    bars: list[Bar] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    ties: dict[str, str] = field(default_factory=dict)  # id of a note -> of the one it prolongs
    loose: set[str] = field(
        default_factory=set
    )  # ids of notes said to end a tie, of no known start
    chord_symbols: int = 0
    order: list[int] | None = None  # of bars, as the score's own expansion has it
    staves: dict[str, int] = field(
        default_factory=dict
    )  # number of a staff by the id it has in a bar


@dataclass
class _Staff:
    """What holds for a staff until it is stated anew."""

    transposed: int = 0
    program: int | None = None


def _pitch(note: ET.Element) -> int | None:
    name, octave = note.get("pname"), note.get("oct.ges", note.get("oct"))
    name = note.get("pname.ges", name)
    if name not in SEMITONES or octave is None:
        return None
    written = next(note.iter(f"{SPACE}accid"), None)
    sources = [note, *([] if written is None else [written])]
    sounding = next((s.get("accid.ges") for s in sources if s.get("accid.ges")), None)
    sounding = sounding or next((s.get("accid") for s in sources if s.get("accid")), "n")
    return 12 * (int(octave) + 1) + SEMITONES[name] + ALTERED.get(sounding, 0)


def _length(*elements: ET.Element) -> Fraction:
    """Quarters of a note as written, tuplets aside, from itself or the chord around it."""
    for element in elements:
        if value := element.get("dur"):
            whole = LONG[value] if value in LONG else Fraction(4, int(value))
            dots = int(element.get("dots", 0))
            return whole * (2 - Fraction(1, 2**dots))
    return DEFAULT_DURATION


def _layer(layer: ET.Element) -> Iterator[tuple[ET.Element, list[ET.Element]]]:
    """Notes of a layer in order, each with the elements around it, outermost first."""

    def walk(element: ET.Element, around: list[ET.Element]) -> Iterator:
        for child in element:
            if child.tag == f"{SPACE}note":
                yield child, around
            elif child.tag != f"{SPACE}accid":
                yield from walk(child, [*around, child])

    yield from walk(layer, [])


def _why_silent(note: ET.Element, around: list[ET.Element], pitch: int | None) -> str | None:
    if any(element.get("visible") == "false" for element in (note, *around)):
        return HIDDEN
    if any(element.get("cue") == "true" for element in (note, *around)):
        return SILENT
    return UNPITCHED if pitch is None else None


def _notes(layer: ET.Element, bar: int, staff: int, state: _Staff) -> list[Note]:
    found: list[Note] = []
    waiting: list[
        tuple[ET.Element, list[ET.Element], Fraction]
    ] = []  # grace notes, then their main

    def add(note, around, grace=None, length=Fraction(0), main=None) -> None:
        pitch = _pitch(note)
        shown = next((e.get("staff") for e in (note, *reversed(around)) if e.get("staff")), staff)
        found.append(
            Note(
                note.get(ID, ""),
                bar,
                staff,
                int(shown),
                pitch,
                state.transposed,
                grace,
                length,
                main,
                _why_silent(note, around, pitch),
                state.program,
            )
        )

    def lead_to(main: str | None) -> None:
        left = Fraction(0)
        before = None
        for note, around, length in reversed(waiting):
            chord = around[-1] if around and around[-1].tag == f"{SPACE}chord" else note
            if chord is not before:
                left += length
            before = chord
            add(note, around, left, length, main)
        waiting.clear()

    for note, around in _layer(layer):
        if any(e.get("grace") or e.tag == f"{SPACE}graceGrp" for e in (note, *around)):
            waiting.append((note, around, _length(note, *reversed(around))))
            continue
        lead_to(note.get(ID))
        add(note, around)
    lead_to(None)
    return found


def _staff_definitions(element: ET.Element, staves: dict[int, _Staff], program=None) -> None:
    """Take over what a definition of the score or of some staves says."""
    if (said := element.find(f"{SPACE}instrDef")) is not None and said.get("midi.instrnum"):
        program = int(said.get("midi.instrnum"))
    if element.tag == f"{SPACE}staffDef" and element.get("n"):
        state = staves.setdefault(int(element.get("n")), _Staff())
        if element.get("trans.semi"):
            state.transposed = int(element.get("trans.semi"))
        if program is not None:
            state.program = program
    for child in element:
        if child.tag in (f"{SPACE}staffGrp", f"{SPACE}staffDef"):
            _staff_definitions(child, staves, program)


def _jumps(measure: ET.Element, bar: Bar) -> None:
    for element in measure.iter():
        kind = element.get("func") if element.tag == f"{SPACE}repeatMark" else None
        kind = element.get("type") if element.tag == f"{SPACE}dir" else kind
        if name := JUMPS.get((kind or "").lower()):
            setattr(bar, name, "1" if name in ("segno", "coda", "dalsegno", "to_coda") else True)


def _expansion(root: ET.Element, bars: list[Bar]) -> list[int] | None:
    """The order of bars that the score's first expansion asks for."""
    said = next(root.iter(f"{SPACE}expansion"), None)
    if said is None:
        return None
    number = {bar.name: place for place, bar in enumerate(bars)}
    within = {
        element.get(ID): [
            number[bar.get(ID)] for bar in element.iter(f"{SPACE}measure") if bar.get(ID) in number
        ]
        for element in root.iter()
        if element.tag in (f"{SPACE}section", f"{SPACE}ending")
    }
    parts = [within.get(part.removeprefix("#")) for part in said.get("plist", "").split()]
    if not parts or None in parts:
        return None
    return [bar for part in parts for bar in part]


def read(text: str) -> Score:
    """Read an MEI file as Verovio writes it."""
    root = ET.fromstring(text)
    score = Score(chord_symbols=sum(1 for _ in root.iter(f"{SPACE}harm")))
    staves: dict[int, _Staff] = {}
    music = next(root.iter(f"{SPACE}score"), None)
    starts: dict[str, list[str]] = {}

    def add_bar(measure: ET.Element, endings: list[int]) -> None:
        left, right = measure.get("left", ""), measure.get("right", "")
        bar = Bar(measure.get(ID, ""), measure.get("n", ""), endings=set(endings))
        bar.start_repeat = left in ("rptstart", "rptboth")
        bar.end_repeat = 2 if right in ("rptend", "rptboth") else 0
        _jumps(measure, bar)
        for staff in measure.findall(f"{SPACE}staff"):
            number = score.staves[staff.get(ID, "")] = int(staff.get("n", 0))
            for layer in staff.findall(f"{SPACE}layer"):
                state = staves.setdefault(number, _Staff())
                score.notes += _notes(layer, len(score.bars), number, state)
        for tie in measure.findall(f"{SPACE}tie"):
            begin, end = (tie.get(name, "").removeprefix("#") for name in ("startid", "endid"))
            if begin and end:
                score.ties[end] = begin
        for note in measure.iter(f"{SPACE}note"):
            if note.get("tie", "") in ("m", "t"):
                score.loose.add(note.get(ID, ""))
        score.bars.append(bar)
        if right == "rptboth":
            starts.setdefault("next", []).append(bar.name)

    def walk(element: ET.Element, endings: list[int]) -> None:
        for child in element:
            if child.tag in (f"{SPACE}scoreDef", f"{SPACE}staffGrp", f"{SPACE}staffDef"):
                _staff_definitions(child, staves)
            elif child.tag == f"{SPACE}measure":
                add_bar(child, endings)
            elif child.tag == f"{SPACE}ending":
                walk(child, ending_numbers(child.get("n", "")))
            elif child.tag != f"{SPACE}expansion":
                walk(child, endings)

    if music is not None:
        walk(music, [])
    for bar, following in zip(score.bars, score.bars[1:], strict=False):
        if bar.name in starts.get("next", ()):
            following.start_repeat = True
    score.order = _expansion(root, score.bars)
    return score
