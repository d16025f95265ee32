"""Predictors without a network, beside which the network is evaluated."""

import numpy as np

from models.score_following.metrics import buckets_of
from models.score_following.sampling import Examples
from pipeline.constants import BUCKET_PX, BUCKETS


def most_frequent(x: np.ndarray) -> float:
    """Centre (px) of the bucket that most notes lie in; x: (notes,) px."""
    counts = np.bincount(buckets_of(x), minlength=BUCKETS)
    return (int(counts.argmax()) + 0.5) * BUCKET_PX


def linear(data: Examples, chosen: np.ndarray) -> np.ndarray:
    """Positions by a straight line through the recording, as if print were proportional to time.

    The line runs over all staves of the piece that have examples, joined, from the first onset to
    the last one, and is clipped to the staff that is shown.

    Args:
        data: examples of whole pieces.
        chosen: (notes,) indices.

    Returns:
        (notes,) px.
    """
    positions = np.empty(len(data), np.float64)
    for performance in np.unique(data.performance):
        notes = np.flatnonzero(data.performance == performance)
        _, first, staff = np.unique(data.image[notes], return_index=True, return_inverse=True)
        staves = data.staff[notes[first]]  # from top to bottom
        lengths = (data.right - data.left)[staves].astype(np.float64)
        start, end = data.first_frame[notes].min(), data.last_frame[notes].max()
        fraction = (data.frame[notes] - start) / max(end - start, 1)
        before = np.append(0, np.cumsum(lengths))[staff]
        along = np.clip(fraction * lengths.sum() - before, 0, lengths[staff])
        positions[notes] = data.left[staves[staff]] + along
    return positions[chosen]


def timed(data: Examples, chosen: np.ndarray) -> np.ndarray:
    """Positions by a straight line through this pass over the staff, given its true boundaries.

    An oracle, not a baseline: only the true alignment knows when the staff begins and ends in the
    recording.

    Args:
        data: examples.
        chosen: (notes,) indices.

    Returns:
        (notes,) px.
    """
    first, last = data.first_frame[chosen], data.last_frame[chosen]
    fraction = (data.frame[chosen] - first) / np.maximum(last - first, 1)
    left, right = data.left[data.staff[chosen]], data.right[data.staff[chosen]]
    return left + fraction * (right - left)
