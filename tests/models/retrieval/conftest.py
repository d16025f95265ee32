"""Fixtures of an index and of a query: a small collection of tones, made searchable."""

import pytest

from models.retrieval import weights as weights_files
from models.retrieval.index import index as make_index
from tests.support.staves import write_shard
from tests.support.tones import PIECES, Knowing, printed


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
