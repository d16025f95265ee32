"""What is fetched: archives, lists and sound fonts that are checked, from a mirror or their URL."""

import io
import tarfile
import zipfile

import pytest

from pipeline.reading import catalogue


def tar(path, members, mode="w:gz"):
    """A tar archive of (name, content) members; content None makes a link to /etc/passwd."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content or b""))


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror with a zip, a tar, a list and a sound font that the catalogue knows."""
    folder = tmp_path / "mirror"
    (folder / "fonts").mkdir(parents=True)
    with zipfile.ZipFile(folder / "Little.zip", "w") as file:
        file.writestr("Little/train/a.mid", b"a")
        file.writestr("Little/test/b.mid", b"b")
    tar(folder / "Scores.tar.gz", [("Scores-1/ftp/a.ly", b"{ c }"), ("Scores-1/README", b"!")])
    (folder / "fonts" / "Grand_v1.2.sf3").write_bytes(b"RIFF")
    rows = {"zip": "Little.zip", "tar": "Scores.tar.gz", "font": "fonts/Grand_v1.2.sf3"}
    table = {
        name: {
            "title": f"a {name}",
            "file": file,
            "url": f"file:///nowhere/{file}",
            "digest": catalogue.digest(folder / file, "ftp" if name == "tar" else None),
            **({"members": "ftp"} if name == "tar" else {}),
            "licence": "CC0",
        }
        for name, file in rows.items()
    }
    monkeypatch.setattr(catalogue, "catalogue", lambda: table)
    monkeypatch.setenv(catalogue.MIRROR, str(folder))
    return folder


@pytest.mark.parametrize(
    ("name", "file"), [("zip", "zip.zip"), ("tar", "tar.tar.gz"), ("font", "font.sf3")]
)
def test_every_kind_of_file_comes_from_the_mirror(mirror, tmp_path, name, file):
    path = catalogue.archive(name, tmp_path / "downloads")
    assert path == tmp_path / "downloads" / file
    catalogue.fetch(name, path)
    assert path.read_bytes() == (mirror / catalogue.catalogue()[name]["file"]).read_bytes()


def test_the_digest_is_of_the_contents_not_of_the_archive(mirror, tmp_path):
    again = tmp_path / "again.zip"
    old_path = mirror / "Little.zip"
    with zipfile.ZipFile(old_path) as old, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as new:
        for name in reversed(old.namelist()):
            new.writestr(name, old.read(name))
    assert again.read_bytes() != old_path.read_bytes()
    assert catalogue.digest(again) == catalogue.digest(old_path)


def test_a_tar_is_compared_by_the_folder_that_is_read(mirror, tmp_path):
    known = catalogue.digest(mirror / "Scores.tar.gz", "ftp")
    tar(tmp_path / "repacked.tar.gz", [("Other-2/ftp/a.ly", b"{ c }"), ("Other-2/new", b"?")])
    assert catalogue.digest(tmp_path / "repacked.tar.gz", "ftp") == known
    tar(tmp_path / "edited.tar.gz", [("Scores-1/ftp/a.ly", b"{ d }")])
    assert catalogue.digest(tmp_path / "edited.tar.gz", "ftp") != known


def test_a_tar_gives_its_files_by_name_and_no_links(tmp_path):
    path = tmp_path / "scores.tar.gz"
    tar(path, [("S/ftp/a.ly", b"a"), ("S/ftp/b/c.ily", b"c"), ("S/ftp/link", None), ("S/x", b"x")])
    assert dict(catalogue.members(path, "ftp")) == {"ftp/a.ly": b"a", "ftp/b/c.ily": b"c"}


@pytest.mark.parametrize("name", ["/etc/a.ly", "S/ftp/../../a.ly"])
def test_a_member_that_leads_outside_is_refused(tmp_path, name):
    tar(tmp_path / "bad.tar.gz", [(name, b"a")])
    with pytest.raises(ValueError, match="leads outside"):
        list(catalogue.members(tmp_path / "bad.tar.gz"))


def test_a_huge_member_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "MAX_MEMBER_BYTES", 10)
    tar(tmp_path / "bomb.tar.gz", [("S/a", b"0" * 11)])
    with pytest.raises(ValueError, match="too large"):
        list(catalogue.members(tmp_path / "bomb.tar.gz"))


@pytest.mark.parametrize(("name", "file"), [("zip", "Little.zip"), ("tar", "Scores.tar.gz")])
def test_a_truncated_archive_is_refused_and_leaves_nothing(mirror, tmp_path, name, file):
    (mirror / file).write_bytes((mirror / file).read_bytes()[:60])
    path = catalogue.archive(name, tmp_path / "downloads")
    with pytest.raises(ValueError, match=rf"{file}: .*(damaged|not a whole archive)"):
        catalogue.digest(mirror / file)
    with pytest.raises(ValueError, match=f"could not fetch {file}"):
        catalogue.fetch(name, path)
    assert not list(path.parent.iterdir())


def test_a_file_with_other_contents_is_refused(mirror, tmp_path):
    (mirror / "fonts" / "Grand_v1.2.sf3").write_bytes(b"RIFX")
    with pytest.raises(ValueError, match="its contents have the digest"):
        catalogue.fetch("font", tmp_path / "font.sf3")


def test_a_missing_file_says_where_it_was_looked_for(mirror, tmp_path):
    (mirror / "Little.zip").unlink()
    with pytest.raises(ValueError, match=f"Set {catalogue.MIRROR} to a folder"):
        catalogue.fetch("zip", tmp_path / "zip.zip")


def test_what_is_not_in_the_table_cannot_be_fetched(mirror, tmp_path):
    with pytest.raises(ValueError, match="nothing to fetch; there is zip, tar, font"):
        catalogue.fetch("fond", tmp_path / "fond.sf3")


def test_a_font_that_lies_in_an_archive_upstream_is_taken_out(mirror, tmp_path, monkeypatch):
    tar(tmp_path / "grand.tar.bz2", [("g/licence", b"CC0"), ("g/grand.sf2", b"RIFF")], "w:bz2")
    font = catalogue.catalogue()["font"]
    font |= {"url": (tmp_path / "grand.tar.bz2").as_uri(), "member": "g/grand.sf2"}
    monkeypatch.delenv(catalogue.MIRROR)
    catalogue.fetch("font", tmp_path / "font.sf3")
    assert (tmp_path / "font.sf3").read_bytes() == b"RIFF"


def test_a_font_is_named_by_path_by_package_or_by_the_table(mirror, tmp_path):
    own = tmp_path / "own.sf2"
    own.write_bytes(b"RIFF")
    assert catalogue.font_path(str(own)) == own
    assert catalogue.font_path("pretty_midi:TimGM6mb.sf2").name == "TimGM6mb.sf2"
    with pytest.raises(FileNotFoundError, match=r"sound font font: no file .*font\.sf3"):
        catalogue.font_path("font", tmp_path)
    catalogue.fetch("font", tmp_path / "font.sf3")
    assert catalogue.font_path("font", tmp_path) == tmp_path / "font.sf3"


def test_every_row_of_the_table_is_complete():
    for name, row in catalogue.catalogue().items():
        assert row["title"] and row["licence"], name
        assert {"works", "piano", "scores", "file"} & row.keys(), name
        if "file" in row:
            assert len(row["digest"]) == 64 and "://" in row["url"], name
        for part in row.get("scores", {}).values():
            assert "file" in catalogue.catalogue()[part], name
