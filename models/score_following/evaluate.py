"""Evaluate the predictions of the network, the baselines and chance (Dorfer et al. 2016, 3.3)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models.bootstrap import RESAMPLES
from models.score_following.metrics import metrics
from models.score_following.predict import PREDICTIONS
from pipeline import tables
from pipeline.constants import BUCKET_PX, BUCKETS
from pipeline.replacing import replacing

METRICS = pa.schema(
    [
        tables.field("split", pa.string(), "train, valid or test"),
        tables.field("predictor", pa.string(), "network, linear, timed, frequent or chance"),
        tables.field("metric", pa.string(), "NPD is the distance over the width of the image"),
        tables.field("micro", pa.float64(), "over all notes"),
        tables.field("macro", pa.float64(), "mean over pieces"),
        tables.field("low", pa.float64(), "95 % interval of micro, bootstrap over pieces"),
        tables.field("high", pa.float64(), "95 % interval of micro, bootstrap over pieces"),
        tables.field("n_notes", pa.int64(), "notes that the row rests on"),
        tables.field("n_pieces", pa.int64(), "pieces that the row rests on"),
    ]
)


def evaluate(predictions: Path, out: Path, *, seed: int = 0, resamples: int = RESAMPLES) -> None:
    """Compute the metrics of the network and the baselines on each split.

    `chance` draws one of the 40 buckets; its numbers are the exact expectation.

    Args:
        predictions: Parquet table that `predict` wrote.
        out: Parquet table to write, a row for each split, predictor and metric.
        seed: of the bootstrap over pieces.
        resamples: of the bootstrap.

    Raises:
        ValueError: if there are no predictions.
    """
    columns = ["split", "piece_id", "x", "x_max", "x_int", "x_linear", "x_timed", "x_frequent"]
    notes = tables.read(predictions, PREDICTIONS, columns).to_pandas()
    parts = []
    for split, part in notes.groupby("split", sort=False):
        positions = {name: part[name].to_numpy(np.float64) for name in columns[2:]}
        chance = np.tile((np.arange(BUCKETS) + 0.5) * BUCKET_PX, (len(part), 1))
        for predictor, x_max, x_int in (
            ("network", positions["x_max"], positions["x_int"]),
            ("linear", positions["x_linear"], positions["x_linear"]),
            ("timed", positions["x_timed"], positions["x_timed"]),
            ("frequent", positions["x_frequent"], positions["x_frequent"]),
            ("chance", chance, chance),
        ):
            piece = part["piece_id"].to_numpy()
            table = metrics(positions["x"], x_max, x_int, piece, seed=seed, resamples=resamples)
            parts.append(table.assign(split=split, predictor=predictor))
    if not parts:
        raise ValueError(f"{predictions}: no predictions")
    table = pa.Table.from_pandas(pd.concat(parts), schema=METRICS, preserve_index=False)
    with replacing(out) as temporary:
        pq.write_table(table, temporary)
