"""Runs of the workflow side by side."""

import json
from pathlib import Path

import pandas as pd

TIMED = ["seconds", "peak_mb"]  # columns of a training's history that differ from run to run


def outputs(folder: Path) -> dict[str, dict]:
    """Size and digest of every output of a run in `folder`, by name; of the data half where no more
    was made."""
    record = folder / "results/provenance.json"
    if not record.exists():
        record = folder / "results/data/provenance.json"
    return json.loads(record.read_text())["outputs"]


def differing(one: Path, other: Path) -> list[str]:
    """Outputs of two runs that differ, in their bytes or, for the history of a training, in
    anything but the time and memory that it took."""
    first, second = outputs(one), outputs(other)
    names = [name for name in first | second if first.get(name) != second.get(name)]
    return [name for name in names if not _same_history(name, one, other)]


def _same_history(name: str, one: Path, other: Path) -> bool:
    if not name.endswith("_history.parquet"):
        return False
    tables = [pd.read_parquet(folder / "results" / name) for folder in (one, other)]
    return (
        tables[0]
        .drop(columns=TIMED, errors="ignore")
        .equals(tables[1].drop(columns=TIMED, errors="ignore"))
    )
