"""Find the written rhythm of a melody that was played: ticks become note values.

MIDI files of notation programs and sequencers seldom hold exact values: MuseScore sounds a note for
95 % of its length, others end it some ticks early or late, "humanise" onsets or let notes overlap.
The rule, in quarter notes:

Onsets. The coarsest grid of 1/2, 1/4 and 1/8 is taken (eighths, sixteenths, thirty-seconds) from
which every onset of the piece is less than a tolerance away, and on which no two onsets fall
together. The tolerance is 1/16 for the first two and 1/48 for the last: less than the way to any
position of a finer grid or of a triplet, which therefore is never taken for another. If none fits,
the piece has triplets, swing or free time, and is refused.

Lengths. A gap of less than 1/12 before the next onset is never a rest. If all lengths of the piece
are multiples of a sixteenth (of the grid, if that is finer) to within 1/96, they are taken as they
stand. Else the piece's articulation is found from its notes without a rest after: those that sound
for at least 55 % of the time to the next onset. It is a ratio of played to written length, or a gap
between the two, whichever fits these notes better, each as their median. The written length is the
multiple of a thirty-second, at most up to the next onset, that differs least in ratio from the one
so expected, where each notehead and rest that it needs counts like a difference of 5 %, and of the
median deviation besides if the piece's lengths vary.

Notes may overlap by less than 1/8 and less than half of the shorter: legato, not polyphony.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from pipeline.reading.melody import split_duration

# Grid of onsets and how far an onset may lie off it, in quarter notes, from the coarsest.
GRIDS = (
    (Fraction(1, 2), Fraction(1, 16)),
    (Fraction(1, 4), Fraction(1, 16)),
    (Fraction(1, 8), Fraction(1, 48)),
)
SHORTEST = Fraction(1, 8)  # written length, in quarter notes: a thirty-second
LEGATO = Fraction(1, 12)  # quarter notes; a shorter gap before the next note is articulation
OVERLAP = Fraction(1, 8)  # quarter notes; notes that overlap by less are legato
ARTICULATED = Fraction(55, 100)  # of the time to the next onset; such notes show the articulation
EXACT = Fraction(1, 96)  # quarter notes: five ticks of 480
EXACT_STEP = Fraction(1, 4)  # quarter notes
# Of one more notehead or rest, as a difference in the logarithm of the length; the median deviation
# of the piece's lengths is added.
SYMBOL_COST = 0.05
TRIPLET_LENGTHS = (Fraction(1, 6), Fraction(1, 3), Fraction(2, 3), Fraction(4, 3))
TRIPLET_TOLERANCE = Fraction(1, 160)  # quarter notes: three ticks of 480


class TimedNote(NamedTuple):
    """A note: onset and offset in quarter notes, pitch and velocity as in MIDI."""

    onset: Fraction
    offset: Fraction
    pitch: int
    velocity: int

    @property
    def length(self) -> Fraction:
        return self.offset - self.onset


def nearest(position: Fraction, step: Fraction) -> Fraction:
    """The multiple of a step that is nearest to a position."""
    return round(position / step) * step


def check_monophonic(notes: Sequence[TimedNote]) -> None:
    """Raise ValueError if notes, in order of onset, overlap by more than legato."""
    for note, following in itertools.pairwise(notes):
        overlap = note.offset - following.onset
        shorter = min(note.length, following.length)
        if overlap > 0 and (overlap >= OVERLAP or 2 * overlap >= shorter):
            raise ValueError("polyphonic: notes overlap")


def written_notes(notes: Sequence[TimedNote]) -> list[TimedNote]:
    """The written rhythm of a monophonic melody by the rule of this module.

    Args:
        notes: in order of onset, each longer than nothing.

    Raises:
        ValueError: if the onsets fit no grid, or a note is too short or a triplet.
    """
    onsets, step = _written_onsets([note.onset for note in notes])
    step = min(step, EXACT_STEP)
    steps = [nearest(note.length, step) for note in notes]
    exact = all(
        length > 0 and abs(note.length - length) < EXACT
        for note, length in zip(notes, steps, strict=True)
    )
    limits = [later - onset for onset, later in itertools.pairwise(onsets)]
    articulation = None if exact else _articulation(notes, limits)
    gaps = [following.onset - note.offset for note, following in itertools.pairwise(notes)]
    found = []
    for note, onset, limit, gap in zip(notes, onsets, [*limits, None], [*gaps, None], strict=True):
        if gap is not None and gap < LEGATO:
            length = limit
        elif articulation is None:
            length = nearest(note.length, step)
        else:
            length = _written_length(note.length, articulation, limit)
        found.append(note._replace(onset=onset, offset=onset + length))
    return found


def _written_onsets(onsets: Sequence[Fraction]) -> tuple[list[Fraction], Fraction]:
    """The onsets on the coarsest grid that fits them, and its step."""
    for step, tolerance in GRIDS:
        snapped = [nearest(onset, step) for onset in onsets]
        if len(set(snapped)) == len(snapped) and all(
            abs(onset - position) < tolerance
            for onset, position in zip(onsets, snapped, strict=True)
        ):
            return snapped, step
    wrong = next(
        (onset for onset in onsets if abs(onset - nearest(onset, step)) >= tolerance), onsets[0]
    )
    raise ValueError(
        "an onset fits no grid of eighths, sixteenths or thirty-seconds; triplets, swing and free"
        f" time cannot be written (at quarter {float(wrong):.4g})"
    )


class _Articulation(NamedTuple):
    """How played lengths follow from written ones: `ratio * written - gap`, in quarter notes."""

    ratio: Fraction
    gap: Fraction
    deviation: float  # median, of the logarithm of lengths

    def expected(self, length: Fraction) -> Fraction:
        """The written length that a played one suggests."""
        return (length + self.gap) / self.ratio


def _articulation(notes: Sequence[TimedNote], limits: Sequence[Fraction]) -> _Articulation:
    """The articulation of a piece, from its notes without a rest after."""
    pairs = [
        (note.length, limit)
        for note, limit in zip(notes, limits, strict=False)
        if note.length >= ARTICULATED * limit
    ]
    if not pairs:
        return _Articulation(Fraction(1), Fraction(0), 0.0)
    ratio = statistics.median_low(length / limit for length, limit in pairs)
    gap = statistics.median_low(limit - length for length, limit in pairs)
    found = []  # (mean deviation, articulation)
    for model in (_Articulation(ratio, Fraction(0), 0.0), _Articulation(Fraction(1), gap, 0.0)):
        deviations = [
            abs(math.log(model.expected(length) / limit)) if length > -gap else math.inf
            for length, limit in pairs
        ]
        median = statistics.median_low(deviations)
        found.append((statistics.fmean(deviations), model._replace(deviation=median)))
    return min(found, key=lambda pair: pair[0])[1]


def _written_length(
    length: Fraction, articulation: _Articulation, limit: Fraction | None
) -> Fraction:
    """The written length of a note of some played length, at most `limit` (None: no note after)."""
    expected = articulation.expected(length)
    if expected < SHORTEST / 2 and (limit is None or limit > SHORTEST):
        raise ValueError(f"a note too short to write ({float(length):.3g} quarter notes)")
    longest = limit if limit is not None else SHORTEST * math.ceil(2 * expected / SHORTEST)
    count = int(longest / SHORTEST)
    near = range(
        max(1, int(expected / 2 / SHORTEST)), min(count, math.ceil(2 * expected / SHORTEST)) + 1
    )
    candidates = {number * SHORTEST for number in near} | ({limit} if limit is not None else set())

    symbol_cost = SYMBOL_COST + articulation.deviation

    def cost(value: Fraction) -> float:
        symbols = len(split_duration(value))
        if limit is not None and value < limit:
            symbols += len(split_duration(limit - value))
        return abs(math.log(expected / value)) + symbol_cost * symbols

    written = min(sorted(candidates), key=cost)
    triplet = min(TRIPLET_LENGTHS, key=lambda value: abs(expected - value))
    if written != limit and abs(expected - triplet) < TRIPLET_TOLERANCE:
        raise ValueError(f"a duration of {triplet} quarter notes cannot be written")
    return written
