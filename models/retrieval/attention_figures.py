"""Figures 2 and 3 of Balke et al. 2019: excerpts and the attention to them; and all three drawn."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from models import plotting
from models.plotting import BLUE, GREEN, ORANGE, STYLE, show
from models.retrieval.embed import attention_entropy
from models.retrieval.entropy_figure import entropy
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
from models.retrieval.reading import read_examples
from models.retrieval.sampling import MARGIN_PX, Examples
from models.retrieval.weights import load
from pipeline.constants import SNIPPET_HEIGHT_PX, SNIPPET_WIDTH_PX, STRIP_HEIGHT_PX, WHITE

COLOURS = (BLUE, ORANGE, GREEN)  # of the three excerpts of Figure 2, from left to right
ENDS = (0.05, 0.95)  # quantiles of onset density that count as a piece's sparsest and densest
ROW_PX = 1_300  # of a strip, at most, in one row of Figure 2
SHOWN = 5  # examples in Figure 3, between the ENDS of onset density


def attention(
    weights: Path,
    shards: list[Path],
    embeddings: Path,
    out: Path,
    seed: int = 0,
) -> None:
    """Draw what attention does: Figures 2, 3 and 4 of Balke et al. 2019.

    Writes attention_within_piece, attention_examples and attention_entropy, as PNG and PDF.

    Args:
        weights: safetensors file of a network with attention.
        shards: Parquet shards of the test split at the tempo of the scores.
        embeddings: Parquet table that `embed` wrote with these weights.
        out: folder of the figures.
        seed: of the bootstrap over pieces.

    Raises:
        ValueError: if the network has no attention, or a pair is not in the shards.
    """
    model = load(weights)
    if not model.attends:
        raise ValueError(f"{weights}: {model.name} has no attention to draw; name one that has")
    data = read_examples(shards)
    pairs = read_pairs(embeddings)
    chosen = varied(data, model.context)
    excerpts = data.excerpt_batch(chosen, model.context)
    piece = data.piece[chosen[0]]
    figure = within_piece(
        data.strips[piece][:, MARGIN_PX:-MARGIN_PX],
        data.x[chosen],
        excerpts[:, 0],
        attention_weights(model, excerpts),
        data.onsets_within(chosen, model.context),
        plotting.piece_name(data.pieces[piece]),
    )
    plotting.save(figure, out / "attention_within_piece")

    shown = pairs.loc[spread(pairs)]
    chosen = find_examples(data, shown)
    excerpts = data.excerpt_batch(chosen, model.context)
    snippets = data.snippet_batch(chosen, cropping_of(pairs))[:, 0]
    figure = examples(snippets, excerpts[:, 0], attention_weights(model, excerpts), shown)
    plotting.save(figure, out / "attention_examples")

    figure = entropy(pairs.onsets, pairs.entropy, pairs.piece_id, model.context, seed)
    plotting.save(figure, out / "attention_entropy")


# --- Figure 2 ----------------------------------------------------------------------------------
def varied(data: Examples, context: int) -> np.ndarray:
    """Three examples of the piece whose density of onsets varies most, from left to right.

    Density is the number of onsets within the excerpt. It varies by the ratio of the ENDS of its
    distribution over the piece. The examples are those of `apart`; a piece without them is skipped.

    Args:
        data: examples of the test split.
        context: frames of an excerpt.

    Returns:
        (3,) indices.

    Raises:
        ValueError: if no piece has three such examples.
    """
    inside = np.flatnonzero(data.inside(context))
    frame = pd.DataFrame(
        {
            "example": inside,
            "performance": data.performance[inside],
            "onsets": data.onsets_within(inside, context),
            "x": data.x[inside],
        }
    )
    ends = frame.groupby("performance").onsets.quantile(list(ENDS)).unstack()
    ratio = ends[ENDS[1]] / ends[ENDS[0]]
    for performance in ratio.sort_values(ascending=False, kind="stable").index:
        played = frame[frame.performance == performance].reset_index(drop=True)
        chosen = apart(played.onsets.to_numpy(), played.x.to_numpy())
        if chosen is not None:
            return played.loc[chosen].sort_values("x", kind="stable").example.to_numpy()
    raise ValueError("no piece has three onsets a snippet apart; take longer pieces")


def apart(onsets: np.ndarray, x: np.ndarray) -> list[int] | None:
    """The densest, sparsest and a middling example whose snippets do not overlap, if there are.

    Densest and sparsest are those at the ENDS of the distribution, middling is halfway between by
    ratio; of equals the first counts.

    Args:
        onsets: (n,) within each excerpt.
        x: (n,) px.
    """
    low, high = np.quantile(onsets, ENDS)
    free, chosen = np.ones(len(x), bool), []
    for wanted in (high, low, np.sqrt(low * high)):
        if not free.any():
            return None
        nearest = int(np.where(free, np.abs(onsets - wanted), np.inf).argmin())
        chosen.append(nearest)
        free &= np.abs(x - x[nearest]) >= SNIPPET_WIDTH_PX
    return chosen


def strip_rows(x: np.ndarray, width: int) -> list[tuple[int, int, list[int]]]:
    """Parts of a strip that show the snippets around x; snippets share a row of ROW_PX if they fit.

    Args:
        x: ascending, px.
        width: of the strip, px.

    Returns:
        Of each row its begin and end, px, and the indices into x.
    """
    groups: list[list[int]] = []
    for index, position in enumerate(x):
        if groups and position - x[groups[-1][0]] + SNIPPET_WIDTH_PX <= ROW_PX:
            groups[-1].append(index)
        else:
            groups.append([index])
    length, rows = min(ROW_PX, width), []
    for group in groups:
        middle = (x[group[0]] + x[group[-1]]) / 2
        begin = int(np.clip(middle - length / 2, 0, width - length))
        rows.append((begin, begin + length, group))
    return rows


@mpl.rc_context(STYLE)
def within_piece(
    strip: np.ndarray,
    x: np.ndarray,
    excerpts: np.ndarray,
    weights: np.ndarray,
    onsets: np.ndarray,
    title: str,
) -> Figure:
    """Draw Figure 2: attention to three excerpts of one piece with different density of onsets.

    Args:
        strip: (200, width) uint8.
        x: (3,) px, from left to right.
        excerpts: (3, 92, T).
        weights: (3, T) of the attention.
        onsets: (3,) within each excerpt.
        title: of the figure.
    """
    rows = strip_rows(x, strip.shape[1])
    figure = plotting.new(7.0, 7.0 * STRIP_HEIGHT_PX / ROW_PX * len(rows) + 2.8)
    mosaic = [[f"strip {row}"] * len(x) for row in range(len(rows))]
    mosaic += [[f"{kind} {place}" for place in range(len(x))] for kind in ("weights", "sound")]
    heights = [7.0 * STRIP_HEIGHT_PX / ROW_PX] * len(rows) + [1.0, 1.3]
    parts = figure.subplot_mosaic(mosaic, height_ratios=heights)
    for row, (begin, end, places) in enumerate(rows):
        axes = parts[f"strip {row}"]
        show(axes, strip[:, begin:end], cmap="gray", vmin=0, vmax=WHITE)
        for place in places:
            corner = (x[place] - begin - SNIPPET_WIDTH_PX / 2, _above_snippet())
            box = Rectangle(corner, SNIPPET_WIDTH_PX, SNIPPET_HEIGHT_PX, fill=False)
            box.set(edgecolor=COLOURS[place], linewidth=2, clip_on=False)
            axes.add_patch(box)
            letter = {"color": COLOURS[place], "va": "top", "fontweight": "bold"}
            axes.text(corner[0] + 3, corner[1] + 3, _letter(place), **letter)
    parts["strip 0"].set_title(title, loc="left", parse_math=False)
    top = 1.05 * weights.max()
    entropies = attention_entropy(torch.from_numpy(weights))
    for place, colour in enumerate(COLOURS):
        upper, lower = parts[f"weights {place}"], parts[f"sound {place}"]
        draw_weights(upper, weights[place], colour)
        upper.set_ylim(0, top)
        words = f"{_letter(place)} {_named(onsets[place], entropies[place])}"
        upper.set_title(words, color=colour)
        draw_excerpt(lower, excerpts[place])
        lower.set_xlabel("s from the onset")
        for spine in lower.spines.values():
            spine.set(visible=True, color=colour, linewidth=2)
        if place:
            upper.set_yticklabels([])
    parts["weights 0"].set_ylabel("attention")
    parts["sound 0"].set_ylabel(f"{excerpts.shape[1]} bins")
    return figure


def _letter(place: int) -> str:
    return f"({'abcdefgh'[place]})"


def _above_snippet() -> int:
    """Rows of a strip above those of a snippet."""
    return (STRIP_HEIGHT_PX - SNIPPET_HEIGHT_PX) // 2


def _named(onsets: int, entropy: float) -> str:
    return f"{onsets} onsets, entropy {entropy:.2f}"


# --- Figure 3 ----------------------------------------------------------------------------------
def spread(pairs: pd.DataFrame) -> list[int]:
    """SHOWN pairs from dense to sparse, evenly spaced between the ENDS of the number of onsets.

    No two have the same number of onsets, and they are of different pieces as long as there are
    any. Of the pairs with the same number, the one with the median entropy. There are fewer pairs
    if there are fewer numbers.

    Args:
        pairs: rows of EMBEDDINGS.

    Returns:
        Labels in the index of `pairs`.

    Raises:
        ValueError: if the entropy is not known.
    """
    if pairs.entropy.isna().any():
        raise ValueError("pairs without entropy: embed them with a model that has attention")
    sparse, dense = pairs.onsets.quantile(list(ENDS))
    left, used, chosen = pairs, set(), []  # type: pd.DataFrame, set[str], list[int]
    for wanted in np.linspace(dense, sparse, SHOWN):
        if left.empty:
            break
        off = (left.onsets - wanted).abs()
        alike = left[off == off.min()].sort_values(["entropy", "piece_id", "note_id"])
        fresh = alike[~alike.piece_id.isin(used)]
        alike = alike if fresh.empty else fresh
        chosen.append(alike.index[len(alike) // 2])
        used.add(pairs.piece_id[chosen[-1]])
        left = left[left.onsets != pairs.onsets[chosen[-1]]]
    return sorted(chosen, key=lambda label: -pairs.onsets[label])


@mpl.rc_context(STYLE)
def examples(
    snippets: np.ndarray, excerpts: np.ndarray, weights: np.ndarray, pairs: pd.DataFrame
) -> Figure:
    """Draw Figure 3: snippet, attention and excerpt of k pairs.

    Args:
        snippets: (k, 80, 100), white 1.
        excerpts: (k, 92, T).
        weights: (k, T) of the attention, drawn as fractions of their largest.
        pairs: their rows, of which piece_id, onsets and entropy are printed.
    """
    count = len(snippets)
    figure = plotting.new(7.0, 4.0)
    axes = figure.subplots(3, count, height_ratios=[1.0, 0.7, 1.3], squeeze=False)
    names = [f"{_letter(place)} {name}" for place, name in enumerate(pairs.piece_id)]
    for place, (name, pair) in enumerate(zip(names, pairs.itertuples(), strict=True)):
        top, middle, bottom = axes[:, place]
        show(top, snippets[place], cmap="gray", vmin=0, vmax=1)
        top.set_title(f"{short_title(name)}\n{_named(pair.onsets, pair.entropy)}", **SMALL)
        draw_weights(middle, weights[place] / weights[place].max(), BLUE)
        middle.set(ylim=(0, 1.05), yticks=[0, 1])
        if place:
            middle.set_yticklabels([])
        draw_excerpt(bottom, excerpts[place])
        bottom.set_xlabel("s from the onset", **SMALL)
        bottom.tick_params(labelsize=7)
    axes[1, 0].set_ylabel("attention\nof its largest")
    axes[2, 0].set_ylabel(f"{excerpts.shape[1]} bins")
    return figure
