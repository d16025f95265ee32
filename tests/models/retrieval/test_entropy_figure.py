"""Figure 4: it shows every pair, and its interval is that of redrawn pieces."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata, spearmanr

from models.retrieval import entropy_figure

CONTEXT = 42
random = np.random.default_rng(0)


@pytest.fixture(scope="module")
def many():
    """Onsets, entropies and pieces of 600 pairs; entropy falls, and differs between pieces."""
    onsets = pd.Series(random.integers(1, 12, 600))
    pieces = pd.Series(np.repeat([f"tune{n}" for n in range(12)], 50))
    of_piece = np.repeat(random.normal(0, 0.3, 12), 50)
    entropies = pd.Series(3.5 - 0.1 * onsets + of_piece + random.normal(0, 0.2, 600))
    return onsets, entropies.clip(upper=np.log(CONTEXT)), pieces


def test_entropy_tells_the_rank_correlation(many):
    onsets, entropies, pieces = many
    figure = entropy_figure.entropy(onsets, entropies, pieces, CONTEXT, seed=0)
    axes = figure.axes[0]
    expected = f"Spearman {spearmanr(onsets, entropies).statistic:.2f} [".replace("-", "−")
    assert axes.get_title().startswith(expected)
    assert axes.get_title().endswith("600 pairs of 12 pieces")
    known = {line.get_label(): line for line in axes.lines}
    medians = entropies.groupby(onsets).median()
    assert np.allclose(known["median"].get_ydata(), medians)
    assert known["uniform attention"].get_ydata()[0] == pytest.approx(np.log(CONTEXT))
    assert axes.collections[0].get_array().sum() == 600  # every pair is in a cell


def test_interval_is_that_of_redrawn_pieces(many):
    onsets, entropies, pieces = many
    low, high = entropy_figure.spearman_interval(onsets, entropies, pieces, seed=0)
    draw = np.random.default_rng(1)
    redrawn = []
    for _ in range(200):
        drawn = [np.flatnonzero(pieces == f"tune{n}") for n in draw.integers(0, 12, 12)]
        own = np.concatenate(drawn)
        redrawn.append(spearmanr(onsets[own], entropies[own]).statistic)
    assert (low, high) == pytest.approx(np.quantile(redrawn, [0.025, 0.975]), abs=0.02)
    assert low < spearmanr(onsets, entropies).statistic < high


def test_ranks_of_values_that_occur_several_times():
    values, times = np.array([3.0, 1.0, 3.0, 7.0, 5.0]), np.array([2, 0, 1, 3, 1])
    place = np.unique(values, return_inverse=True)[1]
    expected = rankdata(np.repeat(values, times))
    assert np.repeat(entropy_figure._ranks(place, times), times).tolist() == expected.tolist()
