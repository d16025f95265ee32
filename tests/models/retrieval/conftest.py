"""Fixtures of examples, of a training, and of a small collection of tones, made searchable."""

import pytest

from models.retrieval import train
from models.retrieval import weights as weights_files
from models.retrieval.index import index as make_index
from models.retrieval.reading import read_examples
from models.retrieval.schedule import Settings
from tests.support.performances import performance
from tests.support.quick import Quick
from tests.support.staves import write_shard
from tests.support.tones import PIECES, Knowing, printed
from tests.support.trainings import train_into, write_shards

SETTINGS = {
    "epochs": 3,
    "batch_size": 34,
    "epoch_samples": 68,
    "precision": "32-true",
    "valid_samples": 30,
}


@pytest.fixture
def shard(tmp_path):
    """Reads the examples of rows by way of a file."""

    def reads(*rows):
        return read_examples([write_shard(tmp_path / "shard.parquet", list(rows))])

    return reads


@pytest.fixture
def shards(tmp_path):
    """Three pieces to train on, and one to validate with."""
    return write_shards(
        tmp_path,
        [performance(f"train{n}", seed=n) for n in range(3)],
        [performance("valid", split="valid", seed=9)],
    )


@pytest.fixture
def run(tmp_path, shards, few_threads, monkeypatch):
    """Trains one of the paper's networks into a folder; returns weights and history."""

    def runs(name="run", model="BL2-SC", network=Quick, checkpoint_minutes=10.0, seed=0, **changes):
        monkeypatch.setattr(train, "Network", network)
        return train_into(
            tmp_path / name,
            train.train,
            shards,
            model=model,
            settings=Settings(**(SETTINGS | changes)),
            seed=seed,
            checkpoint_minutes=checkpoint_minutes,
        )

    return runs


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A weights file; whatever it is, the network that knows is loaded."""
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"made-up weights")
    monkeypatch.setattr(weights_files, "load", lambda path: Knowing())
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def index(tmp_path, weights):
    rows = [printed(piece, tones) for piece, tones in PIECES.items()]
    shard = write_shard(tmp_path / "shard.parquet", rows)
    make_index([shard], tmp_path / "index.parquet", weights=weights, precision="32-true")
    return tmp_path / "index.parquet"
