"""The path of a recording through its pages, from the networks' similarity of sound and image.

Dynamic time warping over the windows of all systems, joined from left to right, with three more
steps: from the end of a bar the music may jump to the beginning of any other, at a penalty; it may
leave the print, for silence, applause, or what is not printed, and come back at any bar; and it may
begin and end anywhere.
"""

from dataclasses import dataclass

import numpy as np

JUMP = 14.0  # penalty of a jump, in cosine distance: four seconds of wrong music
BACK = 8.0  # penalty to come back to the print
LEAVE = 8.0  # penalty to leave it
OUTSIDE = 0.75  # distance of a frame that is not in the print
HUSH = 0.1  # the same of a silent frame
NOT_FIRST = 9.0  # penalty to begin with another bar than the first
NOWHERE = -1  # the state beside the print

# How a cell was reached.
STAYED, WENT_ON, JUMPED, RETURNED = range(4)


@dataclass(frozen=True)
class Path:
    """A way over the print.

    Attributes:
        windows: (frames,) the window of the print at each frame, or NOWHERE.
        jumped: (frames,) bool, whether the music jumped to this window.
        cost: Mean distance of the frames in the print, penalties included.
    """

    windows: np.ndarray
    jumped: np.ndarray
    cost: float


def find(distances: np.ndarray, begins: np.ndarray, ends: np.ndarray, silent: np.ndarray) -> Path:
    """Find the cheapest way.

    Args:
        distances: (frames, windows) float32, 1 - cosine; windows in print order.
        begins: Windows at which bars begin, ascending.
        ends: Windows at which bars end, one for each of `begins`.
        silent: (frames,) bool.
    """
    frames, windows = distances.shape
    how = np.zeros((frames, windows), np.uint8)
    up_from = np.zeros((frames, windows), np.int32)  # where a run through windows began
    jumped_from = np.zeros(frames, np.int32)
    left_from = np.full(frames, NOWHERE, np.int32)
    cost = np.full(windows, np.inf)
    outside = 0.0
    start = np.full(windows, np.inf)
    start[begins] = NOT_FIRST
    start[begins[0]] = 0.0
    for frame in range(frames):
        step = np.maximum(distances[frame].astype(np.float64), 1e-6)
        reach = np.full((4, windows), np.inf)
        if frame:
            reach[STAYED] = cost
            reach[WENT_ON, 1:] = cost[:-1]
            source = ends[np.argmin(cost[ends])]
            jumped_from[frame] = source
            reach[JUMPED, begins] = cost[source] + JUMP
        if frame:
            reach[RETURNED, begins] = outside + BACK
        else:
            reach[RETURNED] = start
        how[frame] = reach.argmin(axis=0)
        entered = reach.min(axis=0) + step
        # A frame may run through several windows, and pays for each.
        total = np.cumsum(step)
        ahead = np.minimum.accumulate(entered - total)
        best = np.maximum.accumulate(np.where(entered - total <= ahead, np.arange(windows), 0))
        up_from[frame] = best
        fresh = ahead + total
        leaving = float(cost.min()) + LEAVE if frame else np.inf
        if leaving < outside:
            outside, left_from[frame] = leaving, int(cost.argmin())
        outside += HUSH if silent[frame] else OUTSIDE
        cost = fresh
    return _back(cost, outside, how, up_from, jumped_from, left_from)


def _back(cost, outside, how, up_from, jumped_from, left_from) -> Path:
    """Follow the cheapest way back from the last frame."""
    frames = len(how)
    path = np.full(frames, NOWHERE)
    jumped = np.zeros(frames, bool)
    total = min(float(outside), float(cost.min()))
    state = NOWHERE if outside <= cost.min() else int(cost.argmin())
    for frame in range(frames - 1, -1, -1):
        if state == NOWHERE:
            state = int(left_from[frame])
            continue
        state = int(up_from[frame, state])
        path[frame] = state
        kind = how[frame, state]
        if kind == WENT_ON:
            state -= 1
        elif kind == JUMPED:
            jumped[frame] = True
            state = int(jumped_from[frame])
        elif kind == RETURNED:
            jumped[frame] = True
            state = NOWHERE
    inside = max(1, int((path != NOWHERE).sum()))
    return Path(path, jumped, total / inside)
