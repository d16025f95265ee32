"""The pieces of a source: one's own files, archives, music21's corpus, for either layout."""

import io
import os
import tarfile
import zipfile

import pytest

from pipeline.reading import catalogue, sources
from tests.support import scores

TUNE = scores.midi(scores.scale(16))
MUSIC = "\\score { { c' } \\layout { } \\midi { } }"


def ids(source, layout="staves"):
    return [item.piece_id for item in sources.items(str(source), "downloads", layout)]


def test_a_zip_gives_its_pieces_with_their_splits(tmp_path):
    path = tmp_path / "little.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("Little/train/a.mid", TUNE)
        file.writestr("Little/extra/b.mid", TUNE)
    found = sources.items(str(path), "downloads", "staves")
    assert [(i.piece_id, i.split) for i in found] == [("extra__b", "extra"), ("train__a", "train")]
    assert found[0].read() == TUNE
    assert sources.files(str(path), "downloads", "staves", 2, lambda piece: 0) == [[path], [path]]


def test_a_damaged_tune_fails_alone(tmp_path):
    path = tmp_path / "little.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.mid", TUNE)
        file.writestr("b.mid", TUNE)
    path.write_bytes(path.read_bytes().replace(TUNE, TUNE[:-1] + b"\1", 1))
    a, b = sources.items(str(path), "downloads", "staves")
    with pytest.raises(ValueError, match="damaged in the archive"):
        a.read()
    assert b.read() == TUNE


def test_a_folder_and_a_list_give_the_same_pieces(tmp_path):
    folder = tmp_path / "tunes"
    (folder / "jigs").mkdir(parents=True)
    (folder / "jigs" / "one.mid").write_bytes(TUNE)
    (folder / "two.MIDI").write_bytes(TUNE)
    (folder / "notes.txt").write_text("no music")
    listed = folder / "list.txt"
    listed.write_text("# my tunes\njigs/one.mid\ntwo.MIDI\n")
    assert ids(folder) == ids(listed) == ["jigs__one", "two"]


