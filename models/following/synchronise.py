"""Fine synchronisation along a route: the time of every onset, by MrMsDTW of synctoolbox
(memory-restricted multi-scale dynamic time warping; Prätzlich, Driedger and Müller 2016).

The notes of the bars that were heard are put where the route says that they are, about, so that
recording and notes have nearly the same tempo; MrMsDTW then aligns chroma and onsets.
"""

from dataclasses import dataclass

import numpy as np

from models.following.features import FPS, SILENT_DB, Features, of_notes
from models.following.route import Route, Visit
from models.following.score import CLOSE, PlayedNote, Score

MARGIN_S = 0.5  # of the recording before and after the music that DTW sees as well
STEP_WEIGHTS = (1.5, 1.5, 2.0)  # of a step by either side, by both; high-resolution setting
HEARD_S = 0.05  # before and after all that sounds, the route may have an onset that is heard
AREA = 10**6  # cells that DTW computes at once


@dataclass(frozen=True)
class Onset:
    """An onset of the score as it is heard.

    Attributes:
        visit: Index of the bar's visit in the route.
        notes: Notes that begin here.
        coarse_s: Time by the route alone.
        time: Time in the recording, s.
    """

    visit: int
    notes: list[PlayedNote]
    coarse_s: float
    time: float


def unbroken(route: Route) -> list[tuple[int, int]]:
    """Runs of visits (first, stop) without anything outside the score, and no cut, between."""
    found: list[tuple[int, int]] = []
    first = 0
    for number, visit in enumerate(route.visits):
        away = number and (visit.cut or visit.start - route.visits[number - 1].end > 1e-6)
        if away:
            found.append((first, number))
            first = number
    if route.visits:
        found.append((first, len(route.visits)))
    return found


def _clock(visits: list[Visit], score: Score) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seconds of the score as played in these visits, where each begins; and the route's map.

    Returns:
        (visits,) seconds at which each begins when they are played one after the other, and
        the route as (points,) seconds as played and (points,) times.
    """
    begins, played, times = [], [], []
    now = 0.0
    first = visits[0]
    skipped = 0.0
    if len(first.seconds):  # the music may begin in the middle of a bar
        bar = score.bars[first.bar]
        step = _step(first)
        skipped = float(np.clip(first.seconds[0] - step / 2 - bar.begin_s, 0, None))
    now = -skipped
    for visit in visits:
        bar = score.bars[visit.bar]
        begins.append(now)
        played.append(now + visit.seconds - bar.begin_s)
        times.append(visit.times)
        now += bar.end_s - bar.begin_s
    return np.array(begins), np.concatenate(played), np.concatenate(times)


def _step(visit: Visit) -> float:
    """Seconds of the score from one frame to the next, about."""
    return float(np.median(np.diff(visit.seconds))) if len(visit.seconds) > 1 else 0.1


def onsets(score: Score, route: Route, heard: Features) -> list[Onset]:
    """The onsets of a route with their times, in order.

    Args:
        score: The printed score.
        route: From `route.find`.
        heard: Features of the recording.
    """
    found: list[Onset] = []
    for first, stop in unbroken(route):
        found += _align_part(score, route.visits[first:stop], heard, first)
    return found


def _align_part(score: Score, visits: list[Visit], heard: Features, number: int) -> list[Onset]:
    begins, played, times = _clock(visits, score)
    if len(played) < 2:
        return []
    smooth_played, smooth_times = _monotonic(played, times)
    start = max(visits[0].start - MARGIN_S, 0.0)
    end = min(visits[-1].end + MARGIN_S, heard.chroma.shape[1] / FPS)
    earliest, latest = _sounding(heard, start, end)
    if not any(score.notes[: visits[0].bar]):  # what begins the score is in the recording
        earliest = visits[0].start - MARGIN_S
    if not any(score.notes[visits[-1].bar + 1 :]):
        latest = visits[-1].end + MARGIN_S
    groups: list[tuple[int, list[PlayedNote], float, float]] = []
    for index, visit in enumerate(visits):
        bar = score.bars[visit.bar]
        for notes in _chords(score.notes[visit.bar]):
            now = begins[index] + notes[0].begin - bar.begin_s
            at = float(_extended(now, smooth_played, smooth_times))
            if earliest - HEARD_S <= at <= latest + HEARD_S:
                off = [
                    float(
                        _extended(begins[index] + n.end - bar.begin_s, smooth_played, smooth_times)
                    )
                    for n in notes
                ]
                groups.append((number + index, notes, at, max(off)))
    if not groups:
        return []
    coarse = np.array([group[2] for group in groups])
    fine = _fine(groups, coarse, heard, start, end)
    return [
        Onset(visit, notes, about, float(time))
        for (visit, notes, about, _), time in zip(groups, fine, strict=True)
    ]


def _sounding(heard: Features, start: float, end: float) -> tuple[float, float]:
    """The first and the last moment between two at which anything sounds, be it noise, s."""
    part = heard.level[round(start * FPS) : round(end * FPS) + 1]
    frames = np.flatnonzero(part >= heard.level.max() + SILENT_DB)
    return (start + frames[0] / FPS, start + frames[-1] / FPS) if len(frames) else (start, end)


def _chords(notes: list[PlayedNote]) -> list[list[PlayedNote]]:
    """Notes that begin together, grace notes by themselves."""
    found: list[list[PlayedNote]] = []
    for note in notes:
        if (
            found
            and note.position - found[-1][0].position < CLOSE
            and note.grace == found[-1][0].grace
        ):
            found[-1].append(note)
        else:
            found.append([note])
    return found


def _monotonic(played: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The route's map with one time for each moment of the score, ascending."""
    values, place = np.unique(played, return_inverse=True)
    mean = np.bincount(place, times) / np.bincount(place)
    return values, np.maximum.accumulate(mean)


