"""The command that follows a recording: what it writes, what it refuses, and in which words."""

import os
import shutil
import sys
from dataclasses import replace

import pyarrow as pa
import pytest
import soundfile

import partimento
from models.following import alignment, recording
from models.following.alignment import About, Alignment
from partimento import cli, following
from pipeline import tables
from pipeline.describing.page import MARK
from tests.support import piano
from tests.support.tiny_scores import drawn, played, sheet, sound


@pytest.fixture
def take(tmp_path):
    """A recording of eight bars, and where its sheet would have been engraved."""
    path = tmp_path / "take.wav"
    soundfile.write(path, sound(played(drawn(8), list(range(8)))), 22_050)
    return path


@pytest.fixture
def engraved(monkeypatch):
    """Every score is the one of the recording."""
    made = sheet(drawn(8), list(range(8)), title="Study", composer="Nobody")
    monkeypatch.setattr(following, "_sheet", lambda score, data: made)


@pytest.fixture
def page(monkeypatch):
    """A page that holds the route alone."""
    monkeypatch.setattr(
        "models.following.page.write_page",
        lambda alignment, path: path.write_bytes(MARK + alignment.about.route.encode()),
    )


def refused(words, capsys, monkeypatch) -> str:
    monkeypatch.setattr(sys, "argv", ["partimento", *map(str, words)])
    with pytest.raises(SystemExit) as error:
        cli.main()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_page_is_written_beside_the_recording(take, engraved, page, capsys):
    cli.run(["follow", str(take), "score.ly"])
    assert take.with_suffix(".html").read_bytes() == MARK + b"bars 1-8"
    said = capsys.readouterr().out
    assert said.startswith("take.wav is followed in Study by Nobody: bars 1-8\n")
    assert f"written: {take.with_suffix('.html')}" in said
    cli.run(["follow", str(take), "score.ly"])  # its own page is written anew


def test_names_and_titles_are_printed_with_escapes(take, page, tmp_path, monkeypatch, capsys):
    """Names that are not UTF-8, and titles that would clear the terminal."""
    made = sheet(drawn(8), list(range(8)), title="Study\x1b[2J")
    monkeypatch.setattr(following, "_sheet", lambda score, data: made)
    odd = take.rename(tmp_path / os.fsdecode(b"caf\xe9.wav"))
    cli.run(["follow", str(odd), "score.ly"])
    said = capsys.readouterr().out
    assert said.startswith(r"caf\udce9.wav is followed in Study\x1b[2J: bars 1-8")
    assert rf"written: {tmp_path}/caf\udce9.html" in said
    assert odd.with_suffix(".html").is_file()


def test_a_score_without_a_title_has_the_name_of_its_file(tmp_path):
    score = tmp_path / os.fsdecode(b"caf\xe9.abc")
    score.write_text("X:1\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n")
    assert following._sheet(score, None).title == r"caf\udce9"


def test_the_id_of_a_piece_may_have_a_dot(take, tmp_path, monkeypatch):
    made = sheet(drawn(8), list(range(8)))
    rows = {
        "pieces": (tables.PIECES, [{"title": "Study"}]),
        "images": (tables.IMAGES, [{"image": 0, "png": made.pages[0]}]),
        "systems": (tables.SYSTEMS, made.systems.to_pylist()),
        "noteheads": (tables.NOTEHEADS, made.noteheads.to_pylist()),
        "notes": (tables.NOTES, made.notes.to_pylist()),
    }
    for name, (schema, found) in rows.items():
        own = [{"piece_id": "Study Op.12"} | row for row in found]
        tables.write(own, schema, tmp_path / f"results/data/piano/{name}/0.parquet")
    monkeypatch.chdir(tmp_path)
    found = partimento.follow_score(take, "Study Op.12")
    assert (found.title, found.about.route) == ("Study", "bars 1-8")
    said = (
        "Op.13: no such score file; as the id of a piece: no piece 'Op.13' among the 1 in results/"
    )
    with pytest.raises(FileNotFoundError, match=said):
        partimento.follow_score(take, "Op.13")


