"""Files and folders: written whole or not at all, and nobody else's are replaced."""

import os
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from models.checkpoint import write_checkpoint
from pipeline import tables
from pipeline.replacing import UNFINISHED, replacing, require_writable


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_is_written_whole(tmp_path, there):
    folder = tmp_path / "audio"
    if there:
        folder.mkdir()
    with replacing(folder) as temporary:
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
        replacing(folder),
    ):
        pytest.fail("told only after the work was done")
    assert (folder / name).read_text() == "mine"


def test_files_that_come_while_a_folder_is_written_are_kept(tmp_path):
    folder = tmp_path / "audio"
    with pytest.raises(OSError), replacing(folder) as temporary:
        temporary.mkdir()
        folder.mkdir()
        (folder / "mine").touch()
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_two_at_once_do_not_sweep_away_each_others_work(tmp_path):
    """The later one takes the name last."""
    with replacing(tmp_path / "a.txt") as first:
        with replacing(tmp_path / "a.txt") as second:
            first.write_text("first")
            second.write_text("second")
        assert (tmp_path / "a.txt").read_text() == "second"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["first"]


def test_a_folder_that_was_just_made_may_be_about_to_be_locked(tmp_path):
    """Empty ones are swept away after a minute, others at once."""
    names = ("new", "old", "left")
    folders = {name: tmp_path / f".a.txt.{UNFINISHED}{name}" for name in names}
    for folder in folders.values():
        folder.mkdir()
    (folders["left"] / "a.txt").touch()
    os.utime(folders["old"], (0, 0))
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.touch()
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", folders["new"].name}


@pytest.mark.parametrize("name", [250 * "x" + ".html", 127 * "é"], ids=["ASCII", "UTF-8"])
def test_a_name_may_be_as_long_as_a_file_systems_names_are(tmp_path, name):
    """255 bytes; what a killed writer left is found and swept away as for short names."""
    with replacing(tmp_path / name) as temporary:
        temporary.write_text("first")
        left = temporary.parent
    left.mkdir()
    (left / name).touch()
    with replacing(tmp_path / f"{name[:-1]}-") as temporary:  # of another file that begins alike
        temporary.touch()
    assert left.exists()
    with replacing(tmp_path / name) as temporary:
        temporary.write_text("second")
    assert not left.exists() and (tmp_path / name).read_text() == "second"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("~/page.html", "~/page.html: '~' is not expanded here; write the folder out in full"),
        ("~anna/page.html", "~anna/page.html: '~' is not expanded here"),
        ("folder", "folder: is a folder; name a file to write"),
        ("file/page.html", "file is not a folder"),
    ],
)
def test_what_cannot_be_written_is_told_with_the_remedy(tmp_path, monkeypatch, path, said):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    with pytest.raises(ValueError, match=said):
        require_writable(Path(path))


WRITERS = {
    "Parquet": lambda path: tables.write(
        ({"piece_id": f"p{n}"} for n in range(5_000)), tables.ENGRAVED, path
    ),
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
    monkeypatch.setattr(
        "pipeline.replacing.shutil.disk_usage", lambda folder: SimpleNamespace(free=free)
    )
    with pytest.raises(told, match="System error"), replacing(tmp_path / "file"):
        raise RuntimeError("System error.")
