"""The way over the print: known ways through made-up distances."""

import numpy as np
import pytest

from models.following import image_path
from models.following.image_path import NOWHERE

WINDOWS = 120
BEGINS = np.arange(0, WINDOWS, 20)
ENDS = BEGINS + 19


def distances(way: list[int], seed: int = 0) -> np.ndarray:
    """Windows that sound are near, others far; NOWHERE is far from all."""
    random = np.random.default_rng(seed)
    found = random.uniform(0.75, 1.05, (len(way), WINDOWS))
    for frame, window in enumerate(way):
        if window != NOWHERE:
            found[frame, window] = random.uniform(0.2, 0.4)
    return found


def slowly(first: int, last: int, frames: int = 2) -> list[int]:
    """From window to window, some frames each."""
    return np.repeat(np.arange(first, last + 1), frames).tolist()


def found(way: list[int], silent=None):
    silent = np.zeros(len(way), bool) if silent is None else silent
    return image_path.find(distances(way), BEGINS, ENDS, silent)


def test_straight_through():
    way = slowly(0, 119)
    path = found(way)
    assert path.windows.tolist() == way and path.jumped.sum() == 1


@pytest.mark.parametrize(
    "way",
    [
        slowly(0, 39) + slowly(0, 119),  # a repeat of two bars
        slowly(0, 39) + slowly(80, 119),  # a cut
        slowly(40, 119),  # it begins in the middle
        slowly(0, 70),  # it ends early
    ],
)
def test_repeats_cuts_and_parts(way):
    path = found(way)
    wrong = np.abs(path.windows - np.array(way)) > 1
    assert wrong.mean() < 0.03


def test_applause_is_outside_the_print():
    way = slowly(0, 119) + 60 * [NOWHERE]
    path = found(way)
    assert (path.windows[-55:] == NOWHERE).all() and (path.windows[:238] != NOWHERE).all()


def test_silence_before_the_music_is_outside():
    silent = np.arange(280) < 40
    path = found(40 * [NOWHERE] + slowly(0, 119), silent)
    assert (path.windows[:38] == NOWHERE).all()
    assert path.windows[42:].tolist() == slowly(0, 119)[2:]


def test_a_short_likeness_elsewhere_is_not_followed():
    """Ten frames that sound more like another bar are not worth a jump there and back."""
    way = slowly(0, 119)
    like = distances(way)
    like[50:60] = 0.9
    like[50:60, 100] = 0.1
    path = image_path.find(like, BEGINS, ENDS, np.zeros(len(way), bool))
    assert np.abs(path.windows - np.array(way)).max() <= 10
    assert path.jumped.sum() == 1


def test_cost_is_that_of_the_path_and_no_other_is_cheaper():
    """Against dynamic time warping without jumps by the plain recurrence."""
    random = np.random.default_rng(4)
    cells = random.uniform(0.1, 0.6, (30, 12))
    path = image_path.find(cells, np.array([0]), np.array([11]), np.zeros(30, bool))
    cost = np.full((31, 13), np.inf)
    cost[0, 0] = 0
    for frame in range(30):
        for window in range(12):
            before = min(cost[frame, window], cost[frame, window + 1], cost[frame + 1, window])
            cost[frame + 1, window + 1] = cells[frame, window] + before
    assert path.cost == pytest.approx(cost[30, 1:].min() / 30)
