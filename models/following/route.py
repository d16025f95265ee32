"""The way through the score that a recording takes: which bars are played, in which order, and
which parts of the recording are not in the score.

A Viterbi search over positions in the print, a few a second. From one frame of the recording to the
next the music stays, goes on, or hurries; at the end of a bar it may also follow a repeat sign, at
a small penalty, or jump to any other bar, at a high one. A state beside the score takes what is not
in it: silence, applause, talk, another piece. A recording may begin and end anywhere.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from models.following.features import FPS, Features, of_notes
from models.following.score import Score

RATE = 5  # frames a second of the recording
MOST_CELLS = 2**28  # bytes of the Viterbi back-pointers; for a longer recording the rate is lower
LEAST_RATE = 1
TEMPI = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0)  # of the score's, that are tried first
SPEED_PENALTIES = (0.12, 0.0, 0.1, 0.5)  # to stay, go on, and skip one or two frames
REPEAT_PENALTY = 0.6  # to follow a repeat sign, or to pass over it
JUMP_PENALTY = 4.5  # to any other bar
BROKEN_OFF = 1.5  # more, if the music leaves a bar before its end
OUT_PENALTY = 3.5  # to leave the score, or to come back to it
OUTSIDE = 0.5  # distance of a frame that is not in the score
HUSH = 0.1  # the same of a silent frame
CENTRE = 0.7  # of the mean over pitch classes is subtracted: what all chroma share tells nothing
REST = 0.3  # distance of a silent frame from any position
BEGIN_PENALTIES = (0.0, 3.0)  # to begin with the first bar, with another


@dataclass(frozen=True)
class Visit:
    """A bar as it is heard.

    Attributes:
        bar: Its number in the score.
        start: Time at which it begins, s.
        end: Time at which it ends, s.
        cut: Whether the music jumps to it as no sign in the score says.
        times: (frames,) s, and `seconds` (frames,) seconds of the printed score at these times.
    """

    bar: int
    start: float
    end: float
    cut: bool
    times: np.ndarray
    seconds: np.ndarray


@dataclass(frozen=True)
class Route:
    """A way through the score.

    Attributes:
        visits: Bars in the order heard.
        outside: (start, end) in s of what is not in the score.
        total: Of all frames and penalties; the search makes it as small as it can.
        cost: Mean of a frame that sounds and is in the score, penalties included.
        share: Fraction of the frames that sound which are in the score.
        tempo: Of the recording, as a multiple of the score's.
    """

    visits: list[Visit]
    outside: list[tuple[float, float]]
    total: float
    cost: float
    share: float
    tempo: float


def coarse(chroma: np.ndarray, at: np.ndarray, width: np.ndarray | float) -> np.ndarray:
    """Chroma averaged about some times and normalised: (12, times) float32.

    Args:
        chroma: (12, frames), FPS a second.
        at: (times,) s.
        width: s, of the windows, or of each.
    """
    total = np.concatenate([np.zeros((12, 1)), np.cumsum(chroma, axis=1, dtype=np.float64)], axis=1)
    last = chroma.shape[1]
    begin = np.clip(np.rint((at - np.asarray(width) / 2) * FPS), 0, last - 1).astype(int)
    end = np.clip(np.rint((at + np.asarray(width) / 2) * FPS), begin + 1, last).astype(int)
    mean = (total[:, end] - total[:, begin]) / (end - begin)
    mean -= CENTRE * mean.mean(axis=0, keepdims=True)
    return (mean / np.maximum(np.linalg.norm(mean, axis=0), 1e-9)).astype(np.float32)


@dataclass(frozen=True)
class _Grid:
    """Positions in the print, a row of states."""

    bar: np.ndarray  # (states,)
    seconds: np.ndarray  # (states,) of the printed score, middle of the state
    first: np.ndarray  # (bars,) first state
    last: np.ndarray  # (bars,) last state
    chroma: np.ndarray  # (12, states)


def _grid(score: Score, chroma: np.ndarray, rate: float, tempo: float) -> _Grid:
    """States so that one frame of a recording at `tempo` takes one."""
    counts = [max(1, round((bar.end_s - bar.begin_s) / tempo * rate)) for bar in score.bars]
    last = np.cumsum(counts) - 1
    first = last - np.array(counts) + 1
    seconds = np.concatenate(
        [
            bar.begin_s + (np.arange(n) + 0.5) * (bar.end_s - bar.begin_s) / n
            for bar, n in zip(score.bars, counts, strict=True)
        ]
    )
    bar = np.repeat(np.arange(len(counts)), counts)
    begin = score.bars[0].begin_s
    return _Grid(bar, seconds, first, last, coarse(chroma, seconds - begin, 2 * tempo / rate))


def printed_features(score: Score) -> Features:
    """Features of the printed score, repeats not played, at its own tempo."""
    notes = [note for bar in score.notes for note in bar]
    begin = score.bars[0].begin_s
    onsets, ends, pitch = (
        np.array([getattr(note, name) for note in notes]) for name in ("begin", "end", "pitch")
    )
    frames = 1 + round((score.bars[-1].end_s - begin + 1) * FPS)
    return of_notes(onsets - begin, ends - begin, pitch, frames)


def find(score: Score, heard: Features) -> Route:
    """Find the way through a score that a recording takes.

    The tempo is found first, with few frames a second.
    """
    printed = printed_features(score).chroma
    seconds = heard.chroma.shape[1] / FPS
    length = score.bars[-1].end_s - score.bars[0].begin_s
    rate = float(RATE)
    while rate > LEAST_RATE and seconds * rate * length * rate / TEMPI[1] > MOST_CELLS:
        rate /= 2
    slow = max(rate / 2, LEAST_RATE / 2)
    costs = {tempo: _search(score, printed, heard, slow, tempo).total for tempo in TEMPI}
    best = min(costs, key=lambda tempo: costs[tempo])
    routes = [
        _search(score, printed, heard, rate, tempo) for tempo in (best * 0.84, best, best * 1.19)
    ]
    return min(routes, key=lambda route: route.total)


def _search(score: Score, printed: np.ndarray, heard: Features, rate: float, tempo: float) -> Route:
    grid = _grid(score, printed, rate, tempo)
    count = max(int(heard.chroma.shape[1] / FPS * rate), 1)
    times = (np.arange(count) + 0.5) / rate
    chroma = coarse(heard.chroma, times, 2 / rate)
    silent = np.interp(times, np.arange(len(heard.silent)) / FPS, heard.silent) > 0.5
    strokes = np.linalg.norm(heard.onsets, axis=0)
    strokes = np.interp(times, np.arange(len(strokes)) / FPS, maximum_filter1d(strokes, FPS // 2))
    busy = np.where(silent, 0.0, np.clip(strokes, 0, 1))
    path, total = viterbi(score, grid, chroma, silent, busy)
    away = path < 0
    inside = int((~silent & ~away).sum())
    cost = total - HUSH * (silent & away).sum() - OUTSIDE * (~silent & away).sum()
    visits, outside = _route(score, grid, path, times, rate)
    return Route(
        visits,
        outside,
        total,
        float(cost) / inside if inside else OUTSIDE,
        inside / max(int((~silent).sum()), 1),
        tempo,
    )


# What a state was reached by, in one byte: so many states back, or:
REPEATED, JUMPED, BROKEN, RETURNED = 4, 5, 6, 7
LEFT, STAYED_OUT = 8, 9


def viterbi(
    score: Score, grid: _Grid, chroma: np.ndarray, silent: np.ndarray, busy: np.ndarray
) -> tuple[np.ndarray, float]:
    """The cheapest way: (frames,) states, -1 outside the score, and its cost.

    Args:
        score: For the repeats.
        grid: States in the print.
        chroma: (12, frames) of the recording.
        silent: (frames,) bool.
        busy: (frames,) 0 to 1, whether notes begin about then; to stay costs less if none does.
    """
    frames, states = chroma.shape[1], len(grid.bar)
    begin_penalty = np.full(len(grid.first), BEGIN_PENALTIES[1])
    begin_penalty[score.order[0]] = BEGIN_PENALTIES[0]
    pairs = np.array(sorted(score.jumps), int).reshape(-1, 2)
    cost = np.full(states, np.inf)
    cost[grid.first] = begin_penalty
    outside = 0.0
    how = np.zeros((frames, states), np.uint8)
    how_out = np.zeros(frames, np.uint8)
    left_at = np.zeros(frames, np.int32)
    ended = np.zeros((frames, 2), np.int32)  # cheapest end of a bar, cheapest state
    sources = np.zeros((frames, len(grid.first)), np.int32)
    fermata = grid.last[score.order[-1]]  # the last chord may be held for long
    empty = ~grid.chroma.any(axis=0)
    natural = np.zeros(states)  # penalty to go on from the state before
    natural[grid.first[1:]] = _natural_penalties(score)
    for frame in range(frames):
        distance = np.full(states, REST)
        if not silent[frame]:
            distance = np.where(empty, OUTSIDE, 1 - grid.chroma.T @ chroma[:, frame])
        if frame:
            reach = np.full((RETURNED + 1, states), np.inf)
            for step, penalty in enumerate(SPEED_PENALTIES):
                reach[step, step:] = cost[: states - step] + penalty
                reach[step] += _crossed(natural, step)
            reach[0] = cost + SPEED_PENALTIES[0] * busy[frame]
            reach[0, fermata] = cost[fermata]
            ends = cost[grid.last]
            here, there = pairs[np.argsort(-ends[pairs[:, 0]])].T  # the cheapest is written last
            sources[frame, there] = grid.last[here]
            reach[REPEATED, grid.first[there]] = ends[here] + REPEAT_PENALTY
            ended[frame] = grid.last[ends.argmin()], cost.argmin()
            reach[JUMPED, grid.first] = ends.min() + JUMP_PENALTY
            reach[BROKEN, grid.first] = cost.min() + JUMP_PENALTY + BROKEN_OFF
            reach[RETURNED, grid.first] = outside + np.minimum(begin_penalty, OUT_PENALTY)
            how[frame] = reach.argmin(axis=0)
            fresh = reach[how[frame], np.arange(states)]
            leave = cost + OUT_PENALTY
            leave[fermata] -= OUT_PENALTY
            left_at[frame] = leave.argmin()
            how_out[frame] = LEFT if leave.min() < outside else STAYED_OUT
            outside = min(outside, float(leave.min()))
            cost = fresh
        cost = cost + distance
        outside += HUSH if silent[frame] else OUTSIDE
    return _back(grid, cost, outside, how, how_out, left_at, ended, sources)


def _crossed(natural: np.ndarray, step: int) -> np.ndarray:
    """Penalties of the bar lines that a step over so many states crosses."""
    found = np.zeros_like(natural)
    for back in range(step):
        found[back:] += natural[: len(natural) - back]
    return found


def _natural_penalties(score: Score) -> np.ndarray:
    """The penalty to go on to the next bar of the print: (bars - 1,)."""
    played = set(zip(score.order, score.order[1:], strict=False))
    leaves = {a for a, _ in played}
    jumping = {a for a, _ in score.jumps}
    found = np.zeros(len(score.bars) - 1)
    for bar in range(len(found)):
        if (bar, bar + 1) in played:
            found[bar] = REPEAT_PENALTY if bar in jumping else 0.0
        elif bar in leaves:
            found[bar] = REPEAT_PENALTY * 2
    return found


def _back(grid, cost, outside, how, how_out, left_at, ended, sources) -> tuple[np.ndarray, float]:
    """Follow the cheapest way back from the last frame."""
    frames = len(how)
    path = np.empty(frames, np.int64)
    state = -1 if outside < cost.min() else int(cost.argmin())
    total = float(min(outside, cost.min()))
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        if not frame:
            break
        if state < 0:
            state = int(left_at[frame]) if how_out[frame] == LEFT else -1
            continue
        kind = how[frame, state]
        if kind < REPEATED:
            state -= int(kind)
        elif kind == RETURNED:
            state = -1
        elif kind == REPEATED:
            state = int(sources[frame, grid.bar[state]])
        else:
            state = int(ended[frame, kind - JUMPED])
    return path, total


def _route(score, grid, path, times, rate) -> tuple[list[Visit], list[tuple[float, float]]]:
    """Bars and what lies between them, from the state of each frame."""
    visits: list[Visit] = []
    outside: list[tuple[float, float]] = []
    half = 0.5 / rate
    frame = 0
    while frame < len(path):
        start = frame
        if path[frame] < 0:
            while frame < len(path) and path[frame] < 0:
                frame += 1
            outside.append((float(times[start] - half), float(times[frame - 1] + half)))
            continue
        bar = grid.bar[path[frame]]
        frame += 1
        while frame < len(path) and path[frame] >= path[frame - 1] and grid.bar[path[frame]] == bar:
            frame += 1
        begin, end = float(times[start] - half), float(times[frame - 1] + half)
        cut = False
        if start and path[start - 1] < 0 and visits:
            last = visits[-1].bar
            cut = bar not in (last, last + 1, score.order[0]) and (last, bar) not in score.jumps
        elif start and path[start - 1] >= 0:
            before, here = int(path[start - 1]), int(path[start])
            last = int(grid.bar[before])
            if 0 <= here - before < len(SPEED_PENALTIES):
                for skipped in range(last + 1, bar):  # bars of less than a frame
                    visits.append(_visit(grid, skipped, begin, begin, False, [], times))
            else:
                cut = (last, int(bar)) not in score.jumps or before != grid.last[last]
        visits.append(
            _visit(grid, int(bar), begin, end, cut, path[start:frame], times[start:frame])
        )
    return visits, outside


def _visit(grid, bar: int, start: float, end: float, cut: bool, states, times) -> Visit:
    seconds = grid.seconds[np.asarray(states, int)]
    return Visit(bar, start, end, cut, np.asarray(times[: len(seconds)]), seconds)
