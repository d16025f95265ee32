"""The printed score as a line of bars: where each begins, what sounds in it, and which bar may
follow which.

A position is counted in quarters from the first page to the last, repeats not played. The tables
say what is played if all repeats are, so they also say where repeats and jumps lead.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

CLOSE = 1e-3  # quarters: two positions are the same
BAR_QUARTERS = 4.0  # of a bar where the tables do not name bars
SECONDS_A_QUARTER = 0.5  # if the tables do not tell the tempo


class PlayedNote(NamedTuple):
    """A note of the printed score; quarters, and seconds as printed without repeats."""

    position: float
    begin: float  # s
    end: float  # s
    pitch: int
    grace: bool
    noteheads: tuple[int, ...]
    note_id: int


@dataclass(frozen=True)
class Bar:
    """A bar, or the part of one up to a repeat sign.

    Attributes:
        number: As printed; None if not known.
        position: Of its beginning.
        end: Where the next begins.
        begin_s: Seconds from the beginning of the printed score.
        end_s: Seconds at its end.
        first_beat: Quarters from the bar's beginning to `position`; negative in a pickup.
    """

    number: str | None
    position: float
    end: float
    begin_s: float
    end_s: float
    first_beat: float


@dataclass(frozen=True)
class Score:
    """A score whose pages, noteheads and notes are known.

    Attributes:
        bars: In print order.
        notes: Notes by bar, as printed: a note that a repeat plays twice is there once.
        order: Numbers of the bars as they are played if all repeats and jumps are.
        jumps: Pairs of bars that follow one another in `order` and not in print.
    """

    bars: list[Bar]
    notes: list[list[PlayedNote]]
    order: list[int]
    jumps: set[tuple[int, int]]


class _Run(NamedTuple):
    """Notes that are played in print order: played onset minus position is the same for all."""

    first: float  # position of its first note
    last: float  # position of its last note
    shift: float


def positions(noteheads: list[dict]) -> dict[int, float]:
    """The position of each notehead by its number.

    The moments of several scores of one file each begin at 0; they are put one after the other.
    """
    found: dict[int, float] = {}
    base = latest = 0.0
    reached = -np.inf  # the last moment of the systems before
    by_system: dict[int, list[dict]] = defaultdict(list)
    for row in noteheads:
        by_system[row["system"]].append(row)
    for _, rows in sorted(by_system.items()):
        if min(row["moment"] for row in rows) < reached - BAR_QUARTERS:
            base, reached = latest + BAR_QUARTERS, -np.inf
        for row in rows:
            found[row["notehead_id"]] = base + row["moment"]
        reached = max(reached, *(row["moment"] for row in rows))
        latest = max(latest, base + reached)
    return found


def _runs(notes: list[dict], position: dict[int, float], grace: set[int]) -> list[_Run]:
    """The notes' way through the print, in the order played."""
    shifts: dict[float, list[tuple[float, float]]] = defaultdict(list)
    for note in notes:
        head = note["notehead_id"]
        if head in position and head not in grace:
            shifts[round(note["onset"], 6)].append((note["onset"] - position[head], position[head]))
    runs: list[_Run] = []
    for _, pairs in sorted(shifts.items()):
        values = [shift for shift, _ in pairs]
        shift = max(values, key=lambda value: sum(abs(value - v) < CLOSE for v in values))
        if runs and any(abs(value - runs[-1].shift) < CLOSE for value in values):
            shift = runs[-1].shift
        where = next(at for value, at in pairs if abs(value - shift) < CLOSE)
        if runs and abs(shift - runs[-1].shift) < CLOSE:
            runs[-1] = runs[-1]._replace(last=max(where, runs[-1].last))
        else:
            runs.append(_Run(where, where, shift))
    return runs


def _bar_lines(noteheads: list[dict], position: dict[int, float]) -> dict[float, tuple]:
    """The beginning of each bar: its number as printed and the first beat (not 0 in a pickup)."""
    first: dict[tuple, tuple[float, float]] = {}
    for row in noteheads:
        if row.get("bar") is None or row.get("beat") is None:
            continue
        at, beat = position[row["notehead_id"]], row["beat"]
        if beat >= 0:
            first.setdefault((row["bar"], round(at - beat, 6)), (at - beat, 0.0))
        else:  # a pickup begins where its first note does
            key = (row["bar"], round(at - beat, 6), "pickup")
            first[key] = min(first.get(key, (at, beat)), (at, beat))
    found: dict[float, tuple] = {}
    for (number, *_), (at, beat) in first.items():
        if not any(abs(at - other) < CLOSE for other in found):
            found[at] = (number, beat)
    if not found:
        at = min(position.values())
        while at <= max(position.values()):
            found[at] = (None, 0.0)
            at += BAR_QUARTERS
    return found


def _jump_places(runs: list[_Run], lines: list[float]) -> list[tuple[float, float]]:
    """From where to where each run after the first jumps."""
    found = []
    for before, after in pairwise(runs):
        back = before.shift - after.shift  # from the goal to where the jump begins
        goals = [line for line in lines if line <= after.first + CLOSE]
        goals = [goal for goal in goals if goal - back > before.last + CLOSE]
        at_lines = [g for g in goals if any(abs(g - back - line) < CLOSE for line in lines)]
        goal = max(at_lines or goals or [after.first])
        found.append((goal - back, goal))
    return found


