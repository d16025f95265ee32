"""Which piece is it: whole recordings sought among scores, and whole scores among recordings.

The experiment that comes with the networks of B: the database holds the vectors of all snippets
(or excerpts) about an onset, of all pieces. A query is a piece's other side, cut at 100 equally
spaced places over its whole length; what a window shows beyond an end is white, or zero.

Two ways to rank the pieces. `votes`, as published: each place of the query votes for the pieces
of its 25 nearest entries. `sequence`: the places in their order are laid along the entries of a
piece in theirs, from the first of both to the last, since a query is a whole piece; the mean
distance of the best way to do so counts. That, the greater part of the work, is done for the 100
pieces with most votes, which come before all others; so it grows with the pieces, not their square.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import librosa
import numpy as np
import pyarrow as pa
import torch
from lightning.fabric import Fabric
from scipy.stats import rankdata

from models.retrieval import network, sampling, search
from models.retrieval.embed import vectors
from models.training import evenly, one_device
from pipeline import tables

PLACES = 100  # of a query
NEIGHBOURS = 25  # entries that each place votes for
SHORTLIST = 100  # pieces that a query is laid along in sequence
STEP_WEIGHTS = (2, 1, 1)  # of a step by both, by an entry, by a place; librosa's order
AT_ONCE = 100  # images or excerpts in one forward pass


IDENTIFIED = pa.schema(
    [
        tables.field("model", pa.string(), "name of the network"),
        tables.field("direction", pa.string(), "A2S: audio is the query; S2A: sheet music is"),
        tables.field("method", pa.string(), "votes or sequence"),
        tables.SHARDS.field("piece_id"),
        tables.field("rank", pa.float64(), "of the right piece, from 1; the expected one in a tie"),
        tables.field("n_pieces", pa.int32(), "pieces in the database"),
    ]
)


# --- ranking ---------------------------------------------------------------------------------
def votes(nearest: np.ndarray, pieces: int) -> np.ndarray:
    """How many votes each piece gets: (pieces,) int64.

    nearest: (places, k) index of the piece that each of a place's nearest entries belongs to.
    """
    return np.bincount(nearest.ravel(), minlength=pieces)


def sequence_cost(distances: np.ndarray) -> float:
    """Mean distance along the best way to lay a query along a piece, by dynamic time warping.

    distances: (places, entries), both in order. The way leads from the first of both to the last
    of both and goes on by a place, an entry, or both. Each step counts by how far it goes, one or
    two, so that every way counts places + entries in all and no piece gains by its length.
    """
    costs = librosa.sequence.dtw(
        C=distances.astype(np.float64), weights_mul=np.array(STEP_WEIGHTS), backtrack=False
    )
    return float((costs[-1, -1] + distances[0, 0]) / sum(distances.shape))


def rank_of(scores: np.ndarray, truth: int) -> float:
    """Rank of the piece `truth`, from 1, where a higher score is better.

    Of several pieces of the same score each has the mean of the ranks that they share, so pieces
    without a vote have the expected rank among the last.
    """
    return float(rankdata(-np.asarray(scores, np.float64))[truth])


def ranks(queries: np.ndarray, entries: np.ndarray, piece: np.ndarray) -> dict[str, np.ndarray]:
    """Rank of the right piece for the query of every piece, by method: (pieces,) float64.

    queries: (pieces, places, d) and entries: (m, d), unit vectors; piece: (m,), ascending, the
    piece that each entry belongs to, with its entries in their order. For the sequence a piece
    has no more entries than a query has places, evenly chosen, which spares work.
    """
    found = {"votes": [], "sequence": []}
    own = [np.flatnonzero(piece == index) for index in range(len(queries))]
    chosen = [rows[evenly(len(rows), queries.shape[1])] for rows in own]
    for truth, query in enumerate(queries):
        _, rows = search.nearest(query, entries, min(NEIGHBOURS, len(entries)))
        scores = votes(piece[rows], len(queries)).astype(np.float64)
        found["votes"].append(rank_of(scores, truth))
        for near in np.argsort(-scores, kind="stable")[:SHORTLIST]:
            cost = sequence_cost(1 - query @ entries[chosen[near]].T)
            scores[near] = rows.size + 2 - cost  # at least all votes, a cost being 2 at most
        found["sequence"].append(rank_of(scores, truth))
    return {method: np.array(ranks_found) for method, ranks_found in found.items()}


# --- the experiment --------------------------------------------------------------------------
def identify(
    weights: Path | str,
    shards: list[Path | str],
    out: Path | str,
    *,
    precision: str = "bf16-mixed",
    accelerator: str = "auto",
) -> None:
    """Seek every piece among all, in both directions, and write the table `IDENTIFIED` to `out`.

    weights: what `refine` or `train` wrote; shards: Parquet files that hold each piece once. A
    piece without an onset whose snippet and excerpt lie inside cannot be in the database; it is
    named on the standard error and left out.
    Raises ValueError where the shards do not fit.
    """
    fabric, module = ready(weights, precision, accelerator)
    data = sampling.read(shards)
    performances(data)
    inside = np.flatnonzero(data.inside(module.context))
    kept = _kept(data, inside)
    inside = inside[np.lexsort((data.frame[inside], data.piece[inside]))]
    _, piece = np.unique(data.piece[inside], return_inverse=True)
    entries, queries = _embedded(fabric, module, data, inside, kept)
    rows = []
    for direction, asked, answered in (("A2S", "audio", "sheet"), ("S2A", "sheet", "audio")):
        for method, own in ranks(queries[asked], entries[answered], piece).items():
            rows += [
                {
                    "model": module.name,
                    "direction": direction,
                    "method": method,
                    "piece_id": data.pieces[index],
                    "rank": rank,
                    "n_pieces": len(kept),
                }
                for index, rank in zip(kept, own, strict=True)
            ]
    tables.write(rows, IDENTIFIED, out)


def ready(weights: Path | str, precision: str, accelerator: str) -> tuple[Fabric, network.Network]:
    """The network of a weights file on the device where it is to run."""
    fabric = one_device(accelerator, precision)
    module = network.load(weights)
    return fabric, fabric.to_device(module.to(memory_format=torch.channels_last))


def sheet_vectors(fabric: Fabric, module: network.Network, batches, *progress) -> np.ndarray:
    """Unit vectors (all, 32) of batches of images (n, 1, 80, 100); progress: as in `vectors`."""
    return vectors(
        lambda batch: module.project_sheet(module.sheet(batch)), batches, fabric, *progress
    )


def audio_vectors(fabric: Fabric, module: network.Network, batches, *progress) -> np.ndarray:
    """Unit vectors (all, 32) of batches of excerpts (n, 1, 92, T); progress: as in `vectors`."""
    return vectors(
        lambda batch: module.project_audio(module.audio(batch)), batches, fabric, *progress
    )


def performances(data: sampling.Examples) -> np.ndarray:
    """The performance of each piece: (pieces,). ValueError where one is performed twice."""
    performance, first = np.unique(data.performance, return_index=True)
    piece = data.piece[first]
    counts = np.bincount(piece, minlength=len(data.pieces))
    if counts.max() > 1:
        raise ValueError(
            f"{data.pieces[int(counts.argmax())]} is performed {counts.max()} times; "
            "give the shards of one sound font and one tempo"
        )
    return performance[np.argsort(piece)]


def batches(cut: Callable[..., np.ndarray], *places: np.ndarray) -> Iterator[np.ndarray]:
    """What `cut` makes of arrays (n,) that name places, AT_ONCE places at a time."""
    for first in range(0, len(places[0]), AT_ONCE):
        yield cut(*(part[first : first + AT_ONCE] for part in places))


def _kept(data: sampling.Examples, inside: np.ndarray) -> np.ndarray:
    """Indices of the pieces that have examples in the database; the others are named."""
    counts = np.bincount(data.piece[inside], minlength=len(data.pieces))
    for index in np.flatnonzero(counts == 0):
        print(
            f"{data.pieces[index]}: left out, no snippet and excerpt about an onset lie inside",
            file=sys.stderr,
        )
    kept = np.flatnonzero(counts)
    if not len(kept):
        raise ValueError("no piece has an onset whose snippet and excerpt lie inside")
    if len(kept) < len(data.pieces):
        print(f"{len(kept)} of {len(data.pieces)} pieces are in the database", file=sys.stderr)
    return kept


def _embedded(fabric, module, data, inside, kept) -> tuple[dict, dict]:
    """Vectors of the database, (examples, 32), and of the queries, (pieces, 100, 32), by side."""
    played = performances(data)[kept]
    share = np.linspace(0, 1, PLACES)
    frames = np.rint(share * (data.frames[played, None] - 1)).astype(int).ravel()
    x = (share * (data.width[kept, None] - 1)).ravel()
    context = module.context
    images = {
        "entries": batches(data.snippet_batch, inside),
        "queries": batches(data.snippets_at, np.repeat(kept, PLACES), x),
    }
    excerpts = {
        "entries": batches(lambda own: data.excerpt_batch(own, context), inside),
        "queries": batches(
            lambda *own: data.excerpts_at(*own, context), np.repeat(played, PLACES), frames
        ),
    }
    totals = {"entries": len(inside), "queries": len(x)}
    found = {
        what: {
            "sheet": sheet_vectors(fabric, module, images[what], f"{what}, sheet", total),
            "audio": audio_vectors(fabric, module, excerpts[what], f"{what}, audio", total),
        }
        for what, total in totals.items()
    }
    queries = {side: own.reshape(len(kept), PLACES, -1) for side, own in found["queries"].items()}
    return found["entries"], queries
