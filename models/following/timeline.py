"""What is shown at which second of a recording: the cursor, the noteheads that sound, and words."""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from models.following.alignment import Alignment, Span

QUARTER_S = 0.5  # assumed for a quarter note if an alignment does not tell the tempo
HURRIED = 0.4  # of the usual time of a quarter note: less between two onsets is a leap forward
LAST_S = 1.0  # that the last onset is shown for if nothing tells how long it sounds
TIMES = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


@dataclass(frozen=True)
class Stop:
    """Where the cursor stands at an onset, and what is said of it."""

    onset_s: float
    system: int
    x: float  # px in the page
    until: float | None  # s at which the aligned part ends; None if the next onset follows
    label: str
    sureness: float


@dataclass(frozen=True)
class Sounding:
    """A notehead that sounds for a while."""

    onset_s: float
    duration_s: float
    notehead_id: int
    stop: int  # index of the onset among the stops


def clock(seconds: float) -> str:
    """Minutes and seconds: 1:03."""
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def described(span: Span) -> str:
    """A part that is not aligned, in words: "silence 0:00-0:02"."""
    if span.what == "cut":
        return f"cut at {clock(span.start)}"
    return f"{span.what} {clock(span.start)}–{clock(span.end)}"


def stops(alignment: Alignment) -> list[Stop]:
    """The stops of the cursor in the order heard, one for each row of the table."""
    rows = alignment.table.to_pylist()
    numbers = _numbers_on_page(alignment)
    places = [_place(row, numbers) for row in rows]
    repeated = {place for place, row in zip(places, rows, strict=True) if (row["pass"] or 1) > 1}
    found = []
    for label, row, until in zip(places, rows, _ends(alignment), strict=True):
        if label in repeated and row["pass"]:
            label += f", {_ordinal(row['pass'])} time"
        found.append(
            Stop(row["time"], row["system"], row["x"], until, label, row["sureness"] or 0.0)
        )
    return found


def _numbers_on_page(alignment: Alignment) -> dict[int, int]:
    """Which system of its page each system is, from 1."""
    counts: Counter[int] = Counter()
    found = {}
    for row in sorted(alignment.systems.to_pylist(), key=itemgetter("system")):
        counts[row["image"]] += 1
        found[row["system"]] = counts[row["image"]]
    return found


def _place(row: dict, numbers: dict[int, int]) -> str:
    """A row's bar; if its number is not known, its page and system, and which bar of these."""
    if row["bar"]:
        return f"bar {row['bar']}"
    place = f"page {row['page'] + 1}, system {numbers[row['system']]}"
    return f"{place}, bar {row['system_bar']}" if row["system_bar"] else place


def _ordinal(number: int) -> str:
    return TIMES[number] if number < len(TIMES) else f"{number}th"


def _ends(alignment: Alignment) -> list[float | None]:
    """For each row, the start of a part that is not aligned and comes before the next row."""
    times = alignment.table["time"].to_numpy()
    following = np.append(times[1:], np.inf)[: len(times)]  # there may be none
    starts = [span.start for span in alignment.about.unaligned]
    return [
        next((start for start in starts if time < start <= after), None)
        for time, after in zip(times, following, strict=True)
    ]


def soundings(alignment: Alignment) -> list[Sounding]:
    """When each notehead sounds, in the order heard.

    A note lasts as long as written, at the tempo in which the recording goes on from its onset; but
    not beyond a leap, or the start of a part that is not aligned.
    """
    table = alignment.table
    duration = {
        row["notehead_id"]: row["duration"]
        for row in alignment.notes.select(["notehead_id", "duration"]).to_pylist()
    }
    times = table["time"].to_numpy()
    onsets = table["onset"].to_numpy(zero_copy_only=False).astype(float)  # nan if not known
    limits = [alignment.about.duration if end is None else end for end in _ends(alignment)]
    leaps = _leaps(times, onsets)
    first = 0
    found = []
    for stop in range(len(times)):
        last = stop + 1 == len(times)
        if not (last or leaps[stop] or limits[stop] < times[stop + 1]):
            continue
        limit = min(limits[stop], np.inf if last else times[stop + 1])
        part = slice(first, stop + 1)
        found += _part(table["notehead_ids"][part].to_pylist(), times[part], onsets[part], first,
                       limit, duration)  # fmt: skip
        first = stop + 1
    return found


