"""Shards of score following: read, joined, and refused if they do not fit."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import dataset
from models.score_following.reading import read_examples
from pipeline import tables
from tests.support.staves import performance, png, write_shard

BINS = 136


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": 20.0}, "20.0 frames a second"),
        ({"bins": 92}, "92 bins"),
        ({"spectrogram": np.zeros(50 * BINS, np.float32)}, "outside the recording"),
        ({"images": [png(np.zeros((40, 400), np.uint8))] * 2}, "400 x 40 px"),
        ({"split": "test"}, "several splits"),
        ({"reason": ["no head"] * 24}, "no examples"),
    ],
)
def test_other_shards_are_refused_with_a_sentence(tmp_path, changes, message):
    rows = [performance("odd", **changes)]
    if "reason" not in changes:
        rows.insert(0, performance("good"))
    path = write_shard(tmp_path / "odd.parquet", rows)
    with pytest.raises(ValueError, match=message) as error:
        read_examples([path])
    assert "odd.parquet" in str(error.value)


def test_a_table_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"piece_id": ["tune"]}), path)
    with pytest.raises(ValueError, match="column 'split' is missing"):
        read_examples([path])


def test_shards_are_read_file_by_file(tmp_path):
    rows = [performance(f"tune{n}", seed=n) for n in range(5)]
    whole = read_examples([write_shard(tmp_path / "whole.parquet", rows)])
    parts = [write_shard(tmp_path / f"{n}.parquet", [row]) for n, row in enumerate(rows)]
    split = read_examples(parts)
    assert whole.fingerprint() == split.fingerprint()
    assert (whole.spectrogram == split.spectrogram).all()
    assert read_examples(parts[1:]).fingerprint() != whole.fingerprint()


def test_spectrogram_bound_is_exact(tmp_path):
    path = write_shard(tmp_path / "tune.parquet", [performance("a"), performance("b")])
    values = sum(len(row["spectrogram"]) for row in pq.read_table(path).to_pylist())
    assert dataset.count_values(dataset.whole(path), "spectrogram") == values
    assert set(pq.read_schema(path).names) == set(tables.SHARDS.names)