def test_only_what_is_named_is_written(take, engraved, tmp_path):
    table = tmp_path / "out.csv"
    cli.run(["follow", str(take), "score.ly", "--table", str(table), str(tmp_path / "out.svl")])
    assert {path.name for path in tmp_path.iterdir()} == {"take.wav", "out.csv", "out.svl"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.wav", "score.ly"], "missing.wav: no such recording"),
        (["TAKE", "missing.ly"], "missing.ly: no such score"),
        (["TAKE", "scan.png", "--by", "notes"], "scan.png: a picture has no notes to follow"),
        (["TAKE", "score.ly", "--out", "page.txt"], "a page has one of the suffixes .htm, .html"),
        (["TAKE", "score.ly", "--table", "a.doc"], "a table has one of the suffixes .csv"),
        (["TAKE", "score.ly", "--table", "FOLDER"], "a table has one of the suffixes"),
        (["TAKE", "score.ly", "--out", "TAKE/a.html"], "take.wav is not a folder"),
        (["TAKE", "scan.pdf", "--table", "a.match"], "a.match: a match file names the notes"),
        (
            ["TAKE", "score.ly", "--table", "a.csv", "a.match", "--by", "image"],
            "a.match: a match file names the notes",
        ),
        (["TAKE", "TAKE", "--data", "FOLDER"], "is a file, and --data is for the id of a piece"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(
    take, words, said, tmp_path, capsys, monkeypatch
):
    names = {"TAKE": take, "FOLDER": tmp_path, "TAKE/a.html": take / "a.html"}
    words = ["follow", *(names.get(word, word) for word in words)]
    assert said in refused(words, capsys, monkeypatch)
    assert list(tmp_path.iterdir()) == [take]


def test_a_score_without_notes_is_told_in_one_sentence(take, tmp_path, capsys, monkeypatch):
    score = tmp_path / "rests.ly"
    score.write_text(r'\version "2.24.0" \score { { r1 r1 } \layout { } \midi { } }')
    said = refused(["follow", take, score], capsys, monkeypatch)
    assert "no notes" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rests.ly", "take.wav"]


def test_a_match_file_of_a_score_without_bars_is_refused_before_the_work(
    take, tmp_path, capsys, monkeypatch
):
    made = sheet(drawn(8), list(range(8)))
    heads = made.noteheads.drop_columns(["bar"]).append_column("bar", pa.nulls(32, pa.string()))
    monkeypatch.setattr(following, "_sheet", lambda score, data: replace(made, noteheads=heads))
    monkeypatch.setattr(following, "_align", lambda *_: pytest.fail("aligned all the same"))
    said = refused(["follow", take, "score.ly", "--table", tmp_path / "a.match"], capsys,
                   monkeypatch)  # fmt: skip
    assert "a match file needs the notes and bars of the score" in said


@pytest.mark.parametrize("by", ["notes", "image"])
def test_a_recording_that_is_too_long_is_refused_before_the_score_is_engraved(
    take, by, monkeypatch
):
    monkeypatch.setattr(recording, "LONGEST_S", 10.0)
    monkeypatch.setattr(following, "_sheet", lambda score, data: pytest.fail("engraved"))
    with pytest.raises(ValueError, match=r"take.wav: .* minutes are more than"):
        partimento.follow_score(take, "score.ly", by=by)


def test_a_folder_that_may_not_be_written_to_is_told_before_the_work(
    take, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(os, "access", lambda folder, how: folder != tmp_path)  # root may write all
    said = refused(["follow", take, "score.ly", "--out", tmp_path / "new" / "a.html"], capsys,
                   monkeypatch)  # fmt: skip
    assert f"{tmp_path} may not be written to" in said


def test_with_a_data_set_the_score_is_a_piece_although_a_folder_has_its_name(
    take, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study").mkdir()
    monkeypatch.setattr(following, "_of_collection", lambda piece, data: pytest.fail(piece))
    with pytest.raises(pytest.fail.Exception, match="study"):
        partimento.follow_score(take, "study", data=tmp_path)


def test_a_page_of_somebody_else_is_not_replaced(take, capsys, monkeypatch):
    other = take.with_suffix(".html")
    other.write_text("<html>my notes on the partimento</html>")
    said = refused(["follow", take, "score.ly"], capsys, monkeypatch)
    assert f"{other}: is there already and is not a page of this program" in said
    assert other.read_text() == "<html>my notes on the partimento</html>"


def test_a_video_without_ffmpeg_is_refused_before_the_work(take, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    words = ["follow", take, "missing.ly", "--video", tmp_path / "a.mp4"]
    said = refused(words, capsys, monkeypatch)
    assert "sudo apt-get install ffmpeg" in said


def test_a_score_may_be_a_text_of_one_line_or_a_file_with_braces_in_its_name(
    take, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "song {draft}.ly"
    file.touch()
    assert following._file("{ c' d' }") is None
    assert following._file(300 * "c'4 { d'4 }") is None
    assert following._file("song {draft}.ly").samefile(file)


def test_what_is_read_is_not_written_over(take, tmp_path, capsys, monkeypatch):
    score = tmp_path / "score.html"
    score.write_text("not a score")
    said = refused(["follow", take, score, "--out", score], capsys, monkeypatch)
    assert "is what is read" in said


def test_another_piece_is_told_and_nothing_is_written(
    take, engraved, page, tmp_path, capsys, monkeypatch
):
    other = tmp_path / "other.wav"
    soundfile.write(other, sound(played(drawn(8, seed=7), list(range(8)))), 22_050)
    said = refused(["follow", other, "score.ly"], capsys, monkeypatch)
    assert "does not seem to be a recording of this score" in said
    assert not other.with_suffix(".html").exists()
    cli.run(["follow", str(other), "score.ly", "--force"])
    assert other.with_suffix(".html").exists()


def test_a_sound_that_only_ffmpeg_reads_names_it_where_it_is_missing(
    tmp_path, engraved, capsys, monkeypatch
):
    video = tmp_path / "take.mp4"
    video.write_bytes(b"\0" * 100)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    said = refused(["follow", video, "score.ly"], capsys, monkeypatch)
    assert "take.mp4: not readable as audio" in said and "install ffmpeg" in said


def test_pictures_are_followed_by_image(take, tmp_path, monkeypatch):
    made = sheet(drawn(8), list(range(8)))
    about = About("take.wav", 1.0, "image", "pages 1")
    monkeypatch.setattr("models.following.sheet_images.read_pages", lambda path: made)
    monkeypatch.setattr(
        "models.following.image.align",
        lambda recording, pages: Alignment(
            table=alignment.table([], about), about=about, recording=recording, **vars(pages)
        ),
    )
    scan = tmp_path / "scan.png"
    scan.touch()
    assert partimento.follow_score(take, scan).about.method == "image"


def test_a_score_file_is_engraved_and_followed(tmp_path):
    """The repeat is played; the notes come from the score, the sound from its own font."""
    score = tmp_path / "little.ly"
    score.write_text(piano.LITTLE)
    samples, rate = partimento.play(partimento.engrave(score), tempo_ratio=1.2)
    soundfile.write(tmp_path / "little.flac", samples, rate)
    found = partimento.follow_score(tmp_path / "little.flac", score)
    assert found.about.route == "bars 1-2, 1-4"
    assert (found.title, found.composer) == ("A Little Piece", "Nobody")
    notes = {note["note_id"]: note["onset_s"] for note in found.notes.to_pylist()}
    first = {int(row["note_ids"][0]): row["time"] for row in reversed(found.table.to_pylist())}
    for note, time in first.items():
        assert time == pytest.approx(notes[note] / 1.2, abs=0.08)
