"""A score as it is written: bars, and notes with the ids by which its pages show them. Times are in
quarters from the beginning, no repeat played."""

from dataclasses import dataclass, field
from fractions import Fraction

from pipeline.reading.unfolding import Bar

HIDDEN, UNPITCHED = "hidden", "unpitched"  # why a note does not sound
SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}  # above C


@dataclass(frozen=True)
class Note:
    """A written note."""

    name: str  # its id
    bar: int
    staff: int  # number of the staff that shows it, from 1 at the top of the score
    pitch: int | None  # as written, MIDI
    transposed: int  # semitones from written to sounding
    begin: Fraction  # of a grace note: where its main note begins
    end: Fraction
    grace: Fraction | None = None  # quarters, as written, from a grace note to its main note
    length: Fraction = Fraction(0)  # of a grace note, as written
    left_out: str | None = None  # why it does not sound: HIDDEN or UNPITCHED
    program: int | None = None  # General MIDI, from 0
    part: int = 0  # tells the parts apart, if they are known


@dataclass
class Score:
    """A written score."""

    bars: list[Bar] = field(default_factory=list)
    begins: list[Fraction] = field(default_factory=list)  # of the bars, and where the last ends
    notes: list[Note] = field(default_factory=list)
    ties: dict[str, str] = field(default_factory=dict)  # id of a note -> of the one it prolongs
    loose: set[str] = field(default_factory=set)  # ids of notes that end a tie of unknown start
    tempi: list[tuple[Fraction, float]] = field(default_factory=list)  # quarters a minute
    chord_symbols: int = 0
    order: list[int] | None = None  # in which the bars are played


def grace_leads(lengths: list[tuple[Fraction, bool]]) -> list[Fraction]:
    """How long before their main note grace notes begin, as written.

    Args:
        lengths: of the grace notes in order, each with whether it sounds with the one before.
    """
    found: list[Fraction] = []
    left = Fraction(0)
    for length, together in reversed(lengths):
        found.append(left + length)
        if not together:
            left += length
    return found[::-1]
