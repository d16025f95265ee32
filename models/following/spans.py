"""Say what is heard where a recording is not in the score: silence, applause or talk, or music."""

from itertools import pairwise

import librosa
import numpy as np

from models.following.alignment import Span, What
from models.following.features import FPS, HOP, Features
from models.following.route import Route

SHORTEST_S = 0.7  # what is shorter is the breath between two notes
NOISY = 0.02  # spectral flatness: tones lie below, applause and consonants above
WINDOW = 2_048  # samples


def unaligned(route: Route, samples: np.ndarray, heard: Features) -> list[Span]:
    """The parts of a recording that are not aligned, in order, and the cuts.

    Args:
        route: From `route.find`.
        samples: (n,) float32 of the recording.
        heard: Its features.
    """
    silent = heard.silent
    found: list[Span] = []
    for start, end in route.outside:
        for begin, stop, quiet in _split(silent[int(start * FPS) : int(end * FPS) + 1], start, end):
            what: What = (
                "silence"
                if quiet
                else _kind(samples[int(begin * FPS) * HOP : int(stop * FPS) * HOP])
            )
            if found and found[-1].what == what and begin - found[-1].end < 1e-3:
                found[-1] = Span(found[-1].start, stop, what)
            else:
                found.append(Span(begin, stop, what))
    found = [span for span in found if span.end - span.start >= SHORTEST_S]
    found += [Span(visit.start, visit.start, "cut") for visit in route.visits if visit.cut]
    return sorted(found, key=lambda span: span.start)


def _split(silent: np.ndarray, start: float, end: float) -> list[tuple[float, float, bool]]:
    """Parts of a span that are silent and that are not; short ones go with what is before them."""
    edges = [0, *(np.flatnonzero(np.diff(silent.astype(int))) + 1).tolist(), len(silent)]
    parts: list[tuple[float, float, bool]] = []
    for first, stop in pairwise(edges):
        begin, until = start + first / FPS, min(start + stop / FPS, end)
        quiet = bool(silent[first])
        if parts and (until - begin < SHORTEST_S or parts[-1][2] == quiet):
            parts[-1] = (parts[-1][0], until, parts[-1][2])
        else:
            parts.append((begin, until, quiet))
    return [(a, max(b, a), q) for a, b, q in parts]


def _kind(samples: np.ndarray) -> What:
    """Whether a part of a recording that sounds is noise or music."""
    if len(samples) < WINDOW:
        return "not in the score"
    flatness = librosa.feature.spectral_flatness(y=samples, n_fft=WINDOW, hop_length=HOP * 2)
    return "applause or talk" if np.median(flatness) > NOISY else "not in the score"
