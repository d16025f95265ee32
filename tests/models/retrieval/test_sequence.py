"""Aligning windows in their order, beside a search through every alignment."""

import itertools

import numpy as np
import pytest

from models.retrieval.sequence import best_path, piece_scores

FRAMES = np.array([20, 23, 30, 31])  # steps of 2, 5 and 1 entries at most, 12 a second
REACHES = (2, 5, 1)
LENGTHS = [6, 1, 3]
PENALTY = 0.3


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.fixture
def vectors():
    draw = np.random.default_rng(0)
    return unit(draw.normal(size=(4, 32))), unit(draw.normal(size=(10, 32)))


def total(cosines: np.ndarray, way: tuple[int, ...]) -> float:
    """The sum of cosines along an alignment, less the penalty of its jumps."""
    steps = [0 <= b - a <= most for a, b, most in zip(way, way[1:], REACHES, strict=False)]
    return sum(cosines[w, entry] for w, entry in enumerate(way)) - PENALTY * steps.count(False)


def test_scores_are_those_of_the_best_alignment_of_all(vectors):
    windows, entries = vectors
    piece, cosines = np.repeat(np.arange(3), LENGTHS), windows @ entries.T
    best = [
        max(
            total(cosines, way) for way in itertools.product(np.flatnonzero(piece == own), repeat=4)
        )
        for own in range(3)
    ]
    found = piece_scores(windows, FRAMES, entries, piece, PENALTY)
    np.testing.assert_allclose(found, np.array(best) / 4, atol=1e-6)
    single = piece_scores(windows[:1], FRAMES[:1], entries, piece)
    np.testing.assert_allclose(single, np.maximum.reduceat(cosines[0], [0, 6, 7]), atol=1e-6)


def test_the_path_is_that_of_the_score(vectors):
    windows, entries = vectors
    path = best_path(windows, FRAMES, entries, PENALTY)
    (score,) = piece_scores(windows, FRAMES, entries, np.zeros(10, int), PENALTY)
    assert total(windows @ entries.T, tuple(path)) / 4 == pytest.approx(score, abs=1e-6)


def test_a_repeat_that_is_played_costs_one_jump():
    """Twenty positions, the first ten of which are heard twice."""
    entries = np.eye(32)[:20]
    order = [*range(10), *range(10), *range(10, 20)]
    frames = 10 * np.arange(30)
    (score,) = piece_scores(entries[order], frames, entries, np.zeros(20, int), 2.0)
    assert score == pytest.approx((30 - 2) / 30)
    assert best_path(entries[order], frames, entries, 2.0).tolist() == order
