"""Figure 1 of Balke et al. 2019: a query, the shared space, and the nearest snippets."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models import plotting
from models.plotting import BLUE, GREEN, GREY, INK, ORANGE, STYLE, TIGHT, show
from models.retrieval import search
from models.retrieval.figure_parts import (
    SMALL,
    attention_weights,
    cropping_of,
    draw_excerpt,
    draw_weights,
    find_examples,
    read_pairs,
    short_title,
)
from models.retrieval.inference import project, weights_path
from models.retrieval.reading import read_examples
from models.retrieval.weights import load

BEST = 5  # snippets listed
SHOWN = 2_000  # vectors of each kind, at most


def example(weights: Path, shards: list[Path], embeddings: Path, out: Path) -> None:
    """Draw Figure 1 of Balke et al. 2019: a query, the shared space, and the nearest snippets.

    Writes retrieval_example, as PNG and PDF.

    Args:
        weights: safetensors file that `refine` wrote, or `shipped` for that of the project.
        shards: Parquet shards of the test split at the tempo of the scores.
        embeddings: Parquet table that `embed` wrote with this network.
        out: folder of the figure.
    """
    model = load(weights_path(weights))
    data, pairs = read_examples(shards), read_pairs(embeddings)
    before = (np.stack(pairs[side].to_numpy()) for side in ("sheet", "audio"))
    sheet, audio = project(model, *before, source=str(embeddings))
    better, _ = search.ranks(audio, sheet)
    query = typical(better, np.einsum("nd,nd->n", audio, sheet))
    scores, rows = search.nearest(audio[[query]], sheet, min(BEST, len(sheet)))
    nearest = pairs.iloc[rows[0]].assign(score=scores[0])
    excerpt = data.excerpt_batch(find_examples(data, pairs.iloc[[query]]), model.context)
    figure = retrieval(
        excerpt[0, 0],
        attention_weights(model, excerpt)[0] if model.attends else None,
        data.snippet_batch(find_examples(data, nearest), cropping_of(pairs))[:, 0],
        nearest,
        pairs.iloc[query],
        int(better[query]) + 1,
        sheet,
        audio,
    )
    plotting.save(figure, out / "retrieval_example")


def typical(better: np.ndarray, scores: np.ndarray) -> int:
    """The query with the median score among those whose match is one of the BEST.

    If no query does, the one whose match ranks highest.

    Args:
        better: (n,) candidates that rank before the match.
        scores: (n,) cosine of query and match.
    """
    good = np.flatnonzero(better < BEST)
    if not len(good):
        return int(better.argmin())
    return int(good[np.argsort(scores[good], kind="stable")[len(good) // 2]])


def plane(sheet: np.ndarray, audio: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Project both kinds of vectors to their two principal components.

    Args:
        sheet: (n, 32).
        audio: (n, 32).

    Returns:
        (n, 2) of sheet, (n, 2) of audio, and the fraction of the variance that is explained.
    """
    both = np.concatenate([sheet, audio])
    both = both - both.mean(axis=0)
    spread, axes = np.linalg.eigh(both.T @ both)
    flat = both @ axes[:, [-1, -2]]
    return flat[: len(sheet)], flat[len(sheet) :], spread[-2:].sum() / spread.sum()


@mpl.rc_context(STYLE)
def retrieval(
    excerpt: np.ndarray,
    weights: np.ndarray | None,
    snippets: np.ndarray,
    nearest: pd.DataFrame,
    query: pd.Series,
    rank: int,
    sheet: np.ndarray,
    audio: np.ndarray,
) -> Figure:
    """Draw Figure 1: a query, the shared space, and the nearest snippets.

    Args:
        excerpt: (92, T) of the query.
        weights: (T,) its attention, if any.
        snippets: (k, 80, 100), white 1, the nearest first.
        nearest: their rows (piece_id, pair, snippet, score); the index is the row of `sheet`.
        query: the query's row; its name is the row of `audio`.
        rank: of the match.
        sheet: (n, 32) unit vectors of all pairs.
        audio: (n, 32) unit vectors of all pairs.
    """
    figure = plotting.new(7.2, 3.9)
    left, middle, right = figure.subfigures(1, 3, width_ratios=[1.7, 3.1, 2.4])
    _draw_query(left, excerpt, weights, query)
    _draw_plane(middle.subplots(), sheet, audio, query.name, list(nearest.index))
    _draw_nearest(right, snippets, nearest, query, rank)
    return figure


def _draw_query(figure, excerpt: np.ndarray, weights: np.ndarray | None, query: pd.Series) -> None:
    if weights is None:
        lower = figure.subplots()
    else:
        upper, lower = figure.subplots(2, 1, height_ratios=[1, 2.2])
        draw_weights(upper, weights, ORANGE)
        upper.set(yticks=[], ylabel="attention")
    draw_excerpt(lower, excerpt)
    lower.set(xlabel="s from the onset", ylabel=f"{len(excerpt)} bins")
    figure.suptitle(f"query\n{short_title(query.piece_id)}", **SMALL)


def _draw_plane(axes, sheet: np.ndarray, audio: np.ndarray, query: int, nearest: list[int]) -> None:
    flat_sheet, flat_audio, share = plane(sheet, audio)
    some = np.arange(0, len(sheet), max(1, -(-len(sheet) // SHOWN)))
    dots = {"s": 5, "linewidths": 0, "alpha": 0.35}
    axes.scatter(*flat_sheet[some].T, color=BLUE, label="sheet", **dots)
    axes.scatter(*flat_audio[some].T, color=ORANGE, label="audio", **dots)
    best = flat_sheet[nearest]
    axes.scatter(*best.T, s=22, color=BLUE, edgecolors=INK, linewidths=0.8, label="nearest")
    ring = {"s": 110, "facecolors": "none", "edgecolors": GREEN, "linewidths": 1.8}
    axes.scatter(*flat_sheet[query], label="the right one", **ring)
    star = {"marker": "*", "s": 110, "color": ORANGE, "edgecolors": INK, "linewidths": 0.8}
    axes.scatter(*flat_audio[query], label="query", **star)
    axes.set(xticks=[], yticks=[], title=f"two principal components ({share:.0%} of the variance)")
    axes.title.set_fontsize(7)
    for spine in axes.spines.values():
        spine.set(visible=True, color=GREY)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=5, **TIGHT)


def _draw_nearest(
    figure, snippets: np.ndarray, nearest: pd.DataFrame, query: pd.Series, rank: int
) -> None:
    rows = figure.subplots(len(nearest), 1, squeeze=False)[:, 0]
    for place, (axes, row) in enumerate(zip(rows, nearest.itertuples(), strict=True), start=1):
        show(axes, snippets[place - 1], cmap="gray", vmin=0, vmax=1)
        right, double = row.pair == query.pair, row.snippet == query.snippet
        for spine in axes.spines.values():
            spine.set(visible=True, color=GREEN if right or double else GREY)
            spine.set(linewidth=2 if right or double else 0.6)
            spine.set_linestyle("-" if right or not double else "--")
        words = [f"{place}   {row.score:.3f}", short_title(row.piece_id)]
        label = {"transform": axes.transAxes, "va": "center", **SMALL}
        axes.text(1.08, 0.5, "\n".join(words), color=GREEN if right else INK, **label)
    figure.suptitle(f"nearest snippets; the right one ranks {rank:,}", **SMALL)
