"""Shards without our code: four libraries read the same numbers from the same file."""

import io

import datasets
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image

from pipeline.constants import STAFF_HEIGHT_PX, STAFF_WIDTH_PX
from tests.support import staves

COLUMNS = ["piece_id", "tempo_ratio", "frame", "x", "reason", "spectrogram", "images"]


def with_pandas(path) -> dict:
    return pd.read_parquet(path, columns=COLUMNS).iloc[1].to_dict()


def with_polars(path) -> dict:
    return pl.read_parquet(path, columns=COLUMNS).row(1, named=True)


def with_duckdb(path) -> dict:
    rows = duckdb.sql(f"SELECT {', '.join(COLUMNS)} FROM '{path}'").fetchall()
    return dict(zip(COLUMNS, rows[1], strict=True))


def with_datasets(path) -> dict:
    cache = str(path.parent / "cache")
    return datasets.load_dataset("parquet", data_files=str(path), cache_dir=cache)["train"][1]


@pytest.mark.parametrize("read", [with_pandas, with_polars, with_duckdb, with_datasets])
def test_a_library_reads_the_numbers_that_were_written(read, tmp_path):
    written = staves.performance("second", tempo_ratio=2.0, seed=3)
    written["x"] = [None, *written["x"][1:]]  # a note without a head
    path = staves.write_shard(tmp_path / "0.parquet", [staves.performance("first"), written])
    found = read(path)
    assert found["piece_id"] == "second"
    assert found["tempo_ratio"] == 2.0
    assert list(found["frame"]) == list(written["frame"])
    np.testing.assert_allclose(
        np.array(found["x"], dtype=float), np.array(written["x"], dtype=float)
    )
    assert list(found["reason"]) == written["reason"]
    np.testing.assert_array_equal(np.float32(found["spectrogram"]), written["spectrogram"])
    image = Image.open(io.BytesIO(found["images"][0]))
    assert image.size == (STAFF_WIDTH_PX, STAFF_HEIGHT_PX)
