"""Align a recording's windows, in their order, to the entries of an index.

An alignment goes on through the printed positions, at most `ENTRIES_PER_SECOND`, and may begin and
end anywhere. At a penalty it jumps to any other position of the piece: back in a repeat, or on if
something is left out.
"""

import numpy as np
from scipy.ndimage import maximum_filter1d

from pipeline.constants import RETRIEVAL

ENTRIES_PER_SECOND = 12  # that are played, at most: sixteenths at 180 quarters a minute
JUMP_PENALTY = 2.0  # in cosines, of the sum along an alignment


def piece_scores(
    windows: np.ndarray,
    frames: np.ndarray,
    entries: np.ndarray,
    piece: np.ndarray,
    jump_penalty: float = JUMP_PENALTY,
) -> np.ndarray:
    """Score each piece by the best alignment of the windows, in their order, to its entries.

    Args:
        windows: (n, 32) unit vectors of a recording.
        frames: (n,) frame of each window, ascending.
        entries: (m, 32) unit vectors of an index.
        piece: (m,), from 0 and ascending: the piece of each entry; entries of a piece are in order.
        jump_penalty: what a jump takes off the sum of cosines.

    Returns:
        (pieces,) float32, the mean cosine along the best alignment, less the penalty of its jumps.
    """
    starts = np.flatnonzero(np.diff(piece, prepend=-1))
    steps = reaches(frames, int(np.diff(starts, append=len(piece)).max()))
    # Before each piece is a gap that no step crosses.
    rows = np.arange(len(piece)) + (piece + 1) * steps.max(initial=1)
    best = np.full(rows[-1] + 1, -np.inf, np.float32)
    best[rows] = entries @ windows[0]
    for window, reach in zip(windows[1:], steps.tolist(), strict=True):
        jumped = np.maximum.reduceat(best[rows], starts) - np.float32(jump_penalty)
        reached = maximum_filter1d(best, reach + 1, origin=reach // 2)[rows]
        best[rows] = np.maximum(reached, jumped[piece]) + entries @ window
    return np.maximum.reduceat(best[rows], starts) / len(windows)


def best_path(
    windows: np.ndarray,
    frames: np.ndarray,
    entries: np.ndarray,
    jump_penalty: float = JUMP_PENALTY,
) -> np.ndarray:
    """The alignment of a recording to one piece that `piece_scores` scores.

    Args:
        windows: (n, 32) unit vectors of a recording.
        frames: (n,) frame of each window, ascending.
        entries: (m, 32) unit vectors of the piece.
        jump_penalty: what a jump takes off the sum of cosines.

    Returns:
        (n,) the entry of each window.
    """
    steps = reaches(frames, len(entries)).tolist()
    sums = [entries @ windows[0]]
    for window, reach in zip(windows[1:], steps, strict=True):
        padded = np.append(np.full(reach, -np.inf, np.float32), sums[-1])
        reached = np.lib.stride_tricks.sliding_window_view(padded, reach + 1).max(axis=1)
        sums.append(np.maximum(reached, sums[-1].max() - jump_penalty) + entries @ window)
    entry = int(sums[-1].argmax())
    path = [entry]
    for before, reach in zip(sums[-2::-1], reversed(steps), strict=True):
        first = max(entry - reach, 0)
        reached = before[first : entry + 1]
        jump = before.max() - jump_penalty > reached.max()
        entry = int(before.argmax()) if jump else first + int(reached.argmax())
        path.append(entry)
    return np.array(path[::-1])


def reaches(frames: np.ndarray, longest: int) -> np.ndarray:
    """How many entries an alignment may go on between windows; no more than a piece has."""
    seconds = np.diff(frames) / RETRIEVAL.fps
    return np.minimum(np.ceil(ENTRIES_PER_SECOND * seconds), longest).astype(int)
