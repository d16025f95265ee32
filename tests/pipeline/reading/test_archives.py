"""Archives are read member by member, and compared by their contents."""

import zipfile

import pytest

from pipeline.reading import archives
from tests.support.archives import tar


def test_the_digest_is_of_the_contents_not_of_the_archive(tmp_path):
    again = tmp_path / "again.zip"
    old_path = tmp_path / "Little.zip"
    with zipfile.ZipFile(old_path, "w") as file:
        file.writestr("Little/train/a.mid", b"a")
        file.writestr("Little/test/b.mid", b"b")
    with zipfile.ZipFile(old_path) as old, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as new:
        for name in reversed(old.namelist()):
            new.writestr(name, old.read(name))
    assert again.read_bytes() != old_path.read_bytes()
    assert archives.contents_digest(again) == archives.contents_digest(old_path)


def test_a_tar_is_compared_by_the_folder_that_is_read(tmp_path):
    tar(tmp_path / "s.tar.gz", [("Scores-1/ftp/a.ly", b"{ c }"), ("Scores-1/README", b"!")])
    known = archives.contents_digest(tmp_path / "s.tar.gz", "ftp")
    tar(tmp_path / "repacked.tar.gz", [("Other-2/ftp/a.ly", b"{ c }"), ("Other-2/new", b"?")])
    assert archives.contents_digest(tmp_path / "repacked.tar.gz", "ftp") == known
    tar(tmp_path / "edited.tar.gz", [("Scores-1/ftp/a.ly", b"{ d }")])
    assert archives.contents_digest(tmp_path / "edited.tar.gz", "ftp") != known


def test_a_tar_gives_its_files_by_name_and_no_links(tmp_path):
    path = tmp_path / "scores.tar.gz"
    tar(path, [("S/ftp/a.ly", b"a"), ("S/ftp/b/c.ily", b"c"), ("S/ftp/link", None), ("S/x", b"x")])
    assert dict(archives.members(path, "ftp")) == {"ftp/a.ly": b"a", "ftp/b/c.ily": b"c"}


@pytest.mark.parametrize("name", ["/etc/a.ly", "S/ftp/../../a.ly"])
def test_a_member_that_leads_outside_is_refused(tmp_path, name):
    tar(tmp_path / "bad.tar.gz", [(name, b"a")])
    with pytest.raises(ValueError, match="leads outside"):
        list(archives.members(tmp_path / "bad.tar.gz"))


def test_a_huge_member_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 10)
    tar(tmp_path / "bomb.tar.gz", [("S/a", b"0" * 11)])
    with pytest.raises(ValueError, match="too large"):
        list(archives.members(tmp_path / "bomb.tar.gz"))
