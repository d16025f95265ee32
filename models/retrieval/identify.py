"""Piece identification: rank all scores for a recording, and all recordings for a score.

The experiment that comes with the networks of B: the index holds the vectors of all snippets (or
excerpts) around an onset, of all pieces. A query is the other side of a piece, 100 equally spaced
windows over its whole length; beyond an end, windows are white or zero.

There are two methods to rank the pieces. `votes`, as published: each window of the query votes for
the pieces of its 25 nearest entries. `sequence`: the windows are aligned to the entries of a piece
by dynamic time warping, from the first of both to the last, and the mean distance along the path
counts. That is the greater part of the work, so it is done for the 100 pieces with most votes
only, which rank before all others.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
import pyarrow as pa
from scipy.stats import rankdata

from models.dataset import evenly_spaced
from models.retrieval import search
from models.retrieval.inference import (
    embed_excerpts,
    embed_snippets,
    in_batches,
    load_network,
    shown_name,
)
from models.retrieval.reading import read_examples
from models.retrieval.sampling import Examples
from models.retrieval.weights import AnyNetwork
from pipeline import tables

if TYPE_CHECKING:
    from lightning.fabric import Fabric  # takes seconds to import

QUERY_WINDOWS = 100
NEIGHBOURS = 25  # entries that each window votes for
SHORTLIST = 100  # pieces that a query is aligned with
STEP_WEIGHTS = (2, 1, 1)  # of a step by both, by an entry, by a window; librosa's order


IDENTIFIED = pa.schema(
    [
        tables.field("model", pa.string(), "name of the network"),
        tables.field("direction", pa.string(), "A2S: audio is the query; S2A: sheet music is"),
        tables.field("method", pa.string(), "votes or sequence"),
        tables.SHARDS.field("piece_id"),
        tables.field("rank", pa.float64(), "of the right piece, from 1; its expectation in a tie"),
        tables.field("n_pieces", pa.int32(), "pieces in the index"),
    ]
)


# --- ranking ---------------------------------------------------------------------------------
def votes(nearest: np.ndarray, pieces: int) -> np.ndarray:
    """Votes of each piece: (pieces,) int64.

    Args:
        nearest: (windows, k) index of the piece that each nearest entry belongs to.
        pieces: how many there are.
    """
    return np.bincount(nearest.ravel(), minlength=pieces)


def sequence_cost(distances: np.ndarray) -> float:
    """Length-normalised DTW cost between a query and a piece.

    The path leads from the first window and entry to the last and advances by a window, an entry,
    or both. Each step is weighted by how far it advances, one or two, so that every path has the
    same total weight, windows + entries, and no piece gains by its length.

    Args:
        distances: (windows, entries), both in order.
    """
    costs = librosa.sequence.dtw(
        C=distances.astype(np.float64), weights_mul=np.array(STEP_WEIGHTS), backtrack=False
    )
    return float((costs[-1, -1] + distances[0, 0]) / sum(distances.shape))


def rank_of(scores: np.ndarray, truth: int) -> float:
    """Rank of a piece, from 1, by score; pieces with equal scores share the mean of their ranks.

    Args:
        scores: (pieces,), higher is better.
        truth: index of the right piece.
    """
    return float(rankdata(-np.asarray(scores, np.float64))[truth])


def ranks(queries: np.ndarray, entries: np.ndarray, piece: np.ndarray) -> dict[str, np.ndarray]:
    """Rank of the right piece for the query of every piece, by both methods.

    For `sequence` a piece is represented by at most as many evenly spaced entries as a query has
    windows.

    Args:
        queries: (pieces, windows, d) unit vectors.
        entries: (m, d) unit vectors.
        piece: (m,), ascending: the piece of each entry; entries of a piece are in order.

    Returns:
        (pieces,) float64 for each method.
    """
    by_method = {"votes": [], "sequence": []}
    of_piece = [np.flatnonzero(piece == index) for index in range(len(queries))]
    chosen = [rows[evenly_spaced(len(rows), queries.shape[1])] for rows in of_piece]
    for truth, query in enumerate(queries):
        _, rows = search.nearest(query, entries, min(NEIGHBOURS, len(entries)))
        scores = votes(piece[rows], len(queries)).astype(np.float64)
        by_method["votes"].append(rank_of(scores, truth))
        for candidate in np.argsort(-scores, kind="stable")[:SHORTLIST]:
            cost = sequence_cost(1 - query @ entries[chosen[candidate]].T)
            scores[candidate] = rows.size + 2 - cost  # at least all votes, a cost being 2 at most
        by_method["sequence"].append(rank_of(scores, truth))
    return {method: np.array(values) for method, values in by_method.items()}


# --- the experiment --------------------------------------------------------------------------
def identify(
    weights: Path, shards: list[Path], out: Path, *, precision: str = "bf16-mixed"
) -> None:
    """Identify pieces: rank all scores for each recording, and all recordings for each score.

    A piece without an onset that has a complete snippet and excerpt is reported and left out.

    Args:
        weights: safetensors file that `refine` or `train` wrote, or `shipped`, that of the project.
        shards: Parquet shards that hold each piece once.
        out: Parquet table to write, a row for each piece, direction and method.
        precision: `bf16-mixed` or `32-true`.

    Raises:
        ValueError: if the shards are not valid.
    """
    fabric, network = load_network(weights, precision)
    data = read_examples(shards)
    performances(data)
    inside = np.flatnonzero(data.inside(network.context))
    kept = _kept(data, inside)
    inside = inside[np.lexsort((data.frame[inside], data.piece[inside]))]
    _, piece = np.unique(data.piece[inside], return_inverse=True)
    entries, queries = _embedded(fabric, network, data, inside, kept)
    rows = []
    for direction, query, index in (("A2S", "audio", "sheet"), ("S2A", "sheet", "audio")):
        for method, values in ranks(queries[query], entries[index], piece).items():
            rows += [
                {
                    "model": shown_name(network.name, weights),
                    "direction": direction,
                    "method": method,
                    "piece_id": data.pieces[number],
                    "rank": rank,
                    "n_pieces": len(kept),
                }
                for number, rank in zip(kept, values, strict=True)
            ]
    tables.write(rows, IDENTIFIED, out)


def performances(data: Examples) -> np.ndarray:
    """The performance of each piece: (pieces,); raises ValueError if a piece has several."""
    performance, first = np.unique(data.performance, return_index=True)
    piece = data.piece[first]
    counts = np.bincount(piece, minlength=len(data.pieces))
    if counts.max() > 1:
        raise ValueError(
            f"{data.pieces[int(counts.argmax())]} is performed {counts.max()} times; "
            "give the shards of one sound font and one tempo"
        )
    return performance[np.argsort(piece)]


def _kept(data: Examples, inside: np.ndarray) -> np.ndarray:
    """Indices of the pieces that have entries in the index; the others are reported."""
    counts = np.bincount(data.piece[inside], minlength=len(data.pieces))
    for index in np.flatnonzero(counts == 0):
        print(
            f"{data.pieces[index]}: left out, no onset has a complete snippet and excerpt",
            file=sys.stderr,
        )
    kept = np.flatnonzero(counts)
    if not len(kept):
        raise ValueError("no piece has an onset with a complete snippet and excerpt")
    if len(kept) < len(data.pieces):
        print(f"{len(kept)} of {len(data.pieces)} pieces are in the index", file=sys.stderr)
    return kept


def _embedded(
    fabric: "Fabric", network: AnyNetwork, data: Examples, inside: np.ndarray, kept: np.ndarray
) -> tuple[dict, dict]:
    """Vectors of the entries, (examples, 32), and of the queries, (pieces, 100, 32), by side."""
    performance = performances(data)[kept]
    fraction = np.linspace(0, 1, QUERY_WINDOWS)
    frames = np.rint(fraction * (data.frames[performance, None] - 1)).astype(int).ravel()
    x = (fraction * (data.width[kept, None] - 1)).ravel()
    context = network.context
    images = {
        "entries": in_batches(data.snippet_batch, inside),
        "queries": in_batches(data.snippets_at, np.repeat(kept, QUERY_WINDOWS), x),
    }
    excerpts = {
        "entries": in_batches(lambda part: data.excerpt_batch(part, context), inside),
        "queries": in_batches(
            lambda *part: data.excerpts_at(*part, context),
            np.repeat(performance, QUERY_WINDOWS),
            frames,
        ),
    }
    totals = {"entries": len(inside), "queries": len(x)}
    vectors = {
        kind: {
            "sheet": embed_snippets(fabric, network, images[kind], f"{kind}, sheet", total),
            "audio": embed_excerpts(fabric, network, excerpts[kind], f"{kind}, audio", total),
        }
        for kind, total in totals.items()
    }
    queries = {
        side: v.reshape(len(kept), QUERY_WINDOWS, -1) for side, v in vectors["queries"].items()
    }
    return vectors["entries"], queries