def test_a_listed_file_that_is_missing_fails_only_when_it_is_read(tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("gone.mid\n")
    (item,) = sources.items(str(listed), "downloads", "staves")
    with pytest.raises(ValueError, match="cannot be read"):
        item.read()


def test_a_folder_of_scores_gives_those_that_no_other_includes(tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "a.ly").write_text('\\include "../defs.ly"\n' + MUSIC)
    (tmp_path / "defs.ly").write_text("x = { c' }")
    (tmp_path / "b.musicxml").write_text("<score-partwise/>")
    found = sources.items(str(tmp_path), "downloads", "pages")
    assert [(item.piece_id, item.split) for item in found] == [("b", None), ("test__a", "test")]
    assert list(found[1].read()) == ["test/a.ly", "defs.ly"]


def test_a_job_waits_for_its_scores_and_what_they_include(tmp_path):
    (tmp_path / "a.ly").write_text('\\include "defs.ily"\n' + MUSIC)
    (tmp_path / "b.ly").write_text('\\include "gone.ily"\n' + MUSIC)
    (tmp_path / "defs.ily").write_text("x = { c' }")
    wanted = sources.files(str(tmp_path), "downloads", "pages", 3, ["a", "b", "c"].index)
    assert [[path.name for path in own] for own in wanted] == [["a.ly", "defs.ily"], ["b.ly"], []]


def test_of_many_files_the_newest_and_their_names_and_sizes_are_known(tmp_path):
    a, b, gone = (tmp_path / name for name in ("a.mid", "b.mid", "gone.mid"))
    a.write_bytes(TUNE)
    b.write_bytes(TUNE)
    os.utime(a, (10, 10))
    files = [b, a, gone]
    assert sources.newest(files) == [b]
    assert sources.newest([gone]) == []
    known = sources.digest(files)
    assert sources.digest([a, gone, b]) == known
    assert sources.digest([a, b]) != known
    b.write_bytes(TUNE + b"\0")
    assert sources.digest(files) != known


def test_two_files_for_one_piece_are_an_error(tmp_path):
    (tmp_path / "a.ly").write_text(MUSIC)
    (tmp_path / "a.xml").write_text("<score-partwise/>")
    with pytest.raises(ValueError, match="two files for one piece 'a'"):
        ids(tmp_path, "pages")


def test_a_source_without_pieces_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no MIDI files"):
        ids(tmp_path)
    with pytest.raises(ValueError, match=r"no scores \(\.ly, \.musicxml"):
        ids(tmp_path, "pages")


def test_an_unknown_source_is_an_error_that_names_the_known_ones():
    with pytest.raises(ValueError, match="nor one of nottingham, ryans-mammoth, music21-piano"):
        ids("notingham")


@pytest.mark.parametrize(
    ("source", "layout", "message"),
    [
        ("msmd", "staves", "msmd holds whole scores; set 'layout: pages'"),
        ("ryans-mammoth", "pages", "ryans-mammoth holds melodies; set 'layout: staves'"),
        ("fluidr3", "pages", "no source of pieces"),
    ],
)
def test_a_source_serves_its_own_layout(source, layout, message):
    with pytest.raises(ValueError, match=message):
        ids(source, layout)


def test_a_source_that_was_not_fetched_says_so(tmp_path):
    with pytest.raises(ValueError, match=r"nottingham\.zip: not there"):
        sources.items("nottingham", tmp_path, "staves")


@pytest.fixture
def downloads(tmp_path):
    """What `msmd` is read from, in small: an archive of scores, a list of pieces, their split."""
    files = {
        "Mutopia-1/ftp/BachJ/O1/gigue/gigue.ly": '\\include "notes.ly"\n' + MUSIC,
        "Mutopia-1/ftp/BachJ/O1/gigue/gigue-lys/Notes.ly": "x = { c' }",
        "Mutopia-1/ftp/BachJ/O2/air.ly": '\\header { title = "Étude" }\n' + MUSIC,
    }
    with tarfile.open(tmp_path / "mutopia.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            content = text.encode("latin-1")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    (tmp_path / "msmd-candidates.yaml").write_text(
        "success: [BachJ__O1__gigue]\nfailed: [BachJ__O2__air, BachJ__O3__lost]\n"
    )
    (tmp_path / "msmd-split.yaml").write_text("valid: [BachJ__O1__gigue]\n")
    return tmp_path


def test_msmd_is_read_from_the_archive_as_it_is(downloads):
    gigue, air, lost = sources.items("msmd", downloads, "pages")
    assert [item.split for item in (gigue, air, lost)] == ["valid", "extra", "extra"]
    assert gigue.source == "ftp/BachJ/O1/gigue/gigue.ly"
    assert list(gigue.read()) == ["gigue.ly", "notes.ly"]
    assert "Étude" in air.read()["air.ly"]
    with pytest.raises(ValueError, match=r"no lost\.ly in ftp/BachJ/ under O3"):
        lost.read()


def test_msmd_waits_for_its_three_files():
    (files,) = sources.files("msmd", "d", "pages", 1, lambda piece: 0)
    assert [path.name for path in files] == [
        "mutopia.tar.gz", "msmd-candidates.yaml", "msmd-split.yaml"
    ]  # fmt: skip


def test_music21_brings_its_tunes_along():
    found = sources.items("ryans-mammoth", "downloads", "staves")
    assert len(found) == 1059
    assert all(item.read().exists() for item in found)


def test_any_folder_of_music21s_corpus_can_be_named():
    assert len(ids(f"{catalogue.MUSIC21}ryansMammoth")) == 1059
    with pytest.raises(ValueError, match="no works in 'ryan'; it has"):
        ids(f"{catalogue.MUSIC21}ryan")
