"""Validation over time of retrieval's two trainings: `python -m benchmarks.learning_curve`.

BL2-SC learns from pairs and PT from segments, for about as long, on a collection that the workflow
made (`python -m benchmarks.learning_curve DATA`, by default what `make` leaves). Named histories
that trainings have left (`python -m benchmarks.learning_curve A.parquet B.parquet`) are printed as
curves instead. The peer is the training on pairs. Seconds are those of the clock.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

DATA = "results/data/piano"
VALID_PAIRS = 1_000
WAYS = {
    "BL2-SC, pairs": [
        "train", "--model", "BL2-SC", "--settings.epochs", "6", "--settings.epoch_samples", "1000",
        "--settings.cosine_annealing",
    ],
    "PT, segments": [
        "train-segments", "--settings.epochs", "6", "--settings.epoch_samples", "2048",
        "--settings.batch_size", "128",
    ],
}  # fmt: skip


def trained(data: Path, command: list[str]) -> pd.DataFrame:
    """The history of a training in a process of its own."""
    split = {
        name: json.dumps(sorted(map(str, data.glob(f"shards/{name}/*.parquet"))))
        for name in ("train", "valid")
    }
    with tempfile.TemporaryDirectory(prefix="curve-") as folder:
        history = Path(folder, "history.parquet")
        subprocess.run(
            [sys.executable, "-m", "partimento", "retrieval", *command,
             "--shards_train", split["train"], "--shards_valid", split["valid"],
             "--settings.valid_samples", str(VALID_PAIRS), "--history", str(history),
             "--weights", f"{folder}/weights.safetensors"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return pd.read_parquet(history)


def show(name: str, history: pd.DataFrame) -> None:
    """Print minutes, pairs and metrics after each epoch, and the speed of the whole run."""
    seconds = history.seconds.cumsum()
    curve = pd.DataFrame(
        {
            "minutes": (seconds / 60).round(1),
            "pairs": history.samples,
            "MRR": history.valid_mrr.round(3),
            "R@1": history.valid_r1.round(3),
            "MB": history.peak_mb.round(),
        }
    )
    speed = history.samples.iloc[-1] / seconds.iloc[-1]
    print(
        f"{name}: {speed:.0f} pairs a second, validation included\n{curve.to_string(index=False)}"
    )


def main() -> None:
    given = sys.argv[1:] or [DATA]
    if all(name.endswith(".parquet") for name in given):
        for name in given:
            show(name, pd.read_parquet(name))
        return
    data = Path(given[0])
    if not list(data.glob("shards/train/*.parquet")):
        print(f"{data}: no shards of pages; run `make` first, or name others")
        return
    for name, command in WAYS.items():
        show(name, trained(data, command))


if __name__ == "__main__":
    main()
