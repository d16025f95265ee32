"""Tables: written whole or not at all, and read only if they are what they should be."""

import pyarrow as pa
import pytest

from pipeline import tables


def rows(count):
    return ({"piece_id": f"p{i}", "notes": i} for i in range(count))


def test_rows_come_back_in_order(tmp_path):
    tables.write(rows(200), tables.ENGRAVED, tmp_path / "t.parquet", row_group=64)
    found = tables.read(tmp_path / "t.parquet", tables.ENGRAVED, ["notes"])
    assert found["notes"].to_pylist() == list(range(200))


def test_every_column_says_what_it_is():
    for name in (
        "PIECES",
        "IMAGES",
        "SYSTEMS",
        "NOTEHEADS",
        "NOTES",
        "PERFORMANCES",
        "FEATURES",
        "SHARDS",
        "SHARED_WORKS",
    ):
        for field in getattr(tables, name):
            assert field.metadata[b"description"], f"{name}.{field.name}"


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "t.parquet"
    tables.write(rows(3), tables.ENGRAVED, path)

    def broken():
        yield {"piece_id": "new"}
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        tables.write(broken(), tables.ENGRAVED, path)
    assert tables.read(path, tables.ENGRAVED).num_rows == 3
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_swept_away(tmp_path):
    left = tmp_path / ".t.parquet.partimento-unfinished-abc123"
    left.mkdir()
    (left / "t.parquet").write_bytes(b"PAR1")
    mine = tmp_path / ".t.parquet.original"  # of a user
    mine.mkdir()
    tables.write(rows(3), tables.ENGRAVED, tmp_path / "t.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == [mine.name, "t.parquet"]


def test_a_file_of_another_schema_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    tables.write(rows(1), tables.ENGRAVED, path)
    with pytest.raises(ValueError, match=r"t\.parquet: column 'note_id' is missing"):
        tables.read(path, tables.NOTES)
    wrong = pa.schema([pa.field("piece_id", pa.int64())])
    with pytest.raises(ValueError, match="'piece_id' is string, not int64"):
        tables.read(path, wrong)


def test_onsets_of_earlier_versions_which_had_no_sureness_are_read(tmp_path):
    path = tmp_path / "t.parquet"
    known = [field for field in tables.ONSET if field.name != "sureness"]
    number = tables.PERFORMANCES.get_field_index("onsets")
    earlier = tables.PERFORMANCES.set(number, pa.field("onsets", pa.list_(pa.struct(known))))
    tables.write([{"piece_id": "air", "onsets": [{"note_id": 7}]}], earlier, path)
    (row,) = tables.read(path, tables.PERFORMANCES).to_pylist()
    assert row["onsets"][0]["note_id"] == 7
    without_time = pa.struct([field for field in known if field.name != "onset_s"])
    other = tables.PERFORMANCES.set(number, pa.field("onsets", pa.list_(without_time)))
    tables.write([{"piece_id": "air"}], other, path)
    with pytest.raises(ValueError, match=r"t\.parquet: column 'onsets' is list<"):
        tables.read(path, tables.PERFORMANCES)


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    tables.write(rows(10), tables.ENGRAVED, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"t\.parquet: not a Parquet file.*delete it"):
        tables.read(path, tables.ENGRAVED)


def test_a_file_with_a_corrupt_page_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    tables.write(rows(1_000), tables.ENGRAVED, path)
    content = bytearray(path.read_bytes())
    content[20:60] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"t\.parquet: corrupt .*delete it and run again"):
        tables.read(path, tables.ENGRAVED)