def _seconds(notes: list[dict], runs: list[_Run], marks: np.ndarray) -> np.ndarray:
    """Seconds from the first mark to each, at the tempo of the score; marks ascend."""
    onsets = np.array([note["onset"] for note in notes])
    seconds = np.array([note["onset_s"] for note in notes])
    onsets, first = np.unique(onsets, return_index=True)
    seconds = np.maximum.accumulate(seconds[first])
    found = np.zeros(len(marks))
    for number, (here, there) in enumerate(pairwise(marks)):
        run = next(
            (r for r in runs if r.first - CLOSE <= here and there <= r.last + CLOSE),
            next((r for r in runs if r.first - CLOSE <= here <= r.last + CLOSE), None),
        )
        rate = SECONDS_A_QUARTER
        if run is not None and len(onsets) > 1:
            middle = (here + there) / 2 + run.shift
            place = int(np.clip(np.searchsorted(onsets, middle), 1, len(onsets) - 1))
            quarters = onsets[place] - onsets[place - 1]
            rate = (seconds[place] - seconds[place - 1]) / quarters
        found[number + 1] = found[number] + np.clip(rate, 0.05, 8.0) * (there - here)
    return found


def read(noteheads: pa.Table, notes: pa.Table) -> Score:
    """Find the bars of a score, their notes, and the ways through them.

    Args:
        noteheads: Rows of NOTEHEADS of one piece.
        notes: Rows of NOTES of the piece, repeats played.

    Raises:
        ValueError: If the score has no notes that are printed.
    """
    heads, played = noteheads.to_pylist(), notes.to_pylist()
    position = positions(heads) if heads else {}
    grace = {row["notehead_id"] for row in heads if row["grace"]}
    runs = _runs(played, position, grace)
    if not runs:
        raise ValueError("no note of the score is printed, so there is nothing to follow")
    lines = _bar_lines(heads, position)
    jumps = _jump_places(runs, sorted(lines))
    last = max(
        max(position.values()) + CLOSE,
        *(n["onset"] + n["duration"] - run.shift for n in played for run in runs[-1:]),
    )
    last = min(last, max(*lines, max(position.values())) + 4 * BAR_QUARTERS)
    places = sorted([*lines, *(place for pair in jumps for place in pair), runs[0].first])
    places = [p for p, q in pairwise([*places, np.inf]) if q - p > CLOSE and p < last - CLOSE]
    places.append(last)
    marks = np.unique(np.array([*places, *(p for p in position.values() if p < last)]))
    seconds = _seconds(played, runs, marks)
    bars = []
    for begin, end in pairwise(places):
        line = max((at for at in lines if at <= begin + CLOSE), default=min(lines))
        number, beat = lines[line]
        begin_s, end_s = np.interp([begin, end], marks, seconds)
        bars.append(Bar(number, begin, end, float(begin_s), float(end_s), beat + begin - line))
    begins = np.array(places[:-1])
    order = _order(runs, jumps, begins, last)
    return Score(
        bars,
        _notes(played, position, grace, runs, bars, (marks, seconds)),
        order,
        {(a, b) for a, b in pairwise(order) if b != a + 1},
    )


def _order(runs: list[_Run], jumps: list[tuple], begins: np.ndarray, last: float) -> list[int]:
    """Numbers of the bars in the order played."""
    order: list[int] = []
    starts = [min(runs[0].first, begins[0]), *(goal for _, goal in jumps)]
    fine = min((at for at in begins if at > runs[-1].last + CLOSE), default=last)
    ends = [*(place for place, _ in jumps), fine]
    for start, end in zip(starts, ends, strict=True):
        inside = (begins >= start - CLOSE) & (begins < end - CLOSE)
        order += np.flatnonzero(inside).tolist()
    return order


def _notes(played, position, grace, runs, bars, clock) -> list[list[PlayedNote]]:
    """The notes of each bar, each once."""
    begins = np.array([bar.position for bar in bars])
    shifts = {run.shift for run in runs}
    near: dict[tuple, PlayedNote] = {}
    anchors: dict[tuple, float] = {}  # a grace note belongs to the bar of its main note
    latest = runs[0].shift
    for note in played:
        head = note["notehead_id"]
        if head in position:
            where = position[head]
            shift = note["onset"] - where
            if head not in grace and any(abs(shift - s) < CLOSE for s in shifts):
                latest = shift
            if head in grace:
                where = min(note["onset"] - latest, where)
        else:
            where = note["onset"] - latest
        if where < begins[0] - BAR_QUARTERS or where > bars[-1].end:
            continue
        key = (round(where, 3), note["pitch"])
        begin, end = np.interp([where, where + note["duration"]], *clock)
        if where + note["duration"] > clock[0][-1]:
            end = begin + max(note["duration_s"], 0.05)
        old = near.get(key)
        anchors.setdefault(key, position.get(head, where))
        ids = () if head is None else (head,)
        if old is None:
            near[key] = PlayedNote(
                where, float(begin), float(end), note["pitch"], head in grace, ids, note["note_id"]
            )
        else:
            near[key] = old._replace(
                end=max(old.end, float(end)),
                noteheads=tuple(dict.fromkeys(old.noteheads + ids)),
            )
    found: list[list[PlayedNote]] = [[] for _ in bars]
    for key, printed in sorted(near.items(), key=lambda pair: (pair[1].position, pair[1].pitch)):
        bar = max(int(np.searchsorted(begins, anchors[key] + CLOSE, side="right")) - 1, 0)
        found[bar].append(printed)
    return found
