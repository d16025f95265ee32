"""Predictions of the trained network and of simple baselines, and the paper's measures of them.

Dorfer et al. 2016, 3.3 and Table 2.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from lightning.fabric import Fabric
from tqdm import tqdm

from models import dataset as reading
from models.bootstrap import RESAMPLES, Bootstrap
from models.score_following import sampling
from models.score_following.network import Network, bucket, predict_interpolated, predict_max
from models.score_following.train import load
from models.training import evenly, one_device
from pipeline import tables
from pipeline.constants import BUCKET_PX, BUCKETS, STAFF_WIDTH_PX

TRAIN = "train"
STAVES_AT_ONCE = 32  # images in one forward pass
NOTES_AT_ONCE = 200


PREDICTIONS = pa.schema(
    [
        *(tables.SHARDS.field(name) for name in ("split", "piece_id", "font", "tempo_ratio")),
        tables.field("note_id", pa.int32(), "of the piece"),
        tables.field("image", pa.int32(), "staff image, running number in the piece"),
        tables.field("frame", pa.int32(), "first frame at or after the onset", "frames"),
        tables.field("x", pa.float32(), "true place", "px"),
        tables.field("probabilities", pa.list_(pa.float32()), "of each bucket"),
        tables.field("x_max", pa.float32(), "centre of the most probable bucket", "px"),
        tables.field("x_int", pa.float32(), "weighted with its neighbours (eq. 3)", "px"),
        tables.field("x_linear", pa.float32(), "baseline: share of the recording's time", "px"),
        tables.field("x_timed", pa.float32(), "oracle: share of the true time of the staff", "px"),
        tables.field("x_frequent", pa.float32(), "baseline: most frequent training bucket", "px"),
    ]
)

MEASURES = pa.schema(
    [
        tables.field("split", pa.string(), "train, valid or test"),
        tables.field("predictor", pa.string(), "network, linear, timed, frequent or chance"),
        tables.field("measure", pa.string(), "NPD is the distance over the width of the image"),
        tables.field("micro", pa.float64(), "over all notes"),
        tables.field("macro", pa.float64(), "mean over pieces"),
        tables.field("low", pa.float64(), "95 % interval of micro, bootstrap over pieces"),
        tables.field("high", pa.float64(), "95 % interval of micro, bootstrap over pieces"),
        tables.field("n_notes", pa.int64(), "notes that the row rests on"),
        tables.field("n_pieces", pa.int64(), "pieces that the row rests on"),
    ]
)


# --- predictions ---------------------------------------------------------------------------
def evaluate(
    weights: Path | str,
    shards: dict[str, list[Path | str]],
    out: Path | str,
    *,
    precision: str = "bf16-mixed",
    train_samples: int | None = None,
    network: Callable[[], torch.nn.Module] = Network,
    accelerator: str = "auto",
) -> None:
    """Predict every example of every split and write the table `PREDICTIONS` to `out`.

    weights: what `train` wrote; shards: Parquet files by split, `train` among them, for the most
    frequent bucket. Of the training split at most `train_samples` examples, evenly spread, are
    predicted. One shard is in memory at a time. Raises ValueError where shards do not fit.
    """
    if TRAIN not in shards:
        raise ValueError(f"the shards of the split '{TRAIN}' are needed for the baseline")
    fabric = one_device(accelerator, precision)
    module = fabric.to_device(load(weights, network).to(memory_format=torch.channels_last))
    frequent = most_frequent(np.concatenate([reading.places(path) for path in shards[TRAIN]]))
    with tables.replacing(out) as temporary, pq.ParquetWriter(temporary, PREDICTIONS) as writer:
        for split, paths in shards.items():
            for data, chosen in _chosen(paths, split, train_samples if split == TRAIN else None):
                found = predict(fabric, module, data, chosen)
                writer.write_table(_predictions(data, chosen, found, frequent))


def _chosen(
    paths: list[Path], split: str, at_most: int | None
) -> Iterator[tuple[sampling.Examples, np.ndarray]]:
    """Shard by shard, examples and the indices of those among `at_most` of the whole split."""
    counts = [reading.examples(reading.whole(path)) for path in paths]
    chosen = evenly(sum(counts), at_most)
    if not len(chosen):
        raise ValueError(f"no examples in the shards of the split '{split}'")
    ends = np.cumsum(counts)
    parts = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    for path, first, own in zip(paths, ends - counts, parts, strict=True):
        if len(own):
            data = sampling.read([path])
            if data.split != split:
                raise ValueError(f"{path}: given for '{split}', but of split '{data.split}'")
            yield data, own - first


@torch.inference_mode()
def predict(
    fabric: Fabric, module: torch.nn.Module, data: sampling.Examples, chosen: np.ndarray
) -> torch.Tensor:
    """Probabilities (chosen, 40) of the buckets for the chosen examples, on the CPU.

    Every staff image is passed once, however many notes stand on it.
    """
    probabilities = torch.empty(len(chosen), BUCKETS)
    order = np.argsort(data.staff[chosen], kind="stable")
    staves, first = np.unique(data.staff[chosen[order]], return_index=True)
    first = np.append(first, len(chosen))
    progress = tqdm(total=len(chosen), unit=" notes", desc=data.split, mininterval=1.0)
    with progress, fabric.autocast():
        for begin in range(0, len(staves), STAVES_AT_ONCE):
            shown = staves[begin : begin + STAVES_AT_ONCE]
            images = torch.from_numpy(data.image_batch(shown))
            sheet = module.sheet(fabric.to_device(images))
            notes = order[first[begin] : first[begin + len(shown)]]
            for part in np.split(notes, range(NOTES_AT_ONCE, len(notes), NOTES_AT_ONCE)):
                excerpts = torch.from_numpy(data.excerpt_batch(chosen[part]))
                index = torch.from_numpy(np.searchsorted(shown, data.staff[chosen[part]]))
                logits = module.listen(sheet, *fabric.to_device((excerpts, index)))
                probabilities[part] = logits.float().softmax(dim=1).cpu()
                progress.update(len(part))
    return probabilities


def most_frequent(x: np.ndarray) -> float:
    """Centre (px) of the bucket that holds most of the places x (px)."""
    counts = np.bincount(buckets_of(x), minlength=BUCKETS)
    return (int(counts.argmax()) + 0.5) * BUCKET_PX


def linear(data: sampling.Examples, chosen: np.ndarray) -> np.ndarray:
    """Places (px) if notes stood as far apart as they sound: a straight line through the recording.

    It runs over all staves of the piece that have examples, joined, from the first onset to the
    last one, and is cut to the staff that is shown.
    """
    places = np.empty(len(data), np.float64)
    for performance in np.unique(data.performance):
        notes = np.flatnonzero(data.performance == performance)
        _, first, which = np.unique(data.image[notes], return_index=True, return_inverse=True)
        staves = data.staff[notes[first]]  # from top to bottom
        lengths = (data.right - data.left)[staves].astype(np.float64)
        start, end = data.first_frame[notes].min(), data.last_frame[notes].max()
        share = (data.frame[notes] - start) / max(end - start, 1)
        before = np.append(0, np.cumsum(lengths))[which]
        along = np.clip(share * lengths.sum() - before, 0, lengths[which])
        places[notes] = data.left[staves[which]] + along
    return places[chosen]


def timed(data: sampling.Examples, chosen: np.ndarray) -> np.ndarray:
    """Places (px) by a straight line through this pass over the staff alone.

    An oracle, not a baseline: it is told when the staff begins and ends in the recording, which
    only the true alignment knows.
    """
    first, last = data.first_frame[chosen], data.last_frame[chosen]
    share = (data.frame[chosen] - first) / np.maximum(last - first, 1)
    left, right = data.left[data.staff[chosen]], data.right[data.staff[chosen]]
    return left + share * (right - left)


def _predictions(data, chosen, probabilities, frequent: float) -> pa.Table:
    played = data.performance[chosen]
    columns = {
        "split": np.full(len(chosen), data.split, object),
        "piece_id": np.array(data.pieces, object)[data.piece[chosen]],
        "font": np.array(data.font, object)[played],
        "tempo_ratio": data.tempo_ratio[played],
        "note_id": data.note_id[chosen],
        "image": data.image[chosen],
        "frame": data.frame[chosen],
        "x": data.x[chosen],
        "probabilities": pa.ListArray.from_arrays(
            np.arange(len(chosen) + 1, dtype=np.int32) * BUCKETS, probabilities.flatten().numpy()
        ),
        "x_max": predict_max(probabilities).numpy(),
        "x_int": predict_interpolated(probabilities).numpy(),
        "x_linear": linear(data, chosen),
        "x_timed": timed(data, chosen),
        "x_frequent": np.full(len(chosen), frequent),
    }
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in PREDICTIONS]
    return pa.Table.from_arrays(arrays, schema=PREDICTIONS)


# --- measures --------------------------------------------------------------------------------
def measure(
    predictions: Path | str, out: Path | str, *, seed: int = 0, resamples: int = RESAMPLES
) -> None:
    """Measure the predictions (3.3) of the network and the baselines; write table `MEASURES`.

    `chance` draws one of the 40 buckets; its numbers are the exact expectation.
    """
    columns = ["split", "piece_id", "x", "x_max", "x_int", "x_linear", "x_timed", "x_frequent"]
    notes = tables.read(predictions, PREDICTIONS, columns).to_pandas()
    parts = []
    for split, part in notes.groupby("split", sort=False):
        places = {name: part[name].to_numpy(np.float64) for name in columns[2:]}
        chance = np.tile((np.arange(BUCKETS) + 0.5) * BUCKET_PX, (len(part), 1))
        for predictor, x_max, x_int in (
            ("network", places["x_max"], places["x_int"]),
            ("linear", places["x_linear"], places["x_linear"]),
            ("timed", places["x_timed"], places["x_timed"]),
            ("frequent", places["x_frequent"], places["x_frequent"]),
            ("chance", chance, chance),
        ):
            piece = part["piece_id"].to_numpy()
            found = measures(places["x"], x_max, x_int, piece, seed=seed, resamples=resamples)
            parts.append(found.assign(split=split, predictor=predictor))
    if not parts:
        raise ValueError(f"{predictions}: no predictions")
    table = pa.Table.from_pandas(pd.concat(parts), schema=MEASURES, preserve_index=False)
    with tables.replacing(out) as temporary:
        pq.write_table(table, temporary)


def measures(
    x: np.ndarray,
    x_max: np.ndarray,
    x_int: np.ndarray,
    piece: np.ndarray,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Bucket hit rates and normalised pixel distances (3.3), over notes and over pieces.

    x, piece: (notes,) true place in px, and the piece it belongs to; x_max, x_int: (notes,) the
    two predictions in px, or (notes, k) for k predictions that are equally probable.
    Returns columns measure, micro, macro, low, high, n_notes, n_pieces.
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
    table = table.rename_axis("measure").reset_index()
    return table.assign(n_notes=len(x), n_pieces=bootstrap.pieces)


def buckets_of(x: np.ndarray) -> np.ndarray:
    """The bucket, 0 to 39, of each place (px), of any shape."""
    return bucket(torch.from_numpy(np.asarray(x, np.float64))).numpy()
