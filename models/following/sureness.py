"""How sure the time of an onset is, and whether a recording is of the score at all."""

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter

from models.following.features import FPS, Features, of_notes
from models.following.route import OUTSIDE, Route
from models.following.synchronise import Onset

LEAST_FIT = 0.62  # of a recording of the score; docs/follow.md has both error rates
NEAR_S = 1.0  # to either side of an onset that is compared
LAGS_S = (0.1, 0.6)  # how far the notes are moved to see whether they would agree as well elsewhere
HERE_FRAMES = 3
NEIGHBOURS = 3  # onsets to either side that tell the tempo
# Of a logistic regression: the chance that an onset is within 100 ms of the truth.
INTERCEPT = -1.6
WEIGHTS = {"chroma": 1.7, "onsets": 2.7, "margin": 5.0, "here": 6.6, "bent": -0.9}


def fit(way: Route) -> float:
    """How well what sounds in a recording agrees with the score, 0 to 1.

    What is not in the score counts as a distance of `OUTSIDE`.
    """
    return max(1 - way.cost * way.share - OUTSIDE * (1 - way.share), 0.0)


def evidence(found: list[Onset], heard: Features) -> dict[str, np.ndarray]:
    """What speaks for the time of each onset: arrays (onsets,) by name.

    `chroma` and `onsets`: cosine of what is heard and what is printed, about the onset. `margin`:
    how much better the onsets agree than if they were moved. `here`: the onset's own notes, heard
    at its time. `bent`: s by which its tempo differs from its neighbours'.
    """
    frames = heard.chroma.shape[1]
    times = np.array([onset.time for onset in found])
    lengths = np.array([max(note.end - note.begin for note in onset.notes) for onset in found])
    rows = [(time, time + max(length, 0.1), note.pitch)
            for time, length, onset in zip(times, lengths, found, strict=True)
            for note in onset.notes]  # fmt: skip
    begins, ends, pitch = (np.array(column) for column in zip(*rows, strict=True))
    told = of_notes(begins, ends, pitch, (frames - 1) / FPS)
    half = round(NEAR_S * FPS)
    at = np.clip(np.rint(times * FPS).astype(int), 0, frames - 1)
    chroma = _near(_cosine(told.chroma, heard.chroma), at, half)
    onsets = _near(_agreement(told.onsets, heard.onsets, 0), at, half)
    elsewhere = np.max(
        [
            _near(_agreement(told.onsets, heard.onsets, sign * round(lag * FPS)), at, half)
            for lag in np.arange(*LAGS_S, 2 / FPS)
            for sign in (-1, 1)
        ],
        axis=0,
    )
    moved = times - np.array([onset.coarse_s for onset in found])
    bent = np.abs(moved - median_filter(moved, 2 * NEIGHBOURS + 1, mode="nearest"))
    return {
        "chroma": chroma,
        "onsets": onsets,
        "margin": onsets - elsewhere,
        "here": _here(found, heard.onsets, at),
        "bent": bent,
    }


def _here(found: list[Onset], heard: np.ndarray, at: np.ndarray) -> np.ndarray:
    """How clearly the notes of each onset begin at its time: (onsets,)."""
    around = maximum_filter1d(heard, 2 * HERE_FRAMES + 1, axis=1)
    classes = [sorted({note.pitch % 12 for note in onset.notes}) for onset in found]
    return np.array([around[rows, frame].mean() for rows, frame in zip(classes, at, strict=True)])


def _cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    return (one * other).sum(axis=0) / np.maximum(norms, 1e-9)


def _agreement(told: np.ndarray, heard: np.ndarray, lag: int) -> np.ndarray:
    """Product of onsets, those of the notes moved by so many frames: (frames,)."""
    moved = np.roll(told, lag, axis=1)
    scale = np.sqrt((told**2).sum(axis=0).mean() * (heard**2).sum(axis=0).mean())
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
