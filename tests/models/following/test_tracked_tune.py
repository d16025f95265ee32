"""A tracked tune as an alignment: its staves on pages, positions where they are printed."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.following.picture import spreads
from models.following.tracked_tune import as_alignment, tracking_video
from models.score_following import track
from pipeline import tables
from pipeline.images import grey
from tests.support.staves import performance, write_shard


@pytest.fixture
def shard(tmp_path):
    return write_shard(tmp_path / "shard.parquet", [performance("tune", staves=3)])


def test_positions_stand_on_their_staff(shard):
    tune = next(track.read_tunes([shard]))
    rows = [{"piece_id": "tune", "way": "tracked", "time": 1.0, "image": 2, "x": 40.0}]
    found = as_alignment(tune, pa.Table.from_pylist(rows, schema=track.TRACKS), Path("tune.flac"))
    (row,) = found.table.to_pylist()
    page = grey(found.pages[0])
    middle = round(row["y"])
    np.testing.assert_array_equal(page[middle - 20 : middle + 20], tune.images[2])
    assert (row["system"], row["x"]) == (2, 40.0)
    assert found.systems.num_rows == 3


def test_a_long_tune_has_pages_to_turn(tmp_path):
    shard = write_shard(tmp_path / "shard.parquet", [performance("tune", staves=6)])
    tune = next(track.read_tunes([shard]))
    rows = [{"piece_id": "tune", "way": "tracked", "time": 1.0, "image": 5, "x": 40.0}]
    found = as_alignment(tune, pa.Table.from_pylist(rows, schema=track.TRACKS), Path("tune.flac"))
    assert found.systems["image"].to_pylist() == [0, 0, 0, 0, 1, 1]
    (row,) = found.table.to_pylist()
    pages = [grey(page) for page in found.pages]
    assert row["page"] == 1 and {page.shape for page in pages} == {pages[0].shape}
    middle = round(row["y"])
    np.testing.assert_array_equal(pages[1][middle - 20 : middle + 20], tune.images[5])
    _, places = spreads(found.pages)
    assert [place.spread for place in places] == [0, 1]  # one picture each, as wide as it can be


def test_a_tune_that_was_not_followed_is_refused(tmp_path, shard):
    tables.write([], track.TRACKS, tmp_path / "tracks.parquet")
    with pytest.raises(ValueError, match="no tune of this name was followed"):
        tracking_video(
            tmp_path / "tracks.parquet", [shard], Path("other.flac"), tmp_path / "out.mp4"
        )
