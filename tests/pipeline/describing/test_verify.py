"""What was cut short from outside: found by its form, its recorded size or its contents."""

import json
import zipfile

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from pipeline import tables
from pipeline.describing import verify
from pipeline.reading import archives, catalogue

ROWS = [{"piece_id": "a", "bins": 92}]
SCHEMA = pa.schema([("piece_id", pa.string()), ("bins", pa.int32())])


@pytest.fixture
def results(tmp_path):
    """One whole file of each kind whose form tells, and a recording."""
    folder = tmp_path / "results"
    (folder / "data/audio/0").mkdir(parents=True)
    tables.write(ROWS, SCHEMA, folder / "data/a.parquet")
    save_file({"weight": torch.ones(10)}, folder / "a.safetensors", metadata={"model": "BL1"})
    torch.save({"weight": torch.ones(10)}, folder / "a.pt")
    torch.save({"weight": torch.ones(10)}, folder / "a.state")
    soundfile.write(folder / "data/audio/0/a.flac", np.sin(np.arange(20_000) / 9), 44_100)
    (folder / "table.md").write_text("| a | b |\n")
    return folder


def record(results) -> None:
    """Write down the sizes of all files, as a run does at its end."""
    outputs = {
        path.relative_to(results).as_posix(): {"bytes": path.stat().st_size}
        for path in results.rglob("*")
        if path.is_file()
    }
    (results / "provenance.json").write_text(json.dumps({"outputs": outputs}))


def damaged(results) -> list[str]:
    found = verify.damaged(results, results / "downloads")
    return [path.relative_to(results).as_posix() for path in found]


def test_what_is_whole_is_left_alone_and_what_a_killed_job_left(results):
    record(results)
    half = results / "data/.b.parquet.xyz/b.parquet"
    half.parent.mkdir()
    half.write_bytes(b"PAR1 and no more")
    assert damaged(results) == []


@pytest.mark.parametrize("name", ["data/a.parquet", "a.safetensors", "a.pt", "a.state"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_large_file_tells_by_its_form(results, name, share):
    content = (results / name).read_bytes()
    (results / name).write_bytes(content[: int(share * len(content))])
    assert damaged(results) == [name]


def test_a_header_of_nonsense_is_damage(results):
    (results / "a.safetensors").write_bytes(b"\x05" + bytes(7) + b"nonsense")
    assert damaged(results) == ["a.safetensors"]


def test_other_files_tell_by_their_recorded_size(results):
    record(results)
    (results / "table.md").write_text("| a")
    assert damaged(results) == ["table.md"]


def test_the_folder_of_a_recording_that_breaks_off_is_made_again(results):
    record(results)
    path = results / "data/audio/0/a.flac"
    path.write_bytes(path.read_bytes()[:-1000])
    assert damaged(results) == ["data/audio/0"]


def test_a_recording_of_another_length_is_none_that_breaks_off(results):
    record(results)
    soundfile.write(results / "data/audio/0/a.flac", np.zeros(30_000), 44_100)
    assert damaged(results) == []


def test_what_is_damaged_goes_and_the_records_too(results):
    record(results)
    (results / "table.md").write_text("| a")
    (results / "a.pt").write_bytes(b"")
    verify.clear(results, results / "downloads")
    left = {path.name for path in results.rglob("*") if path.is_file()}
    assert left == {"a.parquet", "a.safetensors", "a.state", "a.flac"}


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A fetched archive that the table of sources knows."""
    path = tmp_path / "downloads/little.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.mid", bytes(range(256)))
    entry = {"file": "little.zip", "digest": archives.contents_digest(path)}
    monkeypatch.setattr(catalogue, "catalogue", lambda: {"little": entry})
    return path


@pytest.mark.parametrize("spoilt", [b"", b"PK"])
def test_an_archive_is_known_by_its_contents(tmp_path, archive, spoilt):
    assert verify.damaged(tmp_path, archive.parent) == []
    archive.write_bytes(spoilt)
    assert verify.damaged(tmp_path, archive.parent) == [archive]


def test_an_archive_of_the_same_size_is_known_too(tmp_path, archive):
    archive.write_bytes(archive.read_bytes().replace(bytes(range(256)), bytes(256)))
    assert verify.damaged(tmp_path, archive.parent) == [archive]


def test_an_archive_that_a_record_vouches_for_is_not_read_again(tmp_path, archive, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/provenance.json").write_text('{"outputs": {}}')
    monkeypatch.setattr(archives, "contents_digest", None)
    assert verify.damaged(tmp_path, archive.parent) == []
