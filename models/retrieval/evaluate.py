"""Evaluate retrieval between recordings and sheet music (B 3.3, Tables 2 and 3, Figure 3).

One side of each pair is a query, the other sides of all pairs are the candidates.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from models.bootstrap import RESAMPLES, Bootstrap
from models.retrieval.embed import EMBEDDINGS
from models.retrieval.inference import project, shown_name, weights_path
from models.retrieval.metrics import metrics
from models.retrieval.weights import AnyNetwork, load
from models.weights import digest
from pipeline import tables
from pipeline.constants import EMBEDDING
from pipeline.replacing import replacing

DIRECTIONS = {"A2S": "audio is the query", "S2A": "sheet music is the query"}
PROJECTION = "cca."  # prefix of the tensors that a refinement changes


METRICS = pa.schema(
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
            "metric",
            pa.string(),
            "rates as fractions; r1_identical: the first result's snippet is pixel for pixel the "
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
    embeddings: list[Path],
    weights: list[Path],
    refined: list[Path],
    out: Path,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> None:
    """Compute the metrics of every network at every tempo, in both directions.

    Args:
        embeddings: Parquet tables that `embed` wrote, one a network.
        weights: the safetensors files that they were embedded with, in the same order; `shipped`
            for that of the project.
        refined: what `refine` wrote of these, in the same order; `shipped` again.
        out: Parquet table to write, a row for each network, projection, protocol, tempo, direction
            and metric.
        seed: of the bootstrap over pieces; the candidates stay as they are.
        resamples: of the bootstrap.

    Raises:
        ValueError: if the files of a network do not belong together.
        FloatingPointError: if vectors are not finite or are projected to zero.
    """
    if not len(embeddings) == len(weights) == len(refined):
        raise ValueError(
            f"{len(embeddings)} embeddings, {len(weights)} weights and {len(refined)} refined "
            "weights; give one of each for every network"
        )
    parts = []
    files = list(zip(embeddings, weights, refined, strict=True))
    for path, *trained in tqdm(files, unit=" networks", desc="metrics"):
        model, networks = _networks(path, *trained)
        table = tables.read(path, EMBEDDINGS)
        pairs = table.drop_columns(["sheet", "audio"]).to_pandas()
        before = {side: _as_array(table[side], f"{path}: {side}") for side in ("sheet", "audio")}
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
                    rows_of_metrics = metrics(
                        queries, candidates, part["snippet"].to_numpy(), bootstrap
                    )
                    parts.append(
                        rows_of_metrics.assign(
                            model=model,
                            projection=projection,
                            protocol=protocol,
                            tempo_ratio=tempo_ratio,
                            direction=direction,
                        )
                    )
    if not parts:
        raise ValueError("no embeddings to evaluate")
    table = pa.Table.from_pandas(pd.concat(parts), schema=METRICS, preserve_index=False)
    with replacing(out) as temporary:
        pq.write_table(table, temporary)


# --- files -------------------------------------------------------------------------------------
def _networks(embeddings: Path, weights: Path, refined: Path) -> tuple[str, dict[str, AnyNetwork]]:
    """The model's name, and the networks of both projections.

    Raises ValueError if the embeddings are not of these weights, or the refined network differs
    from the other in more than its projection.
    """
    metadata = pq.read_schema(embeddings).metadata or {}
    model = metadata.get(b"model", b"").decode()
    networks = {"unrefined": load(weights_path(weights)), "refined": load(weights_path(refined))}
    for path, network in zip((weights, refined), networks.values(), strict=True):
        if shown_name(network.name, path) != model:
            raise ValueError(
                f"{embeddings}: vectors of '{model}', but {path} is of '{network.name}'; give the "
                "files of the networks in the same order"
            )
    if metadata.get(b"weights", b"").decode() != digest(weights_path(weights)):
        raise ValueError(f"{embeddings}: not of the weights in {weights}; embed it again")
    first, second = (network.state_dict() for network in networks.values())
    kept = [name for name in first if not name.startswith(PROJECTION)]
    if not all(torch.equal(first[name], second[name]) for name in kept):
        raise ValueError(f"{refined}: not a refinement of {weights}; refine it again")
    return model, networks


def _as_array(column: pa.ChunkedArray, source: str) -> np.ndarray:
    """A column of lists of 32 numbers as (n, 32) float32; raises ValueError for other lengths."""
    values = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if len(values) != len(column) * EMBEDDING:
        raise ValueError(f"{source}: vectors are not of {EMBEDDING} values; embed them again")
    return values.reshape(-1, EMBEDDING)
