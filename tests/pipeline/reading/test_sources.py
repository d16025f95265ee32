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
    return [item.piece_id for item in sources.pieces_of(str(source), "downloads", layout)]


def test_a_zip_gives_its_pieces_with_their_splits(tmp_path):
    path = tmp_path / "little.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("Little/train/a.mid", TUNE)
        file.writestr("Little/extra/b.mid", TUNE)
    found = sources.pieces_of(str(path), "downloads", "staves")
    assert [(i.piece_id, i.split) for i in found] == [("extra__b", "extra"), ("train__a", "train")]
    assert found[0].read() == TUNE
    assert sources.files(str(path), "downloads", "staves", 2, lambda piece: 0) == [[path], [path]]


def test_a_damaged_tune_fails_alone(tmp_path):
    path = tmp_path / "little.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.mid", TUNE)
        file.writestr("b.mid", TUNE)
    path.write_bytes(path.read_bytes().replace(TUNE, TUNE[:-1] + b"\1", 1))
    a, b = sources.pieces_of(str(path), "downloads", "staves")
    with pytest.raises(ValueError, match="corrupt in the archive"):
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


def test_a_list_may_have_a_bom_blank_lines_absolute_paths_and_the_home_folder(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    names = ["home/a.mid", "lists/b.mid", "c.mid", "lists/space .mid", "lists/\udcff.mid"]
    names += ["lists/~draft.mid"]  # no user is called draft.mid
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(TUNE)
    listed = tmp_path / "lists" / "list.txt"
    lines = [
        b"\xef\xbb\xbf# tunes", b"", b"~/a.mid", b"b.mid", b"./b.mid", bytes(tmp_path / "c.mid"),
        b"space .mid  ", b"\xff.mid", b"~draft.mid",
    ]  # fmt: skip
    listed.write_bytes(b"\r\n".join(lines) + b"\r\n")
    found = sources.pieces_of(str(listed), "downloads", "staves")
    assert sorted(p.file.relative_to(tmp_path).as_posix() for p in found) == sorted(names)
    assert all(piece.read() == TUNE for piece in found)


def test_a_list_of_relative_and_absolute_paths_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mid").write_bytes(TUNE)
    (tmp_path / "b.mid").write_bytes(TUNE)
    (tmp_path / "list.txt").write_text(f"a.mid\n{tmp_path / 'b.mid'}\n")
    assert ids("list.txt") == ["a", "b"]


def test_a_list_with_missing_files_stops_with_their_lines(tmp_path):
    listed = tmp_path / "list.txt"
    (tmp_path / "there.mid").write_bytes(TUNE)
    listed.write_text("# tunes\ngone.mid\nthere.mid\n")
    message = rf"list\.txt lists files that do not exist: line 2: {tmp_path}/gone\.mid; correct"
    with pytest.raises(ValueError, match=message):
        ids(listed)
    with pytest.raises(ValueError, match=message):
        sources.files(str(listed), "downloads", "staves", 1, lambda piece: 0)


def test_a_binary_file_is_no_list(tmp_path):
    (tmp_path / "tune.mid").write_bytes(TUNE)
    with pytest.raises(ValueError, match="neither a folder, nor a zip, nor a list"):
        ids(tmp_path / "tune.mid")


def test_odd_names_are_pieces_with_printable_ids(tmp_path):
    names = ["it's {a} tune.MID", "line\nbreak.mid", "\udcff.mid", "<&>|.mid", "-dash.mid", " .mid"]
    for name in names:
        (tmp_path / name).write_bytes(TUNE)
    found = sources.pieces_of(str(tmp_path), "downloads", "staves")
    assert sorted(piece.file.name for piece in found) == sorted(names)
    for piece in found:
        assert piece.read() == TUNE
        (piece.piece_id + piece.source).encode()
    assert "it's {a} tune" in [piece.piece_id for piece in found]


def test_what_is_no_file_is_a_piece_with_a_reason(tmp_path):
    (tmp_path / "good.mid").write_bytes(TUNE)
    (tmp_path / "loop.mid").symlink_to("loop.mid")
    os.mkfifo(tmp_path / "pipe.mid")
    good, loop, pipe = sources.pieces_of(str(tmp_path), "downloads", "staves")
    assert good.read() == TUNE
    with pytest.raises(ValueError, match="a link to itself"):
        loop.read()
    with pytest.raises(ValueError, match="a pipe, not a file"):
        pipe.read()
    (files,) = sources.files(str(tmp_path), "downloads", "staves", 1, lambda piece: 0)
    assert files == [tmp_path / "good.mid"]


def test_a_folder_of_scores_with_bad_entries_gives_the_good_ones(tmp_path):
    (tmp_path / "good.ly").write_text(MUSIC)
    (tmp_path / "loop.ly").symlink_to("loop.ly")
    (tmp_path / "away.ly").symlink_to("/etc/hostname")
    (tmp_path / "\udcff.ly").write_text(MUSIC)
    (tmp_path / "line\nbreak.ly").write_text(MUSIC)
    os.mkfifo(tmp_path / "pipe.ly")
    os.mkfifo(tmp_path / "pipe.xml.xml")
    reasons = {}
    for piece in sources.pieces_of(str(tmp_path), "downloads", "pages"):
        try:
            assert piece.read() == {"good.ly": MUSIC}
        except ValueError as error:
            reasons[piece.file.name] = str(error)
    assert "good.ly" not in reasons
    assert "link to itself" in reasons["loop.ly"]
    assert "leads out of the source's folder" in reasons["away.ly"]
    assert "a pipe, not a file" in reasons["pipe.ly"] and "a pipe" in reasons["pipe.xml.xml"]
    assert "rename the file" in reasons["\udcff.ly"] and "rename" in reasons["line\nbreak.ly"]
    sources.files(str(tmp_path), "downloads", "pages", 1, lambda piece: 0)


def test_a_folder_of_scores_gives_those_that_no_other_includes(tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "a.ly").write_text('\\include "../defs.ly"\n' + MUSIC)
    (tmp_path / "defs.ly").write_text("x = { c' }")
    (tmp_path / "b.musicxml").write_text("<score-partwise/>")
    found = sources.pieces_of(str(tmp_path), "downloads", "pages")
    assert [(item.piece_id, item.split) for item in found] == [("b", None), ("test__a", "test")]
    assert list(found[1].read()) == ["test/a.ly", "defs.ly"]


def test_a_job_waits_for_its_scores_and_what_they_include(tmp_path):
    (tmp_path / "a.ly").write_text('\\include "defs.ily"\n' + MUSIC)
    (tmp_path / "b.ly").write_text('\\include "gone.ily"\n' + MUSIC)
    (tmp_path / "defs.ily").write_text("x = { c' }")
    wanted = sources.files(str(tmp_path), "downloads", "pages", 3, ["a", "b", "c"].index)
    assert [[path.name for path in own] for own in wanted] == [["a.ly", "defs.ily"], ["b.ly"], []]


def test_scores_that_differ_only_in_suffix_keep_it_in_their_ids(tmp_path):
    for name in ("song.mxl", "song.musicxml", "other.mxl"):
        (tmp_path / name).write_text("<score-partwise/>")
    found = {item.piece_id: item for item in sources.pieces_of(str(tmp_path), "downloads", "pages")}
    assert sorted(found) == ["other", "song.musicxml", "song.mxl"]
    assert found["song.mxl"].source.endswith("song.mxl")
    assert found["song.mxl"].work == found["song.musicxml"].work  # one split has both


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
        sources.pieces_of("nottingham", tmp_path, "staves")


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
    gigue, air, lost = sources.pieces_of("msmd", downloads, "pages")
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
    found = sources.pieces_of("ryans-mammoth", "downloads", "staves")
    assert len(found) == 1059
    assert all(item.read().exists() for item in found)


def test_any_folder_of_music21s_corpus_can_be_named():
    assert len(ids(f"{catalogue.MUSIC21}ryansMammoth")) == 1059
    with pytest.raises(ValueError, match="no works in 'ryan'; it has"):
        ids(f"{catalogue.MUSIC21}ryan")
