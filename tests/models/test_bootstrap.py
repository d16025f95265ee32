"""Intervals by redrawing pieces, against redrawing one resample at a time."""

import numpy as np
import pytest

from models.bootstrap import Bootstrap


def test_bootstrap_redraws_whole_pieces():
    """The vectorised intervals are those of redrawing and measuring one resample at a time."""
    random = np.random.default_rng(0)
    piece = random.integers(0, 7, 60)
    values = random.random((60, 2))
    bootstrap = Bootstrap(piece, seed=1, resamples=50)
    means, medians = [], []
    for draw in bootstrap.draws:
        drawn = np.concatenate([values[piece == p] for p in np.repeat(np.arange(7), draw)])
        means.append(drawn.mean())
        medians.append(np.median(drawn))
    assert bootstrap.mean(values)[2:] == pytest.approx(np.quantile(means, [0.025, 0.975]))
    assert bootstrap.median(values)[2:] == pytest.approx(np.quantile(medians, [0.025, 0.975]))
    assert (bootstrap.draws.sum(axis=1) == 7).all()


def test_one_piece_has_no_spread():
    micro, macro, low, high = Bootstrap(np.zeros(5), 0, 20).mean(np.arange(5.0)[:, None])
    assert micro == macro == low == high == 2
