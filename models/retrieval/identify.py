"""Piece identification: rank all scores for a recording, and all recordings for a score.

The experiment that comes with the networks of B: the index holds the vectors of all snippets (or
excerpts) around an onset, of all pieces. A query is the other side of a piece, 100 equally spaced
windows over its whole length. Beyond an end, snippets are white and excerpts silent, in the index
as in a query; as published, the index lacks those that reach beyond an end.

There are two methods to rank the pieces. `votes`, the published one: each window of the query votes
for the pieces of its 25 nearest entries. `sequence`: the windows are aligned to the entries of a
piece by dynamic time warping, from the first of both to the last, and the mean distance along the
path counts. That is the greater part of the work, so it is done for the 100 pieces with most votes
only, which rank before all others.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
import pyarrow as pa
from scipy.stats import rankdata
from tqdm import tqdm

from models.dataset import evenly_spaced
from models.retrieval import search
from models.retrieval.inference import (
    embed_spectrogram,
    embed_strip,
    load_network,
    shown_name,
)
from models.retrieval.reading import read_examples
from models.retrieval.sampling import Examples
from models.retrieval.weights import AnyNetwork
from models.training import PROGRESS_S
from pipeline import tables

if TYPE_CHECKING:
    from lightning.fabric import Fabric  # takes seconds to import

QUERY_WINDOWS = 100
NEIGHBOURS = 25  # entries that each window votes for
SHORTLIST = 100  # pieces that a query is aligned with
STEP_WEIGHTS = (2, 1, 1)  # DTW: of a diagonal step, by an entry, by a window (librosa's order)


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
    entries, queries = _embedded(fabric, network, data)
    piece = np.sort(data.piece)
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
                    "n_pieces": len(data.pieces),
                }
                for number, rank in enumerate(values)
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


def _embedded(
    fabric: "Fabric", network: AnyNetwork, data: Examples
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Vectors of the entries, (examples, 32), and of the queries, (pieces, 100, 32), by side.

    Entries are in the order of the pieces, those of a piece in that of their frames.
    """
    performance = performances(data)
    order = np.lexsort((data.frame, data.piece))
    of_piece = np.split(order, np.flatnonzero(np.diff(data.piece[order])) + 1)
    share = np.linspace(0, 1, QUERY_WINDOWS)
    entries: dict[str, list[np.ndarray]] = {"sheet": [], "audio": []}
    queries: dict[str, list[np.ndarray]] = {"sheet": [], "audio": []}
    progress = tqdm(of_piece, desc="identify", unit="piece", disable=None, mininterval=PROGRESS_S)
    for piece, examples in enumerate(progress):
        strip, recording = data.strip(piece), data.recording(performance[piece])
        x = np.append(data.x[examples], share * (strip.shape[1] - 1))
        frames = np.append(data.frame[examples], np.rint(share * (len(recording) - 1)).astype(int))
        for side, vectors in (
            ("sheet", embed_strip(fabric, network, strip, x)),
            ("audio", embed_spectrogram(fabric, network, recording, frames)),
        ):
            entries[side].append(vectors[: len(examples)])
            queries[side].append(vectors[len(examples) :])
    return (
        {side: np.concatenate(parts) for side, parts in entries.items()},
        {side: np.stack(parts) for side, parts in queries.items()},
    )
