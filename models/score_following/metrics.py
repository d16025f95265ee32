"""Metrics of score following (Dorfer et al. 2016, 3.3): hit rates and pixel distances."""

import numpy as np
import pandas as pd
import torch

from models.bootstrap import RESAMPLES, Bootstrap
from models.score_following.network import bucket
from pipeline.constants import BUCKET_PX, STAFF_WIDTH_PX


def metrics(
    x: np.ndarray,
    x_max: np.ndarray,
    x_int: np.ndarray,
    piece: np.ndarray,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Bucket hit rates and normalised pixel distances (3.3), over notes and over pieces.

    Args:
        x: (notes,) true position, px.
        x_max: (notes,) centre of the most probable bucket, px, or (notes, k) for k predictions
            that are equally probable.
        x_int: the same, interpolated.
        piece: (notes,) piece of each note.
        seed: of the bootstrap over pieces.
        resamples: of the bootstrap.

    Returns:
        Columns metric, micro, macro, low, high, n_notes, n_pieces.
    """
    shape = (len(x), -1)
    distance_max, distance_int = (
        np.abs(predicted.reshape(shape) - x[:, None]) / STAFF_WIDTH_PX
        for predicted in (x_max, x_int)
    )
    off = np.abs(buckets_of(x_max.reshape(shape)) - buckets_of(x)[:, None])
    within = BUCKET_PX / STAFF_WIDTH_PX
    bootstrap = Bootstrap(piece, seed, resamples)
    rows = {
        "top1": bootstrap.mean(off == 0),
        "top2": bootstrap.mean(off <= 1),
        "mean_npd_max": bootstrap.mean(distance_max),
        "mean_npd_int": bootstrap.mean(distance_int),
        "median_npd_max": bootstrap.median(distance_max),
        "median_npd_int": bootstrap.median(distance_int),
        "within_max": bootstrap.mean(distance_max < within),
        "within_int": bootstrap.mean(distance_int < within),
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["micro", "macro", "low", "high"])
    table = table.rename_axis("metric").reset_index()
    return table.assign(n_notes=len(x), n_pieces=bootstrap.pieces)


def buckets_of(x: np.ndarray) -> np.ndarray:
    """The bucket, 0 to 39, of each position (px), of any shape."""
    return bucket(torch.from_numpy(np.asarray(x, np.float64))).numpy()
