"""A collection of a few bars, as the workflow leaves it."""

import pytest

from tests.support.performances import performance
from tests.support.staves import write_shard


@pytest.fixture
def collection(tmp_path):
    """Folder of a collection with two pieces to train on and two to validate on."""
    for split in ("train", "valid"):
        path = tmp_path / f"shards/{split}/a.parquet"
        path.parent.mkdir(parents=True)
        rows = [performance(f"{split}{n}", split=split, notes=120, seed=n) for n in range(2)]
        write_shard(path, rows)
    return tmp_path
