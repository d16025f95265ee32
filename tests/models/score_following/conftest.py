"""Fixtures of predictions: shards of every split, weights, and what is predicted."""

import pyarrow.parquet as pq
import pytest
import torch

from models.score_following import predict
from models.score_following.weights import save
from tests.support.staves import narrow, performance, write_shard


@pytest.fixture
def shards(tmp_path):
    """Two fonts to train on, one to test on; the last piece has longer staves."""
    rows = {
        "train": [performance("a"), performance("a", font="upright"), performance("b", seed=1)],
        "valid": [performance("c", split="valid", seed=2)],
        "test": [performance("d", split="test", seed=3, staves=3)],
    }
    return {
        split: [write_shard(tmp_path / f"{split}.parquet", some)] for split, some in rows.items()
    }


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(5)
    path = tmp_path / "weights.safetensors"
    save(narrow(), path)
    return path


@pytest.fixture
def predicted(tmp_path, shards, weights):
    """Predicts with a random network; returns the table."""

    def predicts(**changes):
        out = tmp_path / "predictions.parquet"
        predict.predict(weights, *shards.values(), out, precision="32-true", **changes)
        return pq.read_table(out).to_pandas()

    return predicts
