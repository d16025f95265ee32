"""Measures of retrieval between recordings and sheet music (B 3.3, Tables 2 and 3, Figure 3).

Each pair's one side is a query, the other sides of all pairs are the candidates. Only the other
side of the very same pair is right. Ties, of which repeated bars make many, are resolved by
chance: every measure is the expectation over all orders of the candidates that tie.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from models.bootstrap import RESAMPLES, Bootstrap
from models.retrieval import search
from models.retrieval.embed import EMBEDDINGS
from models.retrieval.network import Network, digest, load
from pipeline import tables
from pipeline.constants import EMBEDDING

TOP = (1, 5, 25)  # k of R@k
DIRECTIONS = {"A2S": "audio asks for sheet music", "S2A": "sheet music asks for audio"}
PROJECTION = "cca."  # the tensors of a weights file that a refined one has otherwise


MEASURES = pa.schema(
    [
        tables.field("model", pa.string(), "name of the network"),
        tables.field(
            "projection", pa.string(), "unrefined: of the last batch of training, or refined"
        ),
        EMBEDDINGS.field("protocol"),
        EMBEDDINGS.field("tempo_ratio"),
        tables.field(
            "direction", pa.string(), "; ".join(f"{k}: {v}" for k, v in DIRECTIONS.items())
        ),
        tables.field(
            "measure",
            pa.string(),
            "rates as fractions; r1_identical: the first answer's snippet is pixel for pixel the "
            "true one; duplicates: another pair's snippet is; ranks from 1",
        ),
        tables.field("micro", pa.float64(), "over all pairs"),
        tables.field("macro", pa.float64(), "mean over pieces"),
        tables.field("low", pa.float64(), "95 % interval of micro, bootstrap over pieces"),
        tables.field("high", pa.float64(), "95 % interval of micro, bootstrap over pieces"),
        tables.field("n_pairs", pa.int64(), "pairs that the row rests on: queries, and candidates"),
        tables.field("n_pieces", pa.int64(), "pieces that the row rests on"),
    ]
)


def evaluate(
    embeddings: dict[str, Path | str],
    weights: dict[str, Path | str],
    refined: dict[str, Path | str],
    out: Path | str,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> None:
    """Measure every model at every tempo, both ways, and write the table `MEASURES` to `out`.

    By model: the table that `embed` wrote, the weights file it was written with, and the one
    that `refine` wrote. Pieces are redrawn for the intervals; the candidates stay as they are.

    Raises ValueError where the files of a model do not belong together, FloatingPointError where
    vectors are not finite or have no direction.
    """
    for name, files in (("weights", weights), ("refined weights", refined)):
        if files.keys() != embeddings.keys():
            raise ValueError(
                f"embeddings are given for {', '.join(sorted(embeddings)) or 'no model'}, "
                f"{name} for {', '.join(sorted(files)) or 'no model'}"
            )
    parts = []
    for model, path in tqdm(embeddings.items(), unit=" models", desc="measures"):
        networks = _networks(model, path, weights[model], refined[model])
        table = tables.read(path, EMBEDDINGS)
        pairs = table.drop_columns(["sheet", "audio"]).to_pandas()
        before = {side: _rows(table[side], f"{path}: {side}") for side in ("sheet", "audio")}
        sides = {
            name: project(network, **before, source=f"{path}, {name} projection")
            for name, network in networks.items()
        }
        for (protocol, tempo_ratio), rows in pairs.groupby(
            ["protocol", "tempo_ratio"]
        ).indices.items():
            part = pairs.iloc[rows]
            bootstrap = Bootstrap(part["piece_id"].to_numpy(), seed, resamples)
            for projection, (sheet, audio) in sides.items():
                for direction in DIRECTIONS:
                    ways = (audio[rows], sheet[rows])
                    queries, candidates = ways if direction == "A2S" else ways[::-1]
                    found = measures(queries, candidates, part["snippet"].to_numpy(), bootstrap)
                    parts.append(
                        found.assign(
                            model=model,
                            projection=projection,
                            protocol=protocol,
                            tempo_ratio=tempo_ratio,
                            direction=direction,
                        )
                    )
    if not parts:
        raise ValueError("no embeddings to measure")
    table = pa.Table.from_pandas(pd.concat(parts), schema=MEASURES, preserve_index=False)
    with tables.replacing(out) as temporary:
        pq.write_table(table, temporary)


def project(
    network: Network, sheet: np.ndarray, audio: np.ndarray, source: str = "vectors"
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of sheet and audio, (n, 32) float32 each, with the network's stored projection.

    Computed in float64. Raises FloatingPointError, naming the `source`, where a vector is not
    finite or is projected to zero.
    """
    cca = network.cca
    projected = []
    for side, values, mean, directions in (
        ("sheet", sheet, cca.mean_sheet, cca.sheet),
        ("audio", audio, cca.mean_audio, cca.audio),
    ):
        mean, directions = (tensor.to(torch.float64).numpy() for tensor in (mean, directions))
        values = (values - mean) @ directions
        length = np.linalg.norm(values, axis=1, keepdims=True)
        if not (np.isfinite(length) & (length > 0)).all():
            what = "zero" if np.isfinite(length).all() else "not finite"
            raise FloatingPointError(
                f"{source}: a {side} vector is {what} after the projection; train and embed again"
            )
        projected.append((values / length).astype(np.float32))
    return projected[0], projected[1]


