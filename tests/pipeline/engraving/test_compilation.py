"""LilyPond under control: what scores give, and what becomes of those that fail."""

from types import SimpleNamespace

import pytest
from PIL import ImageFont

from pipeline.engraving import compilation
from pipeline.reading import melody, midi
from pipeline.sandbox import confined, lilypond
from tests.support import scores
from tests.support.compiled import PIECE, VERSION, compiled, names


def test_a_score_of_several_files_gives_pages_sound_and_log(tmp_path):
    files = [
        {"name": "suite/main.ly", "text": '\\include "parts/right.ily"\n' + PIECE + "\\right"},
        {"name": "suite/parts/right.ily", "text": "right = { c'1 \\pageBreak d'1 }\n"},
    ]
    assert compilation.compile_score(files, tmp_path) == (None, [])
    assert names(tmp_path) == {"suite", "main-1.svg", "main-2.svg", "main.midi", "main.log"}


@pytest.mark.parametrize("name", ["../x.ly", "/x.ly", "a/../../x.ly"])
def test_a_file_named_outside_the_folder_is_refused(tmp_path, name):
    folder = tmp_path / "piece"
    folder.mkdir()
    reason, _ = compilation.compile_score([{"name": name, "text": PIECE}], folder)
    assert reason == f"a file of the score is named '{name}', outside its folder"
    assert names(tmp_path) == {"piece"} and names(folder) == set()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('\\header { title = "nothing" }', "LilyPond: no printed score"),
        ("\\score { c'4 ", "LilyPond: x.ly:2:13: error: syntax error, unexpected end of input"),
        ("{ c'4 }", "no sound: the score has no \\midi block"),
        ('#(ly:error "too hard")', "LilyPond: fatal error: too hard"),
        ("#(kill (getpid) SIGSEGV)", "LilyPond: crashed (SIGSEGV)"),
    ],
)
def test_a_failure_has_a_telling_reason(tmp_path, text, reason):
    assert compiled(text + "\n", tmp_path).startswith(reason)


def test_what_lilypond_complains_of_while_it_writes_pages_is_told_and_is_no_failure(tmp_path):
    assert compiled("#(car 5)\n" + PIECE, tmp_path) is None
    files = [
        {"name": "main.ly", "text": VERSION + '\\include "parts/a.ily"\n' + PIECE},
        {"name": "parts/a.ily", "text": "unused = { \\foo c'4 }\n"},
    ]
    failure, complaints = compilation.compile_score(files, tmp_path)
    assert failure is None
    assert "unknown escaped string: `\\foo' (parts/a.ily:1:12)" in complaints


def test_a_page_cut_short_is_no_fault_of_the_score_where_the_disk_is_full(tmp_path, monkeypatch):
    cut = (
        '#(set! exit (let ((old exit)) (lambda rest (truncate-file "x.svg" 500) (apply old rest))))'
    )
    assert compiled(cut + PIECE, tmp_path) == "LilyPond: a page is cut short"
    monkeypatch.setattr(lilypond.shutil, "disk_usage", lambda folder: SimpleNamespace(free=0))
    for text in (cut + PIECE, "\\score { c'4"):  # cut short, nothing at all
        with pytest.raises(OSError, match="could not write all, less than 64 MiB are free"):
            compiled(text, tmp_path)


def test_a_compile_that_is_killed_from_outside_is_tried_again(tmp_path, monkeypatch):
    runs, run = [], lilypond.run

    def killed_once(*arguments):
        runs.append(arguments)
        return confined.Outcome("", confined.KILLED) if len(runs) == 1 else run(*arguments)

    monkeypatch.setattr(lilypond, "run", killed_once)
    assert compiled(PIECE, tmp_path) is None
    assert len(runs) == 2


def test_a_score_that_kills_itself_fails_alone(tmp_path):
    assert compiled("#(kill (getpid) SIGKILL)", tmp_path) == f"LilyPond: {confined.KILLED}"


def test_text_is_measured_with_the_fonts_that_draw_it(tmp_path):
    """C059 bold sets the title as wide as its own widths say, whatever fonts the system has."""
    title = "Hamburgefonstiv"
    assert compiled(f'\\header {{ title = "{title}" }}\n' + PIECE, tmp_path) is None
    text = (tmp_path / "x.svg").read_text()
    left = float(text.split("translate(")[1].split(",")[0])
    size = float(text.split('font-size="')[1].split('"')[0])
    page = float(text.split('viewBox="')[1].split()[2])
    font = ImageFont.truetype(str(lilypond.font_folders()[0] / "C059-Bold.otf"), 1000)
    width = size * font.getlength(title) / 1000
    assert left == pytest.approx((page - width) / 2, abs=0.05 * size)


def test_tools_of_the_distribution_work_in_the_folder(tmp_path):
    (tmp_path / "old.ly").write_text(
        '\\version "2.16.0"\n\\relative c\' { \\times 2/3 { c8 d e } }'
    )
    said = lilypond.tool("convert-ly", ["-e", "old.ly"], tmp_path, 30)
    assert "Processing `old.ly'" in said
    assert "\\tuplet 3/2" in (tmp_path / "old.ly").read_text()
    assert "Unable to find input file" in lilypond.tool("musicxml2ly", ["none.xml"], tmp_path, 30)


def test_glyphs_are_the_same_whether_remembered_or_looked_up(tmp_path, monkeypatch):
    text = melody.lilypond(midi.read_melody(scores.midi(scores.scale(12))))
    compilation.compile_all({"a": text}, tmp_path)
    remembered = (tmp_path / "a.svg").read_bytes()
    settings = compilation.SETTINGS.read_text()
    plain = tmp_path / "plain.ily"
    plain.write_text(settings[: settings.index("%% LilyPond 2.24 looks")])
    monkeypatch.setattr(compilation, "SETTINGS", plain)
    compilation.compile_all({"a": text}, tmp_path)
    assert (tmp_path / "a.svg").read_bytes() == remembered
