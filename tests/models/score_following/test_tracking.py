"""Tracking: the forward algorithm beside an enumeration, and what it may know."""

import itertools

import numpy as np
import pytest

from models.score_following import tracking
from pipeline.constants import BUCKETS

LEFT, RIGHT = np.array([7.0, 7.0, 7.0]), np.array([380.0, 380.0, 380.0])


def test_forward_equals_the_sum_over_all_paths():
    random = np.random.default_rng(1)
    start, likelihood = random.dirichlet(np.ones(3)), random.uniform(0.1, 2, (5, 3))
    matrix = random.dirichlet(np.ones(3), 3)
    found = tracking.forward(start, matrix, likelihood)
    for length in range(1, 6):
        chances = np.zeros(3)
        for path in itertools.product(range(3), repeat=length):
            chance = start[path[0]] * likelihood[0, path[0]]
            for look in range(1, length):
                chance *= matrix[path[look - 1], path[look]] * likelihood[look, path[look]]
            chances[path[-1]] += chance
        np.testing.assert_allclose(found[length - 1], chances / chances.sum())


def walk(staves: int = 3, looks: int = 80, right: float = 0.6, seed: int = 0):
    """Probabilities of a network that is right so often and else certain of a random bucket."""
    random = np.random.default_rng(seed)
    truth = [(s, 6 + 33 * k // looks) for s in range(staves) for k in range(looks)]
    probabilities = np.full((len(truth), staves, BUCKETS), 0.02 / BUCKETS)
    for look, (staff, bucket) in enumerate(truth):
        for other in range(staves):
            true = other == staff and random.random() < right
            probabilities[look, other, bucket if true else random.integers(BUCKETS)] += 0.98
    for look, (staff, _) in enumerate(truth):
        probabilities[look, staff] *= 9  # what fits has the greater share
    return probabilities / probabilities.sum(axis=(1, 2), keepdims=True), np.array(truth)


def near(found, truth) -> float:
    same = found[:, 0] == truth[:, 0]
    return float(np.mean(same & (np.abs(found[:, 1] - truth[:, 1]) <= 1)))


def test_tracking_finds_staff_and_bucket_although_the_network_errs():
    probabilities, truth = walk()
    alone = np.stack([truth[:, 0], probabilities.argmax(axis=2)[range(240), truth[:, 0]]], axis=1)
    tracked = tracking.track(probabilities, LEFT, RIGHT)
    assert near(alone, truth) < 0.7  # although it is told the staff
    assert near(tracked, truth) > 0.9


def test_of_equal_staves_the_probable_one_is_tracked():
    """The first two staves have the same buckets; only their shares tell them apart."""
    looks, probabilities = 60, np.full((60, 2, BUCKETS), 0.05 / BUCKETS)
    bucket = 6 + 30 * np.arange(looks) // looks
    probabilities[np.arange(looks), 1, bucket] += 0.7  # it is the second that fits
    probabilities[np.arange(looks), 0, bucket] += 0.2
    staff = tracking.track(probabilities, LEFT[:2], RIGHT[:2])[:, 0]
    assert staff[0] == 0 and (staff[30:] == 1).all()
    equal = probabilities / probabilities.sum(axis=2, keepdims=True) / 2
    assert (tracking.track(equal, LEFT[:2], RIGHT[:2])[:, 0] == 0).all()


def test_a_repeat_is_followed_back_to_the_first_staff():
    probabilities, truth = walk()
    twice = np.concatenate([probabilities, probabilities])
    again = tracking.track(twice, LEFT, RIGHT)[len(truth) :]
    assert near(again, truth) > 0.85


def test_the_future_does_not_change_the_past():
    probabilities, _ = walk()
    changed = probabilities.copy()
    changed[100:] = changed[100:, :, ::-1]
    before, after = (tracking.track(some, LEFT, RIGHT) for some in (probabilities, changed))
    np.testing.assert_array_equal(before[:100], after[:100])
    assert (before[100:] != after[100:]).any()


@pytest.mark.parametrize("staves", [1, 3])
def test_every_state_leads_somewhere(staves):
    matrix = tracking.transitions(LEFT[:staves], RIGHT[:staves])
    assert matrix.shape == (40 * staves, 40 * staves) and (matrix > 0).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert tracking.beginning(LEFT[:staves]).sum() == pytest.approx(1)
