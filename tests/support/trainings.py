"""Trainings into a folder, and what interrupts them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from models.training import Training
from tests.support.staves import write_shard

Shards = tuple[list[Path], list[Path]]


def write_shards(folder: Path, train: list[dict], valid: list[dict]) -> Shards:
    """Write performances as one shard of either split."""
    return [write_shard(folder / "train.parquet", train)], [
        write_shard(folder / "valid.parquet", valid)
    ]


def train_into(
    folder: Path, train: Callable, shards: Shards, **arguments
) -> tuple[dict[str, Tensor], pa.Table]:
    """Call the function that trains; returns the weights and the history that it writes."""
    paths = folder / "weights.safetensors", folder / "history.parquet"
    train(*shards, *paths, **arguments)
    return load_file(paths[0]), pq.read_table(paths[1])


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two networks have the same weights, bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def interrupt_at(monkeypatch, training: type[Training], step: int, how: Callable[[], object]):
    """Call `how` before step number `step` of the next run."""
    usual, seen = training.step, []

    def counted(self):
        seen.append(None)
        if len(seen) == step:
            how()
        usual(self)

    monkeypatch.setattr(training, "step", counted)


@contextmanager
def killed_at(monkeypatch, training: type[Training], step: int) -> Iterator[None]:
    """Kill the run within before step number `step`, like kill -9: what stays is the checkpoint."""

    def die():
        raise RuntimeError("killed")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):
        interrupt_at(patched, training, step, die)
        yield
