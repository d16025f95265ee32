"""The figures of Balke et al. 2019, 1 to 4."""

import textwrap
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.stats import spearmanr

from models import plotting
from models.bootstrap import CONFIDENCE, RESAMPLES, Bootstrap
from models.plotting import BLUE, GREEN, GREY, INK, ORANGE, STYLE, TIGHT, show
from models.retrieval import evaluate, network, sampling, search
from models.retrieval.embed import CROPPINGS, EMBEDDINGS, attention_entropy
from pipeline import tables
from pipeline.constants import (
    RETRIEVAL,
    SNIPPET_HEIGHT_PX,
    SNIPPET_WIDTH_PX,
    STRIP_HEIGHT_PX,
    WHITE,
)

COLOURS = (BLUE, ORANGE, GREEN)  # of the three places of Figure 2, from left to right
ENDS = (0.05, 0.95)  # quantiles of onset density that count as a piece's sparsest and densest
ROW_PX = 1_300  # of a strip, at most, in one row of Figure 2
QUANTILES = (0.95, 0.75, 0.5, 0.25, 0.05)  # of onset density, an example each in Figure 3
ENOUGH = 20  # pairs of the same number of onsets whose quartiles Figure 4 shows
BEST = 5  # snippets listed in Figure 1
SHOWN = 2_000  # vectors of each kind in Figure 1, at most
SMALL = {"fontsize": 7}


def attention(
    weights: Path | str,
    shards: Iterable[Path | str],
    embeddings: Path | str,
    out: Path | str,
    seed: int = 0,
) -> None:
    """Write attention_within_piece, attention_examples, attention_entropy (Figures 2, 3, 4).

    weights: of a model with attention, refined or not; shards: the test split at the tempo of the
    scores; embeddings: what `embed` wrote with these weights; out: the folder of the figures.
    Raises ValueError where the model has no attention, or a pair is not in the shards.
    """
    model, data = network.load(weights), sampling.read(shards)
    pairs = read_pairs(embeddings)
    places = varied(data, model.context)
    excerpts = data.excerpt_batch(places, model.context)
    piece = data.piece[places[0]]
    figure = within_piece(
        data.strips[piece][:, sampling.MARGIN_PX : -sampling.MARGIN_PX],
        data.x[places],
        excerpts[:, 0],
        _attention(model, excerpts),
        data.onsets_within(places, model.context),
        data.pieces[piece],
    )
    plotting.save(figure, Path(out) / "attention_within_piece")

    chosen = pairs.loc[spread(pairs)]
    where = find(data, chosen)
    excerpts = data.excerpt_batch(where, model.context)
    snippets = data.snippet_batch(where, _cropping(pairs))[:, 0]
    figure = examples(snippets, excerpts[:, 0], _attention(model, excerpts), chosen)
    plotting.save(figure, Path(out) / "attention_examples")

    figure = entropy(pairs.onsets, pairs.entropy, pairs.piece_id, model.context, seed)
    plotting.save(figure, Path(out) / "attention_entropy")


def example(
    weights: Path | str, shards: Iterable[Path | str], embeddings: Path | str, out: Path | str
) -> None:
    """Write retrieval_example (Figure 1): a query, the space it is sought in, what is found.

    weights: refined; shards, embeddings, out: as for `attention`.
    """
    model, data, pairs = network.load(weights), sampling.read(shards), read_pairs(embeddings)
    before = (np.stack(pairs[side].to_numpy()) for side in ("sheet", "audio"))
    sheet, audio = evaluate.project(model, *before, source=str(embeddings))
    better, _ = search.ranks(audio, sheet)
    query = typical(better, np.einsum("nd,nd->n", audio, sheet))
    scores, rows = search.nearest(audio[[query]], sheet, min(BEST, len(sheet)))
    found = pairs.iloc[rows[0]].assign(score=scores[0])
    excerpt = data.excerpt_batch(find(data, pairs.iloc[[query]]), model.context)
    figure = retrieval(
        excerpt[0, 0],
        _attention(model, excerpt)[0] if model.attends else None,
        data.snippet_batch(find(data, found), _cropping(pairs))[:, 0],
        found,
        pairs.iloc[query],
        int(better[query]) + 1,
        sheet,
        audio,
    )
    plotting.save(figure, Path(out) / "retrieval_example")


