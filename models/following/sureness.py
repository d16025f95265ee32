"""How sure the time of an onset is, and whether a recording is of the score at all."""

import numpy as np
from scipy.ndimage import maximum_filter1d

from models.following.features import FPS, Features, of_notes
from models.following.route import OUTSIDE, Route
from models.following.score import Score
from models.following.synchronise import Onset

LEAST_FIT = 0.62  # of a recording of the score; docs/follow.md has both error rates
LEAST_SURENESS = 0.5  # in the mean of its onsets
FEWEST_ONSETS = 10  # that are heard, if the score has them: a tone has some place in any score
# A part of a recording, between other music or talk, must fit better, be surer, and last.
PART_FIT, PART_SURENESS, PART_S = 0.75, 0.7, 15.0
NEAR_S = 1.0  # to either side of an onset that is compared
PASSAGE_S = 8.0  # to either side: where a figure repeats, the whole passage may be moved by one
LAGS_S = (0.1, 0.6)  # how far the notes are moved to see whether they would agree as well elsewhere
HERE_FRAMES = 3
SHORT_S = 0.1  # that a note lasts here: only its onset counts
# Of a logistic regression: the chance that an onset is within 100 ms of the truth
# (`benchmarks.follow` fits them).
INTERCEPT = -1.22
WEIGHTS = {"margin": 11.8, "passage": 8.2, "here": 5.5}


def fit(way: Route) -> float:
    """How well what sounds in a recording agrees with the score, 0 to 1.

    What is not in the score counts as a distance of `OUTSIDE`.
    """
    return max(1 - way.cost * way.share - OUTSIDE * (1 - way.share), 0.0)


def fits(printed: Score, way: Route, sure: np.ndarray) -> bool:
    """Whether a recording, or a part of it, is of the score.

    Args:
        printed: The score.
        way: The recording's way through it.
        sure: (onsets,) sureness of what is heard of it.
    """
    onsets = len({note.position for bar in printed.notes for note in bar})
    if len(sure) < max(1, min(onsets, FEWEST_ONSETS)) or sure.mean() < LEAST_SURENESS:
        return False
    part = 1 - way.cost >= PART_FIT and sure.mean() >= PART_SURENESS and inside_s(way) >= PART_S
    return part or fit(way) >= LEAST_FIT


def inside_s(way: Route) -> float:
    """How long the score is heard, s."""
    return sum(visit.end - visit.start for visit in way.visits)


def evidence(found: list[Onset], heard: Features) -> dict[str, np.ndarray]:
    """What speaks for the time of each onset: arrays (onsets,) by name.

    `margin`: how much better the onsets about it agree than if they were moved. `passage`: the same
    of a longer part. `here`: the onset's own notes, heard at its time.
    """
    frames = heard.chroma.shape[1]
    times = np.array([onset.time for onset in found])
    rows = [(onset.time, note.pitch) for onset in found for note in onset.notes]
    begins, pitch = (np.array(column) for column in zip(*rows, strict=True))
    told = of_notes(begins, begins + SHORT_S, pitch, frames)
    at = np.clip(np.rint(times * FPS).astype(int), 0, frames - 1)
    first, last = (round(lag * FPS) for lag in LAGS_S)
    lags = [0, *range(-last, -first + 1), *range(first, last + 1)]
    sounding = ~heard.silent if not heard.silent.all() else slice(None)
    agreements = [_agreement(told.onsets, heard.onsets, sounding, lag) for lag in lags]
    return {
        "margin": _margin(agreements, at, round(NEAR_S * FPS)),
        "passage": _margin(agreements, at, round(PASSAGE_S * FPS)),
        "here": _here(found, heard.onsets, at),
    }


def _margin(agreements: list[np.ndarray], at: np.ndarray, half: int) -> np.ndarray:
    """How much the first of the agreements (frames,) is better than the best of the others, about
    each place: (onsets,)."""
    here, *elsewhere = (_near(agreement, at, half) for agreement in agreements)
    return here - np.max(elsewhere, axis=0)


def _here(found: list[Onset], heard: np.ndarray, at: np.ndarray) -> np.ndarray:
    """How clearly the notes of each onset begin at its time: (onsets,)."""
    around = maximum_filter1d(heard, 2 * HERE_FRAMES + 1, axis=1)
    classes = [sorted({note.pitch % 12 for note in onset.notes}) for onset in found]
    return np.array([around[rows, frame].mean() for rows, frame in zip(classes, at, strict=True)])


def _agreement(
    told: np.ndarray, heard: np.ndarray, sounding: np.ndarray | slice, lag: int
) -> np.ndarray:
    """Product of onsets, those of the notes moved by so many frames: (frames,).

    Its scale is that of the frames that sound, however much silence there is beside them.
    """
    moved = np.roll(told, lag, axis=1)
    energy = [(part**2).sum(axis=0)[sounding].mean() for part in (told, heard)]
    scale = np.sqrt(energy[0] * energy[1])
    return (moved * heard).sum(axis=0) / max(float(scale), 1e-9)


def _near(values: np.ndarray, at: np.ndarray, half: int) -> np.ndarray:
    """Mean of values within `half` frames of each place."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    first, stop = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    return (total[stop] - total[first]) / (stop - first)


def of_onsets(found: list[Onset], heard: Features) -> np.ndarray:
    """The sureness of each onset, 0 to 1: (onsets,)."""
    if not found:
        return np.zeros(0)
    values = evidence(found, heard)
    odds = INTERCEPT + sum(weight * values[name] for name, weight in WEIGHTS.items())
    return 1 / (1 + np.exp(-odds))
