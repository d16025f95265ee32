"""Compare what sounds in two readings of a score: onset and pitch of every note, and the tempo."""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from pipeline.engraving.second_reader import SAME_ONSET, Reading

GRACE_LEADS = 2.0  # quarters by which a grace note may begin before its main note
SAME_TEMPO = 0.01  # relative


@dataclass(frozen=True)
class Comparison:
    """How far what sounds is from what a second reader found."""

    notes: int  # that either has
    different: int  # that only one of them has
    first_bar: int | None  # the first that differs, counted from 1 in the printed score
    tempi_different: int  # bars in which the tempo is another


def played(reading: Reading, order: list[int]) -> list[tuple[float, int, bool, int]]:
    """Notes of a reading, its bars played in an order: (onset, pitch, grace, bar)."""
    in_bar: dict[int, list[tuple[float, int, bool]]] = defaultdict(list)
    for onset, pitch, grace in reading.notes:
        bar = max(bisect_right(reading.bars, onset + SAME_ONSET) - 1, 0)
        in_bar[min(bar, len(reading.bars) - 2)].append((onset, pitch, grace))
    found = []
    now = 0.0
    for bar in order:
        if bar + 1 >= len(reading.bars):
            continue
        begin = reading.bars[bar]
        found += [(now + onset - begin, p, grace, bar) for onset, p, grace in in_bar[bar]]
        now += reading.bars[bar + 1] - begin
    return found


def _unmatched(
    ours: list[tuple[float, int]], theirs: list[tuple[float, int]], early: float
) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
    """What only one of two lists of (onset, pitch) has; ours may be `early` before theirs."""
    by_pitch: dict[int, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for which, notes in enumerate((ours, theirs)):
        for onset, pitch in notes:
            by_pitch[pitch][which].append(onset)
    left: tuple[list[tuple[float, int]], list[tuple[float, int]]] = ([], [])
    for pitch, (own, other) in by_pitch.items():
        own.sort()
        other.sort()
        i = j = 0
        while i < len(own) and j < len(other):
            if other[j] - own[i] > early:
                left[0].append((own[i], pitch))
                i += 1
            elif own[i] - other[j] > SAME_ONSET:
                left[1].append((other[j], pitch))
                j += 1
            else:
                i, j = i + 1, j + 1
        left[0].extend((onset, pitch) for onset in own[i:])
        left[1].extend((onset, pitch) for onset in other[j:])
    return left


def compare(
    notes: list[tuple[float, int, bool]],
    tied: list[tuple[float, int]],
    tempi: list[tuple[float, float]],
    reading: Reading,
    order: list[int],
) -> Comparison:
    """Compare what an engraver plays with a second reading of the source.

    Args:
        notes: (onset in quarters, pitch, whether a grace note) of every note, repeats played.
        tied: (onset, pitch) at which a tie prolongs one of them; a reader may not follow it.
        tempi: (quarter of the printed score, quarters a minute), as the engraver has them.
        reading: the second reading; `order` is the order in which its bars are played.
    """
    expected = played(reading, order)
    starts, now = [], 0.0
    for bar in order:
        starts.append(now)
        now += reading.bars[bar + 1] - reading.bars[bar] if bar + 1 < len(reading.bars) else 0.0
    different = 0
    at: list[float] = []
    for grace, early in ((False, SAME_ONSET), (True, GRACE_LEADS)):
        ours = [(onset, pitch) for onset, pitch, kind in notes if kind == grace]
        theirs = [(onset, pitch) for onset, pitch, kind, _ in expected if kind == grace]
        extra, missing = _unmatched(ours, theirs, early)
        _, missing = _unmatched(tied, missing, SAME_ONSET)
        different += max(len(extra), len(missing))
        at += [onset for onset, _ in extra + missing]
    first_bar = None
    if at and starts:
        first_bar = order[max(bisect_right(starts, min(at) + SAME_ONSET) - 1, 0)] + 1
    return Comparison(
        max(len(notes), len(expected)), different, first_bar, _tempi_different(tempi, reading)
    )


def _tempi_different(tempi: list[tuple[float, float]], reading: Reading) -> int:
    """Bars at whose beginning the tempo is another; a score that states none has none."""
    if not reading.tempi:
        return 0

    def at(quarter: float, changes: list[tuple[float, float]]) -> float | None:
        return next((bpm for when, bpm in reversed(changes) if when <= quarter + SAME_ONSET), None)

    found = 0
    for begin, _ in pairwise(reading.bars):
        ours, theirs = at(begin, tempi), at(begin, reading.tempi)
        if ours is not None and theirs is not None:
            found += abs(ours / theirs - 1) > SAME_TEMPO
    return found
