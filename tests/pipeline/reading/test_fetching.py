"""Archives, lists and sound fonts are fetched from a mirror or their URL, and checked."""

import zipfile

import pytest

from pipeline.reading import archives, catalogue, fetching, fonts
from pipeline.reading.archives import contents_digest
from tests.support.archives import tar


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
            "digest": contents_digest(folder / file, "ftp" if name == "tar" else None),
            **({"members": "ftp"} if name == "tar" else {}),
            "licence": "CC0",
        }
        for name, file in rows.items()
    }
    monkeypatch.setattr(catalogue, "catalogue", lambda: table)
    monkeypatch.setenv(fetching.MIRROR, str(folder))
    return folder


@pytest.mark.parametrize(
    ("name", "file"), [("zip", "zip.zip"), ("tar", "tar.tar.gz"), ("font", "font.sf3")]
)
def test_every_kind_of_file_comes_from_the_mirror(mirror, tmp_path, name, file):
    path = catalogue.archive(name, tmp_path / "downloads")
    assert path == tmp_path / "downloads" / file
    fetching.fetch(name, path)
    assert path.read_bytes() == (mirror / catalogue.catalogue()[name]["file"]).read_bytes()


@pytest.mark.parametrize(("name", "file"), [("zip", "Little.zip"), ("tar", "Scores.tar.gz")])
def test_a_truncated_archive_is_refused_and_leaves_nothing(mirror, tmp_path, name, file):
    (mirror / file).write_bytes((mirror / file).read_bytes()[:60])
    path = catalogue.archive(name, tmp_path / "downloads")
    with pytest.raises(ValueError, match=rf"{file}: .*(corrupt|not a complete archive)"):
        archives.contents_digest(mirror / file)
    with pytest.raises(ValueError, match=f"could not fetch {file}"):
        fetching.fetch(name, path)
    assert not list(path.parent.iterdir())


def test_a_file_with_other_contents_is_refused(mirror, tmp_path):
    (mirror / "fonts" / "Grand_v1.2.sf3").write_bytes(b"RIFX")
    with pytest.raises(ValueError, match="its contents have the digest"):
        fetching.fetch("font", tmp_path / "font.sf3")


def test_a_missing_file_says_where_it_was_looked_for(mirror, tmp_path):
    (mirror / "Little.zip").unlink()
    with pytest.raises(ValueError, match=f"Set {fetching.MIRROR} to a folder"):
        fetching.fetch("zip", tmp_path / "zip.zip")


def test_what_is_not_in_the_table_cannot_be_fetched(mirror, tmp_path):
    with pytest.raises(ValueError, match="nothing to fetch; there is zip, tar, font"):
        fetching.fetch("fond", tmp_path / "fond.sf3")


def test_a_font_that_lies_in_an_archive_upstream_is_taken_out(mirror, tmp_path, monkeypatch):
    tar(tmp_path / "grand.tar.bz2", [("g/licence", b"CC0"), ("g/grand.sf2", b"RIFF")], "w:bz2")
    font = catalogue.catalogue()["font"]
    font |= {"url": (tmp_path / "grand.tar.bz2").as_uri(), "member": "g/grand.sf2"}
    monkeypatch.delenv(fetching.MIRROR)
    fetching.fetch("font", tmp_path / "font.sf3")
    assert (tmp_path / "font.sf3").read_bytes() == b"RIFF"


def test_a_font_is_named_by_path_by_package_or_by_the_table(mirror, tmp_path):
    own = tmp_path / "own.sf2"
    own.write_bytes(b"RIFF")
    assert fonts.font_path(str(own)) == own
    assert fonts.font_path("pretty_midi:TimGM6mb.sf2").name == "TimGM6mb.sf2"
    with pytest.raises(FileNotFoundError, match=r"sound font font: no file .*font\.sf3"):
        fonts.font_path("font", tmp_path)
    fetching.fetch("font", tmp_path / "font.sf3")
    assert fonts.font_path("font", tmp_path) == tmp_path / "font.sf3"