def measures(
    queries: np.ndarray, candidates: np.ndarray, snippet: np.ndarray, bootstrap: Bootstrap
) -> pd.DataFrame:
    """All measures of n pairs: queries (n, d) and candidates (n, d) unit vectors, row by row.

    snippet: (n,) hash of each pair's snippet; bootstrap: of the pairs' pieces.
    Returns columns measure, micro, macro, low, high, n_pairs, n_pieces.
    """
    better, equal = search.ranks(queries, candidates)
    _, group, size = np.unique(snippet, return_inverse=True, return_counts=True)
    rank = expected_rank(better, equal)
    per_pair = {f"r{k}": expected_hit(better, equal, k) for k in TOP} | {
        "mrr": expected_reciprocal(better, equal),
        "median_rank": rank,
        "mean_rank": rank,
        "r1_identical": identical_first(queries, candidates, group, better, equal),
        "duplicates": size[group] > 1,
    }
    rows = {
        name: (bootstrap.median if name == "median_rank" else bootstrap.mean)(values[:, None])
        for name, values in per_pair.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["micro", "macro", "low", "high"])
    table = table.rename_axis("measure").reset_index()
    return table.assign(n_pairs=len(queries), n_pieces=bootstrap.pieces)


# --- ties: with b better and t others equal, the ranks b+1 to b+t+1 are as likely as each other ---
def expected_hit(better: np.ndarray, equal: np.ndarray, k: int) -> np.ndarray:
    """Probability (n,) that the true candidate is among the first k."""
    return np.clip(k - better, 0, equal + 1) / (equal + 1)


def expected_rank(better: np.ndarray, equal: np.ndarray) -> np.ndarray:
    """Mean (n,) of the rank of the true candidate, from 1."""
    return better + 1 + equal / 2


def expected_reciprocal(better: np.ndarray, equal: np.ndarray) -> np.ndarray:
    """Mean (n,) of 1 / rank of the true candidate: a difference of harmonic sums."""
    harmonic = np.append(0, np.cumsum(1 / np.arange(1, (better + equal).max() + 2)))
    return (harmonic[better + equal + 1] - harmonic[better]) / (equal + 1)


def identical_first(
    queries: np.ndarray,
    candidates: np.ndarray,
    group: np.ndarray,
    better: np.ndarray,
    equal: np.ndarray,
) -> np.ndarray:
    """Probability (n,) that the first answer is of a pair with the query's own snippet.

    group: (n,) pairs of the same number have pixel for pixel the same snippet; better, equal: the
    counts of `search.ranks` for the true candidates. Of the pairs of a query's group the one with
    the best candidate takes the place of the true one: none may be better, and of those that tie
    with it the share from the group counts.
    """
    target, right = np.arange(len(group)), np.ones(len(group), np.int64)
    order = np.argsort(group, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(members) > 1:
            scores = queries[members] @ candidates[members].T
            ties = scores >= scores.max(axis=1, keepdims=True) - search.TIE
            own = ties.diagonal()
            target[members] = np.where(own, members, members[scores.argmax(axis=1)])
            right[members] = np.count_nonzero(ties, axis=1)
    other = np.flatnonzero(target != np.arange(len(group)))
    better, equal = better.copy(), equal.copy()
    better[other], equal[other] = search.ranks(queries[other], candidates, target[other])
    return np.where(better == 0, right / (equal + 1), 0.0)


# --- files -------------------------------------------------------------------------------------
def _networks(model: str, embeddings, weights, refined) -> dict[str, Network]:
    """The networks of both projections; ValueError where a file is not of `model` or these weights.

    The weights of the refined one must be the same but for the projection.
    """
    metadata = pq.read_schema(embeddings).metadata or {}
    if (found := metadata.get(b"model", b"").decode()) != model:
        raise ValueError(f"{embeddings}: vectors of '{found}', not of '{model}'; embed it again")
    if metadata.get(b"weights", b"").decode() != digest(weights):
        raise ValueError(f"{embeddings}: not of the weights in {weights}; embed it again")
    networks = {"unrefined": load(weights), "refined": load(refined)}
    for path, network in zip((weights, refined), networks.values(), strict=True):
        if network.name != model:
            raise ValueError(f"{path}: a network '{network.name}', not '{model}'")
    ours, theirs = (network.state_dict() for network in networks.values())
    kept = [name for name in ours if not name.startswith(PROJECTION)]
    if not all(torch.equal(ours[name], theirs[name]) for name in kept):
        raise ValueError(f"{refined}: not a refinement of {weights}; refine it again")
    return networks


def _rows(column: pa.ChunkedArray, source: str) -> np.ndarray:
    """A column of lists of 32 numbers as (n, 32) float32; ValueError for other lengths."""
    values = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if len(values) != len(column) * EMBEDDING:
        raise ValueError(f"{source}: vectors are not of {EMBEDDING} values; embed them again")
    return values.reshape(-1, EMBEDDING)