def _leaps(times: np.ndarray, onsets: np.ndarray) -> np.ndarray:
    """Whether the music leaps, back or forward, between each row and the next: (rows - 1,)."""
    quarters, seconds = np.diff(onsets), np.diff(times)
    usual = np.median((seconds / quarters)[quarters > 0]) if (quarters > 0).any() else QUARTER_S
    return ~(quarters >= 0) | ((quarters > 1) & (seconds < HURRIED * usual * quarters))


def _part(
    noteheads: list[list[int] | None],
    times: np.ndarray,
    onsets: np.ndarray,
    first: int,
    limit: float,
    duration: dict[int, float],
) -> list[Sounding]:
    """The soundings of rows that follow one another without a leap; `first` is their number."""
    span = np.ptp(onsets)
    tempo = np.ptp(times) / span if span > 0 else QUARTER_S  # s a quarter
    onsets = np.append(onsets, onsets[-1] + 1)
    times = np.append(times, times[-1] + tempo)
    found = []
    for row, ids in enumerate(noteheads):
        following = times[row + 1] if row + 1 < len(noteheads) else times[row] + LAST_S
        for notehead in ids or []:
            end = following
            if notehead in duration and np.isfinite(onsets[row]):
                goal = onsets[row] + duration[notehead]
                end = np.interp(goal, onsets, times) + tempo * max(0, goal - onsets[-1])
            end = max(min(end, limit), times[row])
            found.append(Sounding(times[row], end - times[row], notehead, first + row))
    return found


def positions(
    stops: list[Stop], right: dict[int, float], end_s: float, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the cursor stands: from onset to onset, and on to the end of a line.

    Args:
        stops: One at least.
        right: Where each system ends, px.
        end_s: Until when the last stop lasts.
        times: (n,) s, ascending.

    Returns:
        (n,) indices of the stops that have begun last, the first if none has, and (n,) px in
        their pages.
    """
    onsets = np.array([stop.onset_s for stop in stops])
    goals, ends = np.empty(len(stops)), np.empty(len(stops))
    for number, (stop, after) in enumerate(zip(stops, [*stops[1:], None], strict=True)):
        leaps = after is not None and after.system not in (stop.system, stop.system + 1)
        goals[number] = stop.x if leaps else right[stop.system]
        if after is not None and after.system == stop.system:
            goals[number] = max(after.x, stop.x)
        following = end_s if after is None else after.onset_s
        ends[number] = following if stop.until is None else stop.until
    index = np.maximum(np.searchsorted(onsets, times, side="right") - 1, 0)
    lasting = np.maximum(ends - onsets, 1e-9)[index]
    share = np.clip((times - onsets[index]) / lasting, 0, 1)
    x = np.array([stop.x for stop in stops])[index]
    return index, x + (goals[index] - x) * share


def end_s(stops: list[Stop], soundings: list[Sounding], duration: float) -> float:
    """When the last note of a recording has sounded."""
    ends = [note.onset_s + note.duration_s for note in soundings]
    ends += [stop.onset_s + LAST_S for stop in stops[-1:]]
    return min(max(ends, default=0.0), duration)


def readout(stops: list[Stop], unaligned: list[Span], seconds: float) -> str:
    """What is said at a time: "bar 12, second time · 1:23"."""
    silent = [span.what for span in unaligned if span.start <= seconds < span.end]
    begun = bisect_right(stops, seconds, key=lambda stop: stop.onset_s)
    if silent:
        return f"not aligned: {silent[0]} · {clock(seconds)}"
    label = stops[begun - 1].label if begun else "before the first note"
    return f"{label} · {clock(seconds)}"
