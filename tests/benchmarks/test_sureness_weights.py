"""The fit of sureness on made-up evidence whose weights are known."""

import numpy as np
import pytest

from benchmarks.sureness_weights import fit, held_out, predict, table
from models.following.sureness import WEIGHTS

TRUE = dict(zip(WEIGHTS, (3.0, 8.0, 5.0), strict=True))
SHIFT = -1.0


def recording(onsets: int, seed: int, passage: float = 0.2):
    random = np.random.default_rng(seed)
    evidence = {name: 0.3 * random.standard_normal(onsets) for name in TRUE}
    evidence["passage"] += passage
    return evidence, random.random(onsets) < predict(evidence, SHIFT, TRUE)


def test_the_weights_that_made_the_truth_are_found():
    evidence, near = zip(*(recording(20_000, seed) for seed in range(2)), strict=True)
    intercept, weights = fit(list(evidence), list(near))
    assert intercept == pytest.approx(SHIFT, abs=0.2)
    assert weights == pytest.approx(TRUE, rel=0.1)


def test_sureness_is_the_share_that_is_right_in_a_piece_that_was_not_fitted():
    made = [recording(5_000, seed, passage) for seed, passage in enumerate((0.3, 0.1, -0.3))]
    evidence, near = (list(part) for part in zip(*made, strict=True))
    sure = held_out(["a", "b", "c"], evidence, near)
    hard = sure[-5_000:]
    assert hard.mean() == pytest.approx(near[-1].mean(), abs=0.03)


def test_a_piece_is_not_fitted_to_itself():
    evidence, near = recording(500, 0)
    upside_down = {name: -values for name, values in evidence.items()}
    sure = held_out(["a", "b"], [evidence, upside_down], [near, near])
    assert np.corrcoef(sure[:500], near)[0, 1] < 0


def test_the_table_has_a_row_for_each_class():
    rows = table(np.array([0.1, 0.99, 1.0]), np.array([False, True, True])).splitlines()
    assert "| 0 to 0.3 | 1 | 0.000 |" in rows and "| 0.98 to 1 | 2 | 1.000 |" in rows
