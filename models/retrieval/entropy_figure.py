"""Figure 4 of Balke et al. 2019: the more onsets in an excerpt, the narrower the attention."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter
from scipy.stats import spearmanr

from models import plotting
from models.bootstrap import CONFIDENCE, RESAMPLES, Bootstrap
from models.plotting import GREY, ORANGE, STYLE, TIGHT

ENOUGH = 20  # pairs with the same number of onsets whose quartiles are shown
COLUMNS, ROWS = 40, 30  # cells, at most
FEW_PAIRS = 10  # in the fullest cell, up to which colours are not logarithmic


@mpl.rc_context(STYLE)
def entropy(
    onsets: pd.Series, entropies: pd.Series, pieces: pd.Series, context: int, seed: int
) -> Figure:
    """Draw Figure 4: entropy of the attention against the number of onsets in an excerpt.

    Args:
        onsets: (n,) within each excerpt.
        entropies: (n,) nats, of the attention.
        pieces: (n,) piece of each pair.
        context: frames of an excerpt.
        seed: of the bootstrap over pieces.
    """
    if entropies.isna().any():
        raise ValueError("pairs without entropy: embed them with a model that has attention")
    figure = plotting.new(5.2, 3.6)
    axes = figure.subplots()
    _draw_pairs(figure, axes, onsets, entropies)
    quartiles = entropies.groupby(onsets).quantile([0.25, 0.5, 0.75]).unstack()
    quartiles = quartiles[onsets.value_counts().reindex(quartiles.index) >= ENOUGH]
    for quantile, width, label in (
        (0.5, 1.8, "median"),
        (0.25, 0.8, "middle half"),
        (0.75, 0.8, None),
    ):
        edge = [withStroke(linewidth=width + 1.6, foreground="white")]
        line = {"color": ORANGE, "linewidth": width, "label": label, "path_effects": edge}
        axes.plot(quartiles.index, quartiles[quantile], **line)
    even = {"color": GREY, "linewidth": 0.8, "linestyle": "--"}
    axes.axhline(np.log(context), label="uniform attention", **even)
    low, high = spearman_interval(onsets, entropies, pieces, seed)
    correlation = f"{spearmanr(onsets, entropies).statistic:.2f} [{low:.2f}, {high:.2f}]"
    correlation = correlation.replace("-", "−")
    title = f"Spearman {correlation}, {len(onsets):,} pairs of {pieces.nunique():,} pieces"
    axes.set(xlabel="onsets within the excerpt", ylabel="entropy of the attention", title=title)
    axes.legend(**TIGHT)
    return figure


def _draw_pairs(figure: Figure, axes, onsets: pd.Series, entropies: pd.Series) -> None:
    """How many pairs there are, in a column for each number of onsets, or for some of them."""
    step = -(-(int(np.ptp(onsets)) + 1) // COLUMNS)
    columns = np.arange(onsets.min() - 0.5, onsets.max() + 0.5 + step, step)
    rows = np.linspace(entropies.min(), max(entropies.max(), entropies.min() + 1e-6), ROWS + 1)
    counts, _, _ = np.histogram2d(onsets, entropies, (columns, rows))
    most = int(counts.max())
    few = most <= FEW_PAIRS
    norm = Normalize(0, most) if few else LogNorm(1, most)
    cells = np.ma.masked_equal(counts.T, 0)
    drawn = axes.pcolormesh(columns, rows, cells, norm=norm, cmap="Blues", linewidths=0)
    ticks = MaxNLocator(integer=True) if few else LogLocator(subs=(1, 3))
    bar = figure.colorbar(drawn, ax=axes, label="pairs", shrink=0.8, ticks=ticks)
    bar.ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())


def spearman_interval(
    onsets: pd.Series, entropies: pd.Series, pieces: pd.Series, seed: int
) -> tuple[float, float]:
    """Ends of the 95 % interval of the rank correlation, by redrawing pieces."""
    bootstrap = Bootstrap(pieces.to_numpy(), seed, RESAMPLES)
    orders = [np.unique(values, return_inverse=True)[1] for values in (onsets, entropies)]
    redrawn = []
    for draw in bootstrap.draws:
        times = draw[bootstrap.piece]  # how often a pair is drawn
        first, second = (_ranks(order, times) for order in orders)
        redrawn.append(np.cov(first, second, fweights=times))
    covariance = np.array(redrawn)
    spread = np.sqrt(covariance[:, 0, 0] * covariance[:, 1, 1])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(covariance[:, 0, 1] / spread, [tail, 1 - tail])
    return low, high


def _ranks(order: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Ranks (n,) of values that each occur several times; equal ones share their mean rank.

    order: (n,) rank of a value among all distinct ones, from 0; times: (n,) that it occurs.
    """
    count = np.bincount(order, times)
    return (count.cumsum() - (count - 1) / 2)[order]
