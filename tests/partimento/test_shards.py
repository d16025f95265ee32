"""Shards as a data set of PyTorch."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from partimento import Shards
from tests.support import performances, staves


@pytest.fixture
def paths(tmp_path):
    rows = [performances.performance(f"piece{n}", notes=10 + n, seed=n) for n in range(5)]
    return [
        staves.write_shard(tmp_path / "0.parquet", rows[:3]),  # two rows to a row group
        staves.write_shard(tmp_path / "1.parquet", rows[3:]),
    ]


def test_items_are_the_performances_in_order(paths):
    shards = Shards(paths)
    assert len(shards) == 5
    assert [item["piece_id"] for item in shards] == [f"piece{n}" for n in range(5)]
    assert shards[4]["piece_id"] == "piece4" and shards[0]["piece_id"] == "piece0"


def test_an_item_has_the_shapes_that_it_promises(paths):
    row = performances.performance("piece0", notes=10, seed=0)
    item = Shards(paths)[0]
    assert item["spectrogram"].shape == (len(row["spectrogram"]) // 92, 92)
    assert torch.equal(item["spectrogram"].ravel(), torch.from_numpy(row["spectrogram"]))
    (strip,) = item["images"]
    assert strip.dtype == torch.uint8 and strip.shape[0] == 200
    assert item["frame"].tolist() == row["frame"].tolist()
    assert item["onset_s"].tolist() == row["onset_s"].tolist()


def test_onsets_without_a_notehead_are_left_out(tmp_path):
    """Those that are no example of score following have one, and are kept."""
    reasons = [None, "an ornament: trill", "another onset within 5 frames"]
    row = performances.performance("piece", notes=3, reason=reasons)
    shown = row | {"x": [row["x"][0], None, row["x"][2]], "image": [0, None, 0]}
    item = Shards([staves.write_shard(tmp_path / "0.parquet", [shown])])[0]
    assert item["x"].tolist() == pytest.approx(np.float32(row["x"][[0, 2]]))
    assert item["note_id"].tolist() == [0, 2]
    assert item["onset_s"].tolist() == row["onset_s"][[0, 2]].tolist()
    assert (item["x"].dtype, item["image"].dtype) == (torch.float32, torch.int32)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_reads_them(paths, workers):
    loader = DataLoader(Shards(paths), batch_size=2, collate_fn=list, num_workers=workers)
    assert [len(batch) for batch in loader] == [2, 2, 1]


def test_a_file_that_is_no_shard_is_named(tmp_path):
    (tmp_path / "0.parquet").write_text("no table")
    with pytest.raises(ValueError, match=r"0\.parquet"):
        Shards([tmp_path / "0.parquet"])
    with pytest.raises(ValueError, match="no performance"):
        Shards([])