# --- what the commands read --------------------------------------------------------------------
def read_pairs(embeddings: Path | str) -> pd.DataFrame:
    """The pairs of one protocol (`fixed` where it was run) at the tempo of the scores.

    Columns of EMBEDDINGS; a row a pair, index from 0. The tempo ratio nearest to 1 is taken.
    Raises ValueError where the file is another table, or empty.
    """
    pairs = tables.read(embeddings, EMBEDDINGS).to_pandas()
    if pairs.empty:
        raise ValueError(f"{embeddings} holds no pairs; choose and embed some")
    protocol = "fixed" if (pairs.protocol == "fixed").any() else pairs.protocol.iloc[0]
    pairs = pairs[pairs.protocol == protocol]
    off = np.abs(np.log(pairs.tempo_ratio))
    return pairs[off == off.min()].reset_index(drop=True)


def find(data: sampling.Examples, pairs: pd.DataFrame) -> np.ndarray:
    """Indices (n,) of the examples that pairs belong to.

    Raises ValueError where the shards have none, or one in several performances.
    """
    names = zip((data.pieces[piece] for piece in data.piece), data.note_id, strict=True)
    known = pd.Series(np.arange(len(data)), index=pd.MultiIndex.from_tuples(names))
    indices = []
    for pair in zip(pairs.piece_id, pairs.note_id, strict=True):
        found = known.get([pair], ())
        if len(found) != 1:
            raise ValueError(
                f"note {pair[1]} of {pair[0]} is {len(found)} times in the shards; give those of "
                "one font and one tempo that the pairs were chosen from"
            )
        indices.append(found.iloc[0])
    return np.array(indices)


def _cropping(pairs: pd.DataFrame) -> str:
    return CROPPINGS[pairs.protocol.iloc[0]]


