"""Tables: written whole or not at all, and read only if they are what they should be."""

import resource
from types import SimpleNamespace

import pyarrow as pa
import pytest
import torch

from models.checkpoint import write_checkpoint
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


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_is_written_whole(tmp_path, there):
    folder = tmp_path / "audio"
    if there:
        folder.mkdir()
    with tables.replacing(folder) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]


@pytest.mark.parametrize("name", ["thesis.tex", "a.flac", ".hidden"])
def test_a_folder_that_holds_something_is_never_replaced(tmp_path, name):
    folder = tmp_path / "audio"
    folder.mkdir()
    (folder / name).write_text("mine")
    with (
        pytest.raises(FileExistsError, match="audio: is a folder that holds files already"),
        tables.replacing(folder),
    ):
        pytest.fail("told only after the work was done")
    assert (folder / name).read_text() == "mine"


def test_files_that_come_while_a_folder_is_written_are_kept(tmp_path):
    folder = tmp_path / "audio"
    with pytest.raises(OSError), tables.replacing(folder) as temporary:
        temporary.mkdir()
        folder.mkdir()
        (folder / "mine").touch()
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_a_file_of_another_schema_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    tables.write(rows(1), tables.ENGRAVED, path)
    with pytest.raises(ValueError, match=r"t\.parquet: column 'note_id' is missing"):
        tables.read(path, tables.NOTES)
    wrong = pa.schema([pa.field("piece_id", pa.int64())])
    with pytest.raises(ValueError, match="'piece_id' is string, not int64"):
        tables.read(path, wrong)


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    tables.write(rows(10), tables.ENGRAVED, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"t\.parquet: not a Parquet file.*delete it"):
        tables.read(path, tables.ENGRAVED)


WRITERS = {
    "Parquet": lambda path: tables.write(rows(5_000), tables.ENGRAVED, path),
    "torch": lambda path: write_checkpoint(
        path, {}, {}, net := torch.nn.Linear(50, 50), torch.optim.SGD(net.parameters())
    ),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_told_with_the_files_name(tmp_path, writer):
    """A limit on the size of files fails a write just as a full disk does."""
    path = tmp_path / "file"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"file: no space left for it .*too large.*make room"):
            WRITERS[writer](path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("free, told", [(0, OSError), (1 << 30, RuntimeError)])
def test_a_failure_on_a_full_disk_is_put_down_to_it(tmp_path, monkeypatch, free, told):
    """Libsndfile, for one, says `System error` and no more."""
    monkeypatch.setattr(tables.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    with pytest.raises(told, match="System error"), tables.replacing(tmp_path / "file"):
        raise RuntimeError("System error.")
