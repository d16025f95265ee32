"""Training from a stream of shards beside training from memory: `python -m benchmarks.stream`.

BL2-SC learns from a collection that the workflow made (`python -m benchmarks.stream DATA EPOCHS
PAIRS SEEDS`, the default what `make` leaves), once held in memory and once read in windows of a
fifth of its size. Each is done with several seeds: what lies between two seeds is what a curve
owes to chance. The peer is the training from memory.
"""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from models import dataset

DATA, EPOCHS, PAIRS, SEEDS = "results/data/piano", 6, 1_000, 2
VALID_PAIRS = 1_000
WINDOW = 0.2  # of what the training split takes in memory
MEASURES = ["train_loss", "valid_loss", "valid_mrr"]


def trained(data: Path, epochs: int, pairs: int, seed: int, memory_mb: int | None) -> pd.DataFrame:
    """The history of a training in a process of its own."""
    split = {name: sorted(map(str, data.glob(f"shards/{name}/*.parquet"))) for name in
             ("train", "valid")}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="stream-") as folder:
        history = Path(folder, "history.parquet")
        limit = [] if memory_mb is None else ["--memory_mb", str(memory_mb)]
        subprocess.run(
            [sys.executable, "-m", "partimento", "retrieval", "train", "--model", "BL2-SC",
             "--shards_train", json.dumps(split["train"]),
             "--shards_valid", json.dumps(split["valid"]),
             "--settings.epochs", str(epochs), "--settings.epoch_samples", str(pairs),
             "--settings.valid_samples", str(VALID_PAIRS),
             "--settings.cosine_annealing", "--seed", str(seed), *limit,
             "--history", str(history),
             "--weights", f"{folder}/weights.safetensors"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return pd.read_parquet(history).assign(seed=seed)


def main() -> None:
    data = Path((sys.argv[1:] or [DATA])[0])
    epochs, pairs, seeds = [*map(int, sys.argv[2:]), *(EPOCHS, PAIRS, SEEDS)[len(sys.argv[2:]) :]]
    sizes = [dataset.decoded_bytes(path) for path in data.glob("shards/train/*.parquet")]
    if not sizes:
        print(f"{data}: no shards of pages; run `make` first, or name others")
        return
    size, window = sum(sizes), max(WINDOW * sum(sizes), *sizes)  # no window is smaller than a shard
    limits = {"whole": None, "streamed": 1 + math.ceil(window / 1e6)}
    print(f"{size / 1e6:.0f} MB of training data, windows of {limits['streamed']} MB")
    runs = pd.concat(
        [
            trained(data, epochs, pairs, seed, limit).assign(way=way)
            for seed in range(seeds)
            for way, limit in limits.items()
        ]
    )
    by = runs.groupby(["samples", "way"])[MEASURES]
    spread = (by.max() - by.min()) / 2
    table = by.mean().round(3).astype(str) + " ± " + spread.round(3).astype(str)
    print(table.unstack("way").to_string())
    print(runs.groupby("way")[["seconds", "peak_mb"]].agg({"seconds": "mean", "peak_mb": "max"}))


if __name__ == "__main__":
    main()
