"""Read what a MusicXML score says of its notes: when they begin and end, their pitch and ties, and
the tempo. Durations in the file count, not the shapes of its notes."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from xml.etree import ElementTree as ET

from pipeline.reading import unfolding
from pipeline.reading.written import (
    HIDDEN,
    SEMITONES,
    UNPITCHED,
    Note,
    Score,
    grace_leads,
)

TYPES = {  # quarters of a note by the name of its shape
    "maxima": Fraction(32),
    "long": Fraction(16),
    "breve": Fraction(8),
    "whole": Fraction(4),
    "half": Fraction(2),
    "quarter": Fraction(1),
    "eighth": Fraction(1, 2),
    **{f"{1 << n}th": Fraction(4, 1 << n) for n in (4, 6, 7, 8, 9, 10)},
    "32nd": Fraction(1, 8),
}
LONGEST = Fraction(4096)  # quarters of a note or of a step in a bar; more is damage


@dataclass
class _Part:
    """What holds in a part until it is stated anew, and what waits for its next note."""

    first_staff: int
    programs: dict[str | None, int]
    divisions: Fraction = Fraction(1)  # a quarter
    transposed: dict[int, int] = field(default_factory=dict)  # by staff of the part; 0 is all
    waiting: dict[str, list[tuple[ET.Element, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )  # grace notes by voice, each with whether it belongs to the chord of the one before
    tied: dict[int, list[Note]] = field(default_factory=lambda: defaultdict(list))  # by pitch


@lru_cache(maxsize=4096)
def _number(text: str | None, default: Fraction = Fraction(0)) -> Fraction:
    text = (text or "").strip()
    try:
        value = Fraction(int(text) if text.isdecimal() else text)
    except (ValueError, ZeroDivisionError):
        return default
    return value if abs(value) < 10**9 else default


@lru_cache(maxsize=4096)
def _quarters(duration: str | None, divisions: Fraction) -> Fraction:
    return min(max(_number(duration) / divisions, Fraction(0)), LONGEST)


def _steps(element: ET.Element, part: _Part) -> Fraction:
    """Quarters of an element's duration."""
    return _quarters(element.findtext("duration"), part.divisions)


def _pitch(note: ET.Element) -> int | None:
    pitch = note.find("pitch")
    if pitch is None:
        return None
    step = (pitch.findtext("step") or "").strip().lower()
    octave = _number(pitch.findtext("octave"), Fraction(-9))
    found = 12 * (octave + 1) + SEMITONES.get(step, -200) + _number(pitch.findtext("alter"))
    return int(found) if 0 <= found <= 127 else None


def _written_length(note: ET.Element) -> Fraction:
    """Quarters of a grace note by its shape."""
    length = TYPES.get((note.findtext("type") or "").strip(), Fraction(1, 2))
    return length * (2 - Fraction(1, 2 ** len(note.findall("dot"))))


def _left_out(note: ET.Element, pitch: int | None) -> str | None:
    if note.get("print-object") == "no" or (note.findtext("notehead") or "").strip() == "none":
        return HIDDEN
    return UNPITCHED if pitch is None else None


def _programs(score_part: ET.Element) -> dict[str | None, int]:
    """General MIDI programs of a part by id of the instrument; under None that of the first."""
    found: dict[str | None, int] = {}
    for instrument in score_part.findall("midi-instrument"):
        program = int(_number(instrument.findtext("midi-program"))) - 1
        if 0 <= program <= 127:
            found[instrument.get("id")] = program
            found.setdefault(None, program)
    return found


