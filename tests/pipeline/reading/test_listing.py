"""Links, pipes, devices and unreadable folders stop nothing and hang nothing."""

import os
from pathlib import Path

import pytest

from pipeline.reading import listing


def test_files_are_found_in_all_folders_by_suffix_in_any_case(tmp_path):
    for name in (
        "b/two.MID",
        "one.mid",
        "b/c.mid/three.mid",
        "notes.txt",
        b"b/\xff.mid".decode("utf-8", "surrogateescape"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    found = listing.files_below(tmp_path, [".mid"])
    assert found == ["b/c.mid/three.mid", "b/two.MID", "b/\udcff.mid", "one.mid"]
    assert [listing.read_file(tmp_path / name, 10) for name in found] == [b"x"] * 4


@pytest.fixture
def odd(tmp_path):
    (tmp_path / "loop.mid").symlink_to("loop.mid")
    (tmp_path / "dangling.mid").symlink_to("gone.mid")
    (tmp_path / "device.mid").symlink_to("/dev/zero")
    (tmp_path / "folder.mid").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.mid")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("loop", "a link to itself"),
        ("dangling", "a link to a file that does not exist"),
        ("device", "a device, not a file"),
        ("folder", "a folder, not a file"),
        ("pipe", "a pipe, not a file"),
    ],
)
def test_what_is_no_file_is_listed_and_says_so_when_it_is_read(odd, name, reason):
    assert f"{name}.mid" in listing.files_below(odd, [".mid"])
    with pytest.raises(ValueError, match=reason):
        listing.read_file(odd / f"{name}.mid", 10)


def test_no_more_than_the_limit_and_a_byte_is_read(tmp_path):
    (tmp_path / "long").write_bytes(bytes(100))
    assert len(listing.read_file(tmp_path / "long", 10)) == 11


def test_a_folder_that_cannot_be_read_is_passed_over_with_a_warning(tmp_path, monkeypatch, capsys):
    """Denied by a stand-in for `scandir`: the tests may run as root, who may read all."""
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a.mid").write_bytes(b"")
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def denied(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    assert listing.files_below(tmp_path, [".mid"]) == ["good/a.mid"]
    assert (
        "closed/: passed over, the folder cannot be read (Permission denied)"
        in capsys.readouterr().err
    )
