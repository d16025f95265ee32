"""A monophonic score: bars of notes and rests with repeats, and its text for LilyPond.

Every source of melodies (MIDI file, music21 work) is read into a `Melody`. Durations and onsets are
exact fractions of a quarter note.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from pipeline import constants

# Names of the seven steps along the line of fifths, F at -1, C at 0.
_FIFTHS = "fcgdaeb"
_STEP_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ALTERATIONS = {-2: "eses", -1: "es", 0: "", 1: "is", 2: "isis"}
# Durations that a single notehead shows, in quarter notes, and how LilyPond writes them.
WRITTEN = {
    Fraction(8): "\\breve",
    Fraction(6): "1.",
    Fraction(4): "1",
    Fraction(3): "2.",
    Fraction(2): "2",
    Fraction(3, 2): "4.",
    Fraction(1): "4",
    Fraction(3, 4): "8.",
    Fraction(1, 2): "8",
    Fraction(3, 8): "16.",
    Fraction(1, 4): "16",
    Fraction(3, 16): "32.",
    Fraction(1, 8): "32",
}
MAX_MICROSECONDS = 2**24  # of a quarter note, in a MIDI file; makes its tempo a fraction


@dataclass(frozen=True)
class Spelling:
    """A written pitch: step (a to g), alteration in semitones, octave (4 begins at middle C)."""

    step: str
    alteration: int
    octave: int

    @property
    def midi(self) -> int:
        """The MIDI number of the pitch."""
        return 12 * (self.octave + 1) + _STEP_SEMITONES[self.step] + self.alteration

    def lilypond(self) -> str:
        """The pitch as LilyPond's note name, such as `fis'`."""
        marks = "'" * (self.octave - 3) if self.octave >= 3 else "," * (3 - self.octave)
        return self.step + _ALTERATIONS[self.alteration] + marks


class Key(NamedTuple):
    """A key signature: sharps (flats negative), and whether the mode is minor."""

    fifths: int
    minor: bool

    def lilypond(self) -> str:
        """The key as LilyPond's command, such as `\\key d \\major`."""
        alteration, index = divmod(self.fifths + (3 if self.minor else 0) + 1, 7)
        mode = "\\minor" if self.minor else "\\major"
        return f"\\key {_FIFTHS[index]}{_ALTERATIONS[alteration]} {mode}"


@dataclass(frozen=True)
class Element:
    """One printed note or rest; `tied` means that it is held into the next one."""

    duration: Fraction  # quarter notes
    pitch: Spelling | None = None  # None: a rest
    tied: bool = False
    key: Key | None = None  # a new key signature, printed before it


@dataclass
class Bar:
    """The music between two bar lines; its length may differ from its metre (a pickup)."""

    metre: tuple[int, int]
    elements: list[Element] = field(default_factory=list)
    repeat_start: bool = False
    repeat_end: bool = False
    ending: int = 0  # 1, 2, ... under a volta bracket, else 0

    @property
    def length(self) -> Fraction:
        """The duration of the bar, in quarter notes."""
        return sum((element.duration for element in self.elements), Fraction(0))


@dataclass
class Melody:
    """A melody on one staff."""

    bars: list[Bar]
    fifths: int  # sharps of the key signature, flats negative
    minor: bool
    tempi: list[tuple[Fraction, float]]  # (quarter, repeats unfolded; quarters a minute)
    title: str = ""
    composer: str = ""


@dataclass
class Section:
    """Bars that are played a number of times, each pass with its own ending if there are any."""

    body: list[Bar]
    endings: list[list[Bar]]
    times: int

    def passes(self) -> Iterator[list[Bar]]:
        """The bars of each pass, in the order in which they sound."""
        for number in range(self.times):
            yield self.body + (self.endings[number] if self.endings else [])


def spell(midi: int, fifths: int) -> Spelling:
    """Spell a MIDI number under a key signature: its one name in a window of the line of fifths.

    The window reaches from the lowered third to the raised fifth of the major key (F to A sharp in
    D), so that the leading note of the relative minor is written as a sharp.
    """
    lowest = fifths - 3
    position = next(p for p in range(lowest, lowest + 12) if (7 * p - midi) % 12 == 0)
    alteration, index = divmod(position + 1, 7)
    step = _FIFTHS[index]
    octave = (midi - alteration - _STEP_SEMITONES[step]) // 12 - 1
    return Spelling(step, alteration, octave)


def split_duration(
    duration: Fraction, position: Fraction = Fraction(0), metre: tuple[int, int] = (4, 4)
) -> list[Fraction]:
    """Split a duration into ones that a single notehead shows, in order, to be tied.

    In a compound metre (6/8, 9/8, 12/8) a note that reaches over a beat begins on a beat and lasts
    whole beats.

    Args:
        duration: in quarter notes.
        position: of the onset in its bar, in quarter notes.
        metre: beats and beat unit of the bar.

    Raises:
        ValueError: if no sum of noteheads has this duration, as for a triplet.
    """
    beat = Fraction(12, metre[1]) if metre[0] % 3 == 0 and metre[0] > 3 else None
    pieces = []
    rest = duration
    while rest > 0:
        limit = rest
        if beat and (room := beat - position % beat) < rest:
            limit = room if room < beat else max(beat, rest // beat * beat)
        piece = next((value for value in WRITTEN if value <= limit), None)
        if piece is None:
            raise ValueError(f"a duration of {duration} quarter notes cannot be written")
        pieces.append(piece)
        position += piece
        rest -= piece
    return pieces


def sections(bars: list[Bar]) -> list[Section]:
    """Group bars by their repeat signs. Raises ValueError if the signs do not match."""
    found: list[Section] = []
    body: list[Bar] = []
    index = 0
    while index < len(bars):
        bar = bars[index]
        if bar.repeat_start and body:
            found.append(Section(body, [], 1))
            body = []
        if bar.ending:
            endings: list[list[Bar]] = []
            while index < len(bars) and bars[index].ending == len(endings) + 1:
                number = bars[index].ending
                endings.append([])
                while index < len(bars) and bars[index].ending == number:
                    endings[-1].append(bars[index])
                    index += 1
                    if endings[-1][-1].repeat_end:
                        break
            if len(endings) < 2 or not body:
                raise ValueError("volta brackets that do not come as 1, 2, ... after a passage")
            found.append(Section(body, endings, len(endings)))
            body = []
            continue
        body.append(bar)
        if bar.repeat_end:
            found.append(Section(body, [], 2))
            body = []
        index += 1
    if body:
        found.append(Section(body, [], 1))
    return found


def sounding_notes(melody: Melody) -> list[dict]:
    """The sounding notes, repeats unfolded and ties joined: onset, duration (quarters), pitch."""
    notes: list[dict] = []
    now = Fraction(0)
    held = False
    for section in sections(melody.bars):
        for bars in section.passes():
            for element in (element for bar in bars for element in bar.elements):
                if element.pitch is None:
                    held = False
                elif held and notes and notes[-1]["pitch"] == element.pitch.midi:
                    notes[-1]["duration"] += element.duration
                    held = element.tied
                else:
                    notes.append(
                        {"onset": now, "duration": element.duration, "pitch": element.pitch.midi}
                    )
                    held = element.tied
                now += element.duration
    return notes


_HEADER = f"""\\version "2.24.3"
\\paper {{
  #(set-paper-size "a4")
  line-width = {constants.LINE_WIDTH_MM}\\mm
  left-margin = {(constants.A4_WIDTH_MM - constants.LINE_WIDTH_MM) / 2}\\mm
  indent = {constants.FIRST_INDENT_MM}\\mm
  page-breaking = #ly:one-page-breaking
  system-system-spacing = #'((basic-distance . 20) (minimum-distance . 20) (padding . 2))
  tagline = ##f
}}
"""


def _element(element: Element) -> str:
    name = element.pitch.lilypond() if element.pitch else "r"
    key = f"{element.key.lilypond()} " if element.key else ""
    return key + name + WRITTEN[element.duration] + ("~" if element.tied else "")


def _bars(bars: list[Bar], metre: list) -> str:
    """LilyPond text of bars, one line each. `metre` has the metre in force, and is updated."""
    lines = []
    for bar in bars:
        line = []
        if metre != [bar.metre]:
            line.append(f"\\time {bar.metre[0]}/{bar.metre[1]}")
            metre[:] = [bar.metre]
        nominal = Fraction(4 * bar.metre[0], bar.metre[1])
        moment = bar.length / 4
        if bar.length < nominal:
            line.append(f"\\partial 1*{moment.numerator}/{moment.denominator}")
        elif bar.length > nominal:
            line.append(
                f"\\set Timing.measureLength = #(ly:make-moment {moment.numerator}"
                f" {moment.denominator})"
            )
            metre[:] = []  # the next bar states its metre again
        line += [_element(element) for element in bar.elements]
        lines.append("  " + " ".join([*line, "|"]))
    return "\n".join(lines)


def _music(melody: Melody) -> str:
    metre: list = []
    parts = []
    for section in sections(melody.bars):
        body = _bars(section.body, metre)
        if section.times == 1:
            parts.append(body)
            continue
        parts.append(f"  \\repeat volta {section.times} {{\n{body}\n  }}")
        if section.endings:
            endings = "\n".join(f"  {{\n{_bars(bars, metre)}\n  }}" for bars in section.endings)
            parts.append(f"  \\alternative {{\n{endings}\n  }}")
    return "\n".join(parts)


def _tempi(melody: Melody) -> str:
    """The tempo map of the unfolded score, as LilyPond skips between tempo settings."""
    line = []
    for index, (quarter, tempo) in enumerate(melody.tempi):
        wholes = Fraction(tempo / 4).limit_denominator(MAX_MICROSECONDS)
        line.append(
            "\\set Score.tempoWholesPerMinute = "
            f"#(ly:make-moment {wholes.numerator} {wholes.denominator})"
        )
        if index + 1 < len(melody.tempi):
            skip = (melody.tempi[index + 1][0] - quarter) / 4
            line.append(f"s1*{skip.numerator}/{skip.denominator}")
    return "\n  ".join([*line, "s1*0"])


def lilypond(melody: Melody) -> str:
    """A melody as a LilyPond file whose page has the repeat signs and whose MIDI unfolds them.

    Deterministic: equal melodies give equal text, one bar a line.
    """
    key = Key(melody.fifths, melody.minor).lilypond()
    return (
        f"{_HEADER}music = {{\n  {key}\n{_music(melody)}\n"
        f'  \\bar "|."\n}}\ntempi = {{\n  {_tempi(melody)}\n}}\n'
        "\\score {\n  \\new Staff \\music\n"
        '  \\layout { \\context { \\Score \\remove "Bar_number_engraver" } }\n}\n'
        "\\score {\n  << \\new Staff \\unfoldRepeats \\music \\new Voice \\tempi >>\n"
        "  \\midi { }\n}\n"
    )