class _Reader:
    """Walks through the parts of a score and gathers what they say."""

    def __init__(self, root: ET.Element):
        self.score = Score(bars=unfolding.of_musicxml(root))
        self.tempi: dict[Fraction, float] = {}  # that are to be played
        # Tempi that are printed; they count before the first that is to be played.
        self.marks: dict[Fraction, float] = {}
        self.ends: list[list[Fraction]] = []  # lengths of the bars by part

    def read_part(self, element: ET.Element, part: _Part, begins: list[Fraction]) -> None:
        """Read a part whose bars begin where `begins` says."""
        for bar, measure in enumerate(element.findall("measure")):
            self._measure(measure, part, bar, begins[bar])
            for voice in list(part.waiting):  # at its end, to no note of their own bar
                self._lead(part, voice, None, bar, begins[bar + 1])

    def _measure(self, measure: ET.Element, part: _Part, bar: int, begin: Fraction) -> None:
        now = last = begin
        for element in measure:
            if element.tag == "note":
                if element.find("grace") is not None:
                    together = element.find("chord") is not None
                    part.waiting[element.findtext("voice") or ""].append((element, together))
                    continue
                length = _steps(element, part)
                at = last if element.find("chord") is not None else now
                self._add(element, part, bar, at, at + length)
                if element.find("chord") is None:
                    last, now = now, now + length
            elif element.tag == "backup":
                now = max(now - _steps(element, part), begin)
            elif element.tag == "forward":
                now += _steps(element, part)
            elif element.tag == "attributes":
                _attributes(element, part)
            elif element.tag in ("direction", "sound"):
                self._tempo(element, part, now)
            elif element.tag == "harmony":
                self.score.chord_symbols += 1

    def _add(
        self, element: ET.Element, part: _Part, bar: int, begin: Fraction, end: Fraction
    ) -> None:
        """Add a note or rest, and the grace notes that lead to it."""
        voice = element.findtext("voice") or ""
        if part.waiting.get(voice) and element.find("chord") is None:
            self._lead(part, voice, element, bar, begin)
        if element.find("rest") is None:
            self._note(element, part, bar, begin, end)

    def _lead(
        self, part: _Part, voice: str, main: ET.Element | None, bar: int, begin: Fraction
    ) -> None:
        waiting = part.waiting.pop(voice, [])
        lengths = [(_written_length(note), together) for note, together in waiting]
        for (note, _), (length, _), lead in zip(
            waiting, lengths, grace_leads(lengths), strict=True
        ):
            self._note(note, part, bar, begin, begin, lead, length)

    def _note(
        self,
        element: ET.Element,
        part: _Part,
        bar: int,
        begin: Fraction,
        end: Fraction,
        lead: Fraction | None = None,
        length: Fraction = Fraction(0),
    ) -> None:
        staff = max(int(_number(element.findtext("staff"), Fraction(1))), 1)
        pitch = _pitch(element)
        used = element.find("instrument")
        name = None if used is None else used.get("id")
        note = Note(
            name=element.get("id", ""),
            bar=bar,
            staff=part.first_staff + staff - 1,
            pitch=pitch,
            transposed=part.transposed.get(staff, part.transposed.get(0, 0)),
            begin=begin,
            end=end,
            grace=lead,
            length=length,
            left_out=_left_out(element, pitch),
            program=part.programs.get(name, part.programs.get(None)),
            part=part.first_staff,
        )
        self.score.notes.append(note)
        if note.left_out is None and pitch is not None:
            self._tie(element, note, part.tied[pitch])

    def _tie(self, element: ET.Element, note: Note, waiting: list[Note]) -> None:
        kinds = {tie.get("type") for tie in element.findall("tie")}
        kinds |= {tie.get("type") for tie in element.findall("notations/tied")}
        if "stop" in kinds:
            fitting = [other for other in waiting if other.end == note.begin]
            if fitting:
                waiting.remove(fitting[0])
                self.score.ties[note.name] = fitting[0].name
            else:
                self.score.loose.add(note.name)
        if "start" in kinds:
            waiting.append(note)

    def _tempo(self, element: ET.Element, part: _Part, now: Fraction) -> None:
        sound = element if element.tag == "sound" else element.find("sound")
        offset = element.find("offset")
        if offset is not None and offset.get("sound") == "yes":
            now = max(now + _number(offset.text) / part.divisions, Fraction(0))
        if sound is not None and (tempo := _number(sound.get("tempo"))) > 0:
            self.tempi.setdefault(now, float(tempo))
        elif mark := _metronome(element):
            self.marks.setdefault(now, float(mark))


def _metronome(direction: ET.Element) -> Fraction | None:
    """Quarters a minute of a metronome mark."""
    for mark in direction.iter("metronome"):
        unit = TYPES.get((mark.findtext("beat-unit") or "").strip())
        said = re.search(r"\d+(\.\d+)?", mark.findtext("per-minute") or "")
        if unit and said and len(mark.findall("beat-unit")) == 1:
            dots = len(mark.findall("beat-unit-dot"))
            return _number(said[0]) * unit * (2 - Fraction(1, 2**dots))
    return None


def _attributes(element: ET.Element, part: _Part) -> None:
    divisions = _number(element.findtext("divisions"))
    if divisions > 0:
        part.divisions = divisions
    for transpose in element.findall("transpose"):
        octaves = _number(transpose.findtext("octave-change"))
        semitones = int(_number(transpose.findtext("chromatic")) + 12 * octaves)
        staff = int(_number(transpose.get("number")))
        if not staff:
            part.transposed.clear()
        part.transposed[staff] = semitones


def _lengths(element: ET.Element) -> list[Fraction]:
    """How long each bar of a part is, in quarters."""
    part = _Part(1, {})
    found = []
    for measure in element.findall("measure"):
        now = longest = Fraction(0)
        for child in measure:
            if child.tag == "attributes":
                _attributes(child, part)
            elif child.tag == "backup":
                now = max(now - _steps(child, part), Fraction(0))
            elif child.tag == "forward" or (
                child.tag == "note" and child.find("grace") is None and child.find("chord") is None
            ):
                now += _steps(child, part)
            longest = max(longest, now)
        found.append(longest)
    return found


def read(root: ET.Element) -> Score:
    """Read a MusicXML score (partwise) whose notes have ids."""
    reader = _Reader(root)
    elements = root.findall("part")
    lengths = [_lengths(element) for element in elements]
    begins = [Fraction(0)]
    for bar in range(len(reader.score.bars)):
        own = (part[bar] for part in lengths if bar < len(part))
        begins.append(begins[-1] + max(own, default=Fraction(0)))
    reader.score.begins = begins
    named = {part.get("id"): _programs(part) for part in root.iter("score-part")}
    staff = 1
    for element in elements:
        reader.read_part(element, _Part(staff, named.get(element.get("id"), {})), begins)
        staves = [int(_number(staves.text)) for staves in element.iter("staves")]
        staff += max([1, *staves])
    first = min(reader.tempi, default=None)
    before = {at: mark for at, mark in reader.marks.items() if first is None or at < first}
    reader.score.tempi = sorted((before | reader.tempi).items())
    return reader.score
