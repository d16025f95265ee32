"""Predict note positions with the trained network and with simple baselines.

Dorfer et al. 2016, 2.3 and Table 2.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from models import dataset
from models.dataset import evenly_spaced, onset_positions
from models.device import inference_device
from models.score_following.baselines import linear, most_frequent, timed
from models.score_following.matching import PT
from models.score_following.network import Network, predict_interpolated, predict_max
from models.score_following.reading import read_examples
from models.score_following.sampling import Examples
from models.score_following.weights import load
from models.training import PROGRESS_S
from pipeline import tables
from pipeline.constants import BUCKETS
from pipeline.replacing import replacing

if TYPE_CHECKING:
    from lightning.fabric import Fabric  # takes seconds to import

STAVES_PER_BATCH = 32  # images in one forward pass
NOTES_PER_BATCH = 200

PREDICTIONS = pa.schema(
    [
        *(tables.SHARDS.field(name) for name in ("split", "piece_id", "font", "tempo_ratio")),
        tables.field("note_id", pa.int32(), "of the piece"),
        tables.field("image", pa.int32(), "staff image, running number in the piece"),
        tables.field("frame", pa.int32(), "first frame at or after the onset", "frames"),
        tables.field("x", pa.float32(), "true position", "px"),
        tables.field("probabilities", pa.list_(pa.float32()), "of each bucket"),
        tables.field("x_max", pa.float32(), "centre of the most probable bucket", "px"),
        tables.field("x_int", pa.float32(), "weighted with its neighbours (eq. 3)", "px"),
        tables.field("x_linear", pa.float32(), "baseline: fraction of the recording's time", "px"),
        tables.field(
            "x_timed", pa.float32(), "oracle: fraction of the true time of the staff", "px"
        ),
        tables.field("x_frequent", pa.float32(), "baseline: most frequent training bucket", "px"),
    ]
)


def predict(
    weights: Path,
    shards_train: list[Path],
    shards_valid: list[Path],
    shards_test: list[Path],
    out: Path,
    *,
    precision: str = "bf16-mixed",
    train_samples: int | None = None,
) -> None:
    """Predict the position of every note with the trained network and with the baselines.

    One shard is in memory at a time.

    Args:
        weights: safetensors file that `train` or `train_matching` wrote.
        shards_train: Parquet shards of the training split, also for the most frequent bucket.
        shards_valid: Parquet shards of the validation split.
        shards_test: Parquet shards of the test split.
        out: Parquet table to write, a row a note.
        precision: `bf16-mixed` or `32-true`.
        train_samples: notes of the training split to predict, evenly spaced; all if absent.

    Raises:
        ValueError: if weights or shards do not fit.
    """
    fabric = inference_device(precision)
    network = fabric.to_device(load(weights).to(memory_format=torch.channels_last))
    frequent = most_frequent(np.concatenate([onset_positions(path) for path in shards_train]))
    splits = {"train": shards_train, "valid": shards_valid, "test": shards_test}
    with replacing(out) as temporary, pq.ParquetWriter(temporary, PREDICTIONS) as writer:
        for split, paths in splits.items():
            for data, chosen in _chosen(paths, split, train_samples if split == "train" else None):
                probabilities = predict_buckets(fabric, network, data, chosen)
                writer.write_table(_predictions(data, chosen, probabilities, frequent))


def _chosen(
    paths: list[Path], split: str, at_most: int | None
) -> Iterator[tuple[Examples, np.ndarray]]:
    """Examples of each shard, and the indices of those among `at_most` of the whole split."""
    counts = [dataset.count_examples(dataset.whole(path)) for path in paths]
    chosen = evenly_spaced(sum(counts), at_most)
    if not len(chosen):
        raise ValueError(f"no examples in the shards of the split '{split}'")
    ends = np.cumsum(counts)
    of_shards = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    for path, first, indices in zip(paths, ends - counts, of_shards, strict=True):
        if len(indices):
            data = read_examples([path])
            if data.split != split:
                raise ValueError(f"{path}: given for '{split}', but of split '{data.split}'")
            yield data, indices - first


@torch.inference_mode()
def predict_buckets(
    fabric: "Fabric", network: Network | PT, data: Examples, chosen: np.ndarray
) -> torch.Tensor:
    """Probabilities of the 40 buckets for some notes.

    Each staff image passes the network once, however many notes are on it.

    Args:
        fabric: the device of the network.
        network: in evaluation mode.
        data: examples.
        chosen: (notes,) indices.

    Returns:
        (notes, 40) on the CPU.
    """
    probabilities = torch.empty(len(chosen), BUCKETS)
    order = np.argsort(data.staff[chosen], kind="stable")
    staves, first = np.unique(data.staff[chosen[order]], return_index=True)
    first = np.append(first, len(chosen))
    progress = tqdm(total=len(chosen), unit=" notes", desc=data.split, mininterval=PROGRESS_S)
    with progress, fabric.autocast():
        for begin in range(0, len(staves), STAVES_PER_BATCH):
            shown = staves[begin : begin + STAVES_PER_BATCH]
            images = torch.from_numpy(data.image_batch(shown))
            sheet = network.sheet(fabric.to_device(images))
            notes = order[first[begin] : first[begin + len(shown)]]
            for part in np.split(notes, range(NOTES_PER_BATCH, len(notes), NOTES_PER_BATCH)):
                excerpts = torch.from_numpy(data.excerpt_batch(chosen[part]))
                index = torch.from_numpy(np.searchsorted(shown, data.staff[chosen[part]]))
                logits = network.listen(sheet, *fabric.to_device((excerpts, index)))
                probabilities[part] = logits.float().softmax(dim=1).cpu()
                progress.update(len(part))
    return probabilities


def _predictions(
    data: Examples, chosen: np.ndarray, probabilities: torch.Tensor, frequent: float
) -> pa.Table:
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
