"""Sources: archives that are checked, folders, zips and lists of one's own files."""

import zipfile

import pytest

from pipeline import sources
from tests import scores

TUNE = scores.midi(scores.scale(16))


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A mirror with one source, `little`, that the catalogue knows."""
    path = tmp_path / "mirror" / "Little.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("Little/train/a.mid", TUNE)
        file.writestr("Little/test/b.mid", TUNE)
    entry = {
        "title": "A little set",
        "file": "Little.zip",
        "url": "file:///nowhere/Little.zip",
        "digest": sources.digest(path),
        "licence": "CC0",
    }
    monkeypatch.setattr(sources, "catalogue", lambda: {"little": entry})
    monkeypatch.setenv(sources.MIRROR, str(path.parent))
    return path


def test_the_digest_is_of_the_contents_not_of_the_archive(archive, tmp_path):
    again = tmp_path / "again.zip"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as new:
        for name in reversed(old.namelist()):
            new.writestr(name, old.read(name))
    assert again.read_bytes() != archive.read_bytes()
    assert sources.digest(again) == sources.digest(archive)


def test_an_archive_comes_from_the_mirror_with_its_splits(archive, tmp_path):
    path = tmp_path / "downloads" / "little.zip"
    sources.fetch("little", path)
    items = sources.items("little", path)
    assert [(item.piece_id, item.split) for item in items] == [
        ("test__b", "test"),
        ("train__a", "train"),
    ]
    assert items[0].read() == TUNE


def test_a_truncated_archive_is_refused_and_leaves_nothing(archive, tmp_path):
    archive.write_bytes(archive.read_bytes()[:200])
    path = tmp_path / "downloads" / "little.zip"
    with pytest.raises(ValueError, match=r"Little\.zip: not a whole zip archive"):
        sources.digest(archive)
    with pytest.raises(ValueError, match=r"could not fetch Little\.zip"):
        sources.fetch("little", path)
    assert not list(path.parent.iterdir())


def test_an_archive_with_other_contents_is_refused(archive, tmp_path):
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("Little/train/c.mid", TUNE)
    with pytest.raises(ValueError, match="its contents have the digest"):
        sources.fetch("little", tmp_path / "little.zip")


def test_a_missing_archive_says_where_it_was_looked_for(archive, tmp_path):
    archive.unlink()
    with pytest.raises(ValueError, match=f"Set {sources.MIRROR} to a folder"):
        sources.fetch("little", tmp_path / "little.zip")


def test_a_folder_and_a_list_give_the_same_pieces(tmp_path):
    folder = tmp_path / "tunes"
    (folder / "jigs").mkdir(parents=True)
    (folder / "jigs" / "one.mid").write_bytes(TUNE)
    (folder / "two.MIDI").write_bytes(TUNE)
    (folder / "notes.txt").write_text("no music")
    listed = tmp_path / "tunes" / "list.txt"
    listed.write_text("# my tunes\njigs/one.mid\ntwo.MIDI\n")
    ids = [item.piece_id for item in sources.items(str(folder))]
    assert ids == ["jigs__one", "two"]
    assert [item.piece_id for item in sources.items(str(listed))] == ids


def test_a_listed_file_that_is_missing_fails_only_when_it_is_read(tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("gone.mid\n")
    (item,) = sources.items(str(listed))
    with pytest.raises(ValueError, match="cannot be read"):
        item.read()


def test_a_folder_without_midi_files_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no MIDI files"):
        sources.items(str(tmp_path))


def test_an_unknown_source_is_an_error_that_names_the_known_ones():
    with pytest.raises(ValueError, match="nor one of nottingham, ryans-mammoth"):
        sources.items("notingham")


def test_music21_brings_its_tunes_along():
    items = sources.items("ryans-mammoth")
    assert len(items) == 1059
    assert all(item.read().exists() for item in items)


def test_any_folder_of_music21s_corpus_can_be_named():
    assert len(sources.items("music21:ryansMammoth")) == 1059
    with pytest.raises(ValueError, match="no works in 'ryan'; it has"):
        sources.items("music21:ryan")
