"""Parts that the figures of retrieval share: pairs and their examples, excerpts and attention."""

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from models.plotting import GREY, piece_name
from models.retrieval.embed import CROPPINGS, EMBEDDINGS
from models.retrieval.network import Network
from models.retrieval.sampling import Examples
from pipeline import tables
from pipeline.constants import RETRIEVAL
from pipeline.strips import Cropping

SMALL = {"fontsize": 7}


def read_pairs(embeddings: Path | str) -> pd.DataFrame:
    """Read the pairs of one protocol (`fixed` if it was run) at the tempo ratio nearest to 1.

    Args:
        embeddings: Parquet table that `embed` wrote.

    Returns:
        Columns of EMBEDDINGS; a row a pair, index from 0.

    Raises:
        ValueError: if the file is another table or empty.
    """
    pairs = tables.read(embeddings, EMBEDDINGS).to_pandas()
    if pairs.empty:
        raise ValueError(f"{embeddings} holds no pairs; choose and embed some")
    protocol = "fixed" if (pairs.protocol == "fixed").any() else pairs.protocol.iloc[0]
    pairs = pairs[pairs.protocol == protocol]
    off = np.abs(np.log(pairs.tempo_ratio))
    return pairs[off == off.min()].reset_index(drop=True)


def find_examples(data: Examples, pairs: pd.DataFrame) -> np.ndarray:
    """The examples that pairs were made of.

    Args:
        data: examples of one font and one tempo.
        pairs: rows with piece_id and note_id.

    Returns:
        (n,) indices.

    Raises:
        ValueError: if a pair is not found, or in several performances.
    """
    names = zip((data.pieces[piece] for piece in data.piece), data.note_id, strict=True)
    known = pd.Series(np.arange(len(data)), index=pd.MultiIndex.from_tuples(names))
    indices = []
    for pair in zip(pairs.piece_id, pairs.note_id, strict=True):
        matches = known.get([pair], ())
        if len(matches) != 1:
            raise ValueError(
                f"note {pair[1]} of {pair[0]} is {len(matches)} times in the shards; give those of "
                "one font and one tempo that the pairs were chosen from"
            )
        indices.append(matches.iloc[0])
    return np.array(indices)


def cropping_of(pairs: pd.DataFrame) -> Cropping:
    """How the snippets of the pairs' protocol are cropped."""
    return CROPPINGS[pairs.protocol.iloc[0]]


def attention_weights(model: Network, excerpts: np.ndarray) -> np.ndarray:
    """Attention weights (n, T) of excerpts (n, 1, 92, T)."""
    with torch.no_grad():
        return model.attention(torch.from_numpy(excerpts)).numpy()


# --- drawing -----------------------------------------------------------------------------------
def _edges(context: int) -> np.ndarray:
    """Seconds from the onset at which the frames of an excerpt begin, and the last one ends."""
    return (np.arange(context + 1) - context // 2) / RETRIEVAL.fps


def draw_weights(axes, weights: np.ndarray, colour: str) -> None:
    """Draw attention over time; the dashed line is uniform attention."""
    edges = _edges(len(weights))
    middles = (edges[:-1] + edges[1:]) / 2
    axes.fill_between(middles, weights, color=colour, alpha=0.25, linewidth=0)
    axes.plot(middles, weights, color=colour, linewidth=1.2)
    axes.axhline(weights.mean(), color=GREY, linewidth=0.7, linestyle="--", zorder=0)
    axes.set(xlim=(edges[0], edges[-1]), xticks=[])
    axes.set_ylim(bottom=0)


def draw_excerpt(axes, excerpt: np.ndarray) -> None:
    """Draw an excerpt (bins, T) over time; the dotted line is the onset."""
    bins, context = excerpt.shape
    edges = _edges(context)
    extent = (edges[0], edges[-1], 0, bins)
    axes.imshow(excerpt, origin="lower", aspect="auto", cmap="magma", extent=extent)
    axes.axvline(0, color="white", linewidth=0.8, linestyle=":")
    axes.set(yticks=[])


def short_title(name: str) -> str:
    """A piece's name in up to four short lines, repeated words left out."""
    return "\n".join(textwrap.wrap(piece_name(name), width=19, max_lines=4, placeholder="…"))
