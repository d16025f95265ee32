"""What a program may leave in its folder, and what is left of it."""

import os
import socket

import pytest

from pipeline.sandbox import output


def nest(folder, depth: int) -> None:
    """Folders inside one another, deeper than a path may be long."""
    opened = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d" * 200, dir_fd=opened)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=opened)
        os.close(opened)
        opened = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=opened))
    os.close(opened)


def test_folders_files_pages_and_bytes_are_counted(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.svg").write_bytes(bytes(10_000))
    (tmp_path / "sparse").write_bytes(b"")
    os.truncate(tmp_path / "sparse", 10**9)
    found = output.measure(tmp_path)
    assert (found.pages, found.files) == (1, 3)
    assert 10_000 <= found.size < 100_000  # what is on the disk, not what a sparse file claims


def test_folders_too_deep_for_a_path_exceed_a_limit_and_are_removed(tmp_path):
    nest(tmp_path, 60)
    with pytest.raises(output.ExceededError, match="more than 16 folders inside one another"):
        output.measure(tmp_path)
    output.sweep(tmp_path)
    assert output.measure(tmp_path).files == output.DEPTH - 1
    assert not list(tmp_path.rglob("file"))


def test_a_limit_counts_what_is_new(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "FILES", 3)
    for number in range(3):
        (tmp_path / f"old{number}").write_text("")
    before = output.measure(tmp_path)
    for number in range(3):
        (tmp_path / f"new{number}").mkdir()
    output.measure(tmp_path, before)
    (tmp_path / "another").mkdir()
    with pytest.raises(output.ExceededError, match="more than 3 files"):
        output.measure(tmp_path, before)


def test_links_pipes_sockets_and_odd_names_are_removed_and_nothing_outside(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (outside / "kept").chmod(0o600)
    folder = tmp_path / "piece"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "plain").write_text("plain")
    (folder / "link").symlink_to(outside)
    (folder / "loop").symlink_to("loop")
    (folder / "x.svg").symlink_to(outside / "kept")
    os.link(outside / "kept", folder / "hard")
    os.mkfifo(folder / "x-1.svg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket"))
    (folder / os.fsdecode(b"\xff")).mkdir()
    (folder / os.fsdecode(b"\xfe.svg")).touch()
    output.sweep(folder)
    assert {path.name for path in folder.rglob("*")} == {"sub", "plain"}
    assert (outside / "kept").read_text() == "kept"
    assert (outside / "kept").stat().st_mode & 0o777 == 0o600


def test_hidden_folders_and_files_can_be_read_afterwards(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_text("text")
    (tmp_path / "sub" / "file").chmod(0)
    (tmp_path / "sub").chmod(0)
    tmp_path.chmod(0)
    output.sweep(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "sub" / "file").read_text() == "text"
    assert (tmp_path / "sub").stat().st_mode & 0o777 == 0o755


def test_files_without_a_name_are_counted(tmp_path):
    before = output.unlinked(os.getpid())
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(10**6))
        file.flush()
        (tmp_path / "file").unlink()
        assert output.unlinked(os.getpid()) - before >= 10**6