def _extended(at: float, played: np.ndarray, times: np.ndarray) -> float:
    """The time of a moment, also a little beyond the ends of the map, at the mean tempo."""
    rate = (times[-1] - times[0]) / max(played[-1] - played[0], 1e-6)
    if at < played[0]:
        return times[0] + (at - played[0]) * rate
    if at > played[-1]:
        return times[-1] + (at - played[-1]) * rate
    return np.interp(at, played, times)


def _fine(groups, at: np.ndarray, heard: Features, start: float, end: float) -> np.ndarray:
    """Times of onsets by MrMsDTW, from their times by the route: (onsets,) s."""
    from synctoolbox.dtw.mrmsdtw import sync_via_mrmsdtw
    from synctoolbox.dtw.utils import make_path_strictly_monotonic

    begin_frame, end_frame = round(start * FPS), round(end * FPS)
    onsets_, ends, pitch = [], [], []
    for (_, notes, _, off), when in zip(groups, at, strict=True):
        for note in notes:
            onsets_.append(when - start)
            ends.append(max(off - start, when - start + 0.05))
            pitch.append(note.pitch)
    part = slice(begin_frame, end_frame + 1)
    chroma, onset = heard.chroma[:, part], heard.onsets[:, part]
    if chroma.shape[1] < 2 * FPS // 10:
        return at
    told = of_notes(np.array(onsets_), np.array(ends), np.array(pitch), chroma.shape[1])
    path = sync_via_mrmsdtw(
        f_chroma1=told.chroma.astype(float),
        f_chroma2=chroma.astype(float),
        f_onset1=told.onsets.astype(float),
        f_onset2=onset.astype(float),
        input_feature_rate=FPS,
        step_weights=np.array(STEP_WEIGHTS),
        threshold_rec=AREA,
        verbose=False,
    )
    path = make_path_strictly_monotonic(path)
    return start + np.interp((at - start) * FPS, path[0], path[1]) / FPS