def _attention(model: network.Network, excerpts: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model.attention(torch.from_numpy(excerpts)).numpy()


# --- Figure 2 ----------------------------------------------------------------------------------
def varied(data: sampling.Examples, context: int) -> np.ndarray:
    """Three examples of the piece whose density of onsets varies most, from left to right.

    Density is the number of onsets within the excerpt. It varies by the ratio of the ENDS of its
    distribution over the piece. The places are those of `apart`; a piece without them is passed
    over. ValueError where all are.
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
        own = frame[frame.performance == performance].reset_index(drop=True)
        places = apart(own.onsets.to_numpy(), own.x.to_numpy())
        if places is not None:
            return own.loc[places].sort_values("x", kind="stable").example.to_numpy()
    raise ValueError("no piece has three places a snippet apart; take longer pieces")


def apart(onsets: np.ndarray, x: np.ndarray) -> list[int] | None:
    """The densest, sparsest and a middling place whose snippets do not overlap.

    onsets: (n,) within each place's excerpt; x: (n,) px. Densest and sparsest are those at the
    ENDS of the distribution, middling is halfway between by ratio; of equals the first counts.
    """
    low, high = np.quantile(onsets, ENDS)
    free, places = np.ones(len(x), bool), []
    for wanted in (high, low, np.sqrt(low * high)):
        if not free.any():
            return None
        place = int(np.where(free, np.abs(onsets - wanted), np.inf).argmin())
        places.append(place)
        free &= np.abs(x - x[place]) >= SNIPPET_WIDTH_PX
    return places


def rows_of(x: np.ndarray, width: int) -> list[tuple[int, int, list[int]]]:
    """Which stretches of a strip show the snippets about x: (begin, end, places) of each row.

    x: ascending, px. Places share a row where ROW_PX has room for their snippets.
    """
    groups: list[list[int]] = []
    for place, here in enumerate(x):
        if groups and here - x[groups[-1][0]] + SNIPPET_WIDTH_PX <= ROW_PX:
            groups[-1].append(place)
        else:
            groups.append([place])
    length, rows = min(ROW_PX, width), []
    for places in groups:
        middle = (x[places[0]] + x[places[-1]]) / 2
        begin = int(np.clip(middle - length / 2, 0, width - length))
        rows.append((begin, begin + length, places))
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
    """Figure 2: what attention does where the density of one piece changes.

    strip: (200, W) uint8; of three places, from left to right: x (3,) px in the strip, excerpts
    (3, 92, T), attention weights (3, T), number of onsets within the excerpt (3,).
    """
    rows = rows_of(x, strip.shape[1])
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
    parts["strip 0"].set_title(title, loc="left")
    top = 1.05 * weights.max()
    entropies = attention_entropy(torch.from_numpy(weights))
    for place, colour in enumerate(COLOURS):
        upper, lower = parts[f"weights {place}"], parts[f"sound {place}"]
        _draw_weights(upper, weights[place], colour)
        upper.set_ylim(0, top)
        upper.set_title(_named(onsets[place], entropies[place]), color=colour)
        _draw_sound(lower, excerpts[place])
        lower.set_xlabel("s from the onset")
        for spine in lower.spines.values():
            spine.set(visible=True, color=colour, linewidth=2)
        if place:
            upper.set_yticklabels([])
    parts["weights 0"].set_ylabel("attention")
    parts["sound 0"].set_ylabel(f"{excerpts.shape[1]} bins")
    return figure


def _above_snippet() -> int:
    """Rows of a strip above those of a snippet."""
    return (STRIP_HEIGHT_PX - SNIPPET_HEIGHT_PX) // 2


def _named(onsets: int, entropy: float) -> str:
    return f"{onsets} onsets, entropy {entropy:.2f}"


def _edges(context: int) -> np.ndarray:
    """Where the frames of an excerpt begin, and the last one ends, in s from the onset."""
    return (np.arange(context + 1) - context // 2) / RETRIEVAL.fps


def _draw_weights(axes, weights: np.ndarray, colour: str) -> None:
    """Attention over time; the dashed line is even attention."""
    edges = _edges(len(weights))
    middles = (edges[:-1] + edges[1:]) / 2
    axes.fill_between(middles, weights, color=colour, alpha=0.25, linewidth=0)
    axes.plot(middles, weights, color=colour, linewidth=1.2)
    axes.axhline(weights.mean(), color=GREY, linewidth=0.7, linestyle="--", zorder=0)
    axes.set(xlim=(edges[0], edges[-1]), xticks=[])
    axes.set_ylim(bottom=0)


def _draw_sound(axes, excerpt: np.ndarray) -> None:
    bins, context = excerpt.shape
    edges = _edges(context)
    extent = (edges[0], edges[-1], 0, bins)
    axes.imshow(excerpt, origin="lower", aspect="auto", cmap="magma", extent=extent)
    axes.axvline(0, color="white", linewidth=0.8, linestyle=":")
    axes.set(yticks=[])


# --- Figure 3 ----------------------------------------------------------------------------------
def spread(pairs: pd.DataFrame) -> list[int]:
    """Index of a pair near each of QUANTILES of the number of onsets, every one of another piece.

    Of the pairs whose number of onsets is nearest, the one of median entropy. Fewer where there
    are fewer pieces. ValueError where the entropy is not known.
    """
    if pairs.entropy.isna().any():
        raise ValueError("pairs without entropy: embed them with a model that has attention")
    left, chosen = pairs, []
    for wanted in pairs.onsets.quantile(list(QUANTILES)):
        if left.empty:
            break
        off = (left.onsets - wanted).abs()
        alike = left[off == off.min()].sort_values(["entropy", "piece_id", "note_id"])
        chosen.append(alike.index[len(alike) // 2])
        left = left[left.piece_id != pairs.piece_id[chosen[-1]]]
    return chosen


@mpl.rc_context(STYLE)
def examples(
    snippets: np.ndarray, excerpts: np.ndarray, weights: np.ndarray, pairs: pd.DataFrame
) -> Figure:
    """Figure 3: what the network sees, where it listens, and what it hears, of k pairs.

    snippets: (k, 80, 100), white 1; excerpts: (k, 92, T); weights: (k, T), drawn as parts of
    their largest; pairs: their rows, of which piece_id, onsets, entropy are named.
    """
    count = len(snippets)
    figure = plotting.new(7.0, 4.0)
    axes = figure.subplots(3, count, height_ratios=[1.0, 0.7, 1.3], squeeze=False)
    names = [f"({'abcde'[place]}) {name}" for place, name in enumerate(pairs.piece_id)]
    for place, (name, pair) in enumerate(zip(names, pairs.itertuples(), strict=True)):
        top, middle, bottom = axes[:, place]
        show(top, snippets[place], cmap="gray", vmin=0, vmax=1)
        top.set_title(f"{_wrapped(name)}\n{_named(pair.onsets, pair.entropy)}", **SMALL)
        _draw_weights(middle, weights[place] / weights[place].max(), BLUE)
        middle.set(ylim=(0, 1.05), yticks=[0, 1])
        if place:
            middle.set_yticklabels([])
        _draw_sound(bottom, excerpts[place])
        bottom.set_xlabel("s from the onset", **SMALL)
        bottom.tick_params(labelsize=7)
    axes[1, 0].set_ylabel("attention\nof its largest")
    axes[2, 0].set_ylabel(f"{excerpts.shape[1]} bins")
    return figure


def _wrapped(name: str) -> str:
    """A piece's name in up to four short lines, what it says twice only once."""
    words = " ".join(dict.fromkeys(name.split("__"))).replace("_", " ")
    return "\n".join(textwrap.wrap(words, width=19, max_lines=4, placeholder="…"))


# --- Figure 4 ----------------------------------------------------------------------------------
@mpl.rc_context(STYLE)
def entropy(
    onsets: pd.Series, entropies: pd.Series, pieces: pd.Series, context: int, seed: int
) -> Figure:
    """Figure 4: the more onsets an excerpt holds, the narrower attention should be.

    All (n,): onsets within the excerpt, natural entropy of the attention, piece of each pair.
    """
    if entropies.isna().any():
        raise ValueError("pairs without entropy: embed them with a model that has attention")
    figure = plotting.new(5.2, 3.6)
    axes = figure.subplots()
    widest = {"gridsize": (min(40, int(np.ptp(onsets)) + 1), 30)}
    pairs = axes.hexbin(
        onsets, entropies, **widest, bins="log", mincnt=1, cmap="Blues", linewidths=0
    )
    figure.colorbar(pairs, ax=axes, label="pairs", shrink=0.8)
    quartiles = entropies.groupby(onsets).quantile([0.25, 0.5, 0.75]).unstack()
    quartiles = quartiles[onsets.value_counts().reindex(quartiles.index) >= ENOUGH]
    for quantile, width, label in (
        (0.5, 1.8, "median"),
        (0.25, 0.8, "middle half"),
        (0.75, 0.8, None),
    ):
        line = {"color": ORANGE, "linewidth": width, "label": label}
        axes.plot(quartiles.index, quartiles[quantile], **line)
    even = {"color": GREY, "linewidth": 0.8, "linestyle": "--"}
    axes.axhline(np.log(context), label="even attention", **even)
    low, high = spearman_interval(onsets, entropies, pieces, seed)
    correlation = f"{spearmanr(onsets, entropies).statistic:.2f} [{low:.2f}, {high:.2f}]"
    correlation = correlation.replace("-", "−")
    title = f"Spearman {correlation}, {len(onsets):,} pairs of {pieces.nunique():,} pieces"
    axes.set(xlabel="onsets within the excerpt", ylabel="entropy of the attention", title=title)
    axes.legend(**TIGHT)
    return figure


def spearman_interval(
    onsets: pd.Series, entropies: pd.Series, pieces: pd.Series, seed: int
) -> tuple[float, float]:
    """Ends of the 95 % interval of the rank correlation, by redrawing pieces."""
    bootstrap = Bootstrap(pieces.to_numpy(), seed, RESAMPLES)
    places = [np.unique(values, return_inverse=True)[1] for values in (onsets, entropies)]
    redrawn = []
    for draw in bootstrap.draws:
        times = draw[bootstrap.piece]  # that a pair is drawn
        redrawn.append(np.cov(*(_ranks(place, times) for place in places), fweights=times))
    covariance = np.array(redrawn)
    spread = np.sqrt(covariance[:, 0, 0] * covariance[:, 1, 1])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(covariance[:, 0, 1] / spread, [tail, 1 - tail])
    return low, high


def _ranks(place: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Ranks (n,) of values that each occur several times; equal ones share their mean rank.

    place: (n,) of a value among all different ones, from 0; times: (n,) that it occurs.
    """
    count = np.bincount(place, times)
    return (count.cumsum() - (count - 1) / 2)[place]


# --- Figure 1 ----------------------------------------------------------------------------------
def typical(better: np.ndarray, scores: np.ndarray) -> int:
    """The query of median score among those whose right snippet is one of the BEST.

    better: (n,) candidates before the right one; scores: (n,) cosine of query and right one. Where
    none is so good, the query whose right snippet ranks highest.
    """
    good = np.flatnonzero(better < BEST)
    if not len(good):
        return int(better.argmin())
    return int(good[np.argsort(scores[good], kind="stable")[len(good) // 2]])


def plane(sheet: np.ndarray, audio: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Both kinds of vectors in their two principal components, and the share that these explain.

    sheet, audio: (n, 32) each. Returns (n, 2), (n, 2), share of the variance.
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
    found: pd.DataFrame,
    query: pd.Series,
    rank: int,
    sheet: np.ndarray,
    audio: np.ndarray,
) -> Figure:
    """Figure 1: a query, the space in which it is sought, and the best snippets.

    excerpt: (92, T) of the query; weights: (T,) its attention, if any; snippets: (k, 80, 100),
    white 1, the best first; found: their rows (piece_id, pair, snippet, score), index: row of
    `sheet`; query: the query's row, name: row of `audio`; rank: of the right snippet;
    sheet, audio: (n, 32) unit vectors of all pairs.
    """
    figure = plotting.new(7.2, 3.9)
    left, middle, right = figure.subfigures(1, 3, width_ratios=[1.7, 3.1, 2.4])
    _draw_query(left, excerpt, weights, query)
    _draw_plane(middle.subplots(), sheet, audio, query.name, list(found.index))
    _draw_found(right, snippets, found, query, rank)
    return figure


def _draw_query(figure, excerpt: np.ndarray, weights: np.ndarray | None, query: pd.Series) -> None:
    if weights is None:
        lower = figure.subplots()
    else:
        upper, lower = figure.subplots(2, 1, height_ratios=[1, 2.2])
        _draw_weights(upper, weights, ORANGE)
        upper.set(yticks=[], ylabel="attention")
    _draw_sound(lower, excerpt)
    lower.set(xlabel="s from the onset", ylabel=f"{len(excerpt)} bins")
    figure.suptitle(f"query\n{_wrapped(query.piece_id)}", **SMALL)


def _draw_plane(axes, sheet: np.ndarray, audio: np.ndarray, query: int, found: list[int]) -> None:
    flat_sheet, flat_audio, share = plane(sheet, audio)
    some = np.arange(0, len(sheet), max(1, -(-len(sheet) // SHOWN)))
    dots = {"s": 5, "linewidths": 0, "alpha": 0.35}
    axes.scatter(*flat_sheet[some].T, color=BLUE, label="sheet", **dots)
    axes.scatter(*flat_audio[some].T, color=ORANGE, label="audio", **dots)
    best = flat_sheet[found]
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


def _draw_found(
    figure, snippets: np.ndarray, found: pd.DataFrame, query: pd.Series, rank: int
) -> None:
    rows = figure.subplots(len(found), 1, squeeze=False)[:, 0]
    for place, (axes, row) in enumerate(zip(rows, found.itertuples(), strict=True), start=1):
        show(axes, snippets[place - 1], cmap="gray", vmin=0, vmax=1)
        right, double = row.pair == query.pair, row.snippet == query.snippet
        for spine in axes.spines.values():
            spine.set(visible=True, color=GREEN if right or double else GREY)
            spine.set(linewidth=2 if right or double else 0.6)
            spine.set_linestyle("-" if right or not double else "--")
        words = [f"{place}   {row.score:.3f}", _wrapped(row.piece_id)]
        label = {"transform": axes.transAxes, "va": "center", **SMALL}
        axes.text(1.08, 0.5, "\n".join(words), color=GREEN if right else INK, **label)
    figure.suptitle(f"nearest snippets; the right one ranks {rank:,}", **SMALL)
