"""Scores in a notebook: engraved, and played."""

import subprocess
import sys

import numpy as np
import pytest

import partimento

SCALE = r"""
\version "2.24.0"
\score { \new Staff { c'4 d' e' f' g'1 } \layout { } }
"""
PITCHES = [60, 62, 64, 65, 67]


@pytest.fixture(scope="module")
def score():
    return partimento.engrave(SCALE)


def test_every_note_has_its_onset_and_its_notehead(score):
    assert score.notes["pitch"].tolist() == PITCHES
    assert score.notes["onset"].tolist() == [0, 1, 2, 3, 4]
    printed = score.notes.merge(score.noteheads, on="notehead_id", suffixes=("", "_printed"))
    assert printed["pitch_printed"].tolist() == PITCHES
    assert printed["x"].is_monotonic_increasing


def test_pages_are_images_with_ink_under_the_noteheads(score):
    (page,) = score.pages
    pixels = np.asarray(page)
    middles = pixels[score.noteheads["y"].astype(int), score.noteheads["x"].astype(int)]
    assert (middles[:4] < 128).all(), "crotchets are black"
    assert middles[4] > middles[:4].max(), "a semibreve is hollow"


def test_a_strip_joins_the_systems(score):
    strip = score.strip()
    (system,) = score.systems.to_dict("records")
    assert strip.shape == (200, np.ceil(system["right"]) - np.floor(system["left"]))
    assert strip.dtype == np.uint8


def test_a_file_brings_what_it_includes(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/melody.ily").write_text("melody = { c'4 d' e' f' g'1 }")
    main = tmp_path / "song.ly"
    main.write_text(
        '\\version "2.24.0" \\include "parts/melody.ily" \\score { \\melody \\layout { } }'
    )
    assert partimento.engrave(main).notes["pitch"].tolist() == PITCHES
    assert partimento.engrave(str(main)).notes["pitch"].tolist() == PITCHES


@pytest.mark.parametrize(
    ("score", "error", "said"),
    [
        ("no_such.ly", FileNotFoundError, "no_such.ly: no such score"),
        ("{ c'4", ValueError, "LilyPond"),
        ("hello", ValueError, "no score and no music"),
    ],
)
def test_a_score_that_cannot_be_engraved_says_why(score, error, said):
    with pytest.raises(error, match=said):
        partimento.engrave(score)


def test_a_file_of_another_kind_is_named(tmp_path):
    path = tmp_path / "song.mid"
    path.touch()
    with pytest.raises(ValueError, match=f"^{path}: not a score; scores are .ly, .musicxml"):
        partimento.engrave(path)


def test_the_suffix_of_a_score_may_be_in_capitals(tmp_path):
    path = tmp_path / "SONG.LY"
    path.write_text("\\version \"2.24.0\" \\score { { c'4 d' e' f' g'1 } \\layout { } }")
    assert partimento.engrave(path).notes["pitch"].tolist() == PITCHES


def test_a_score_is_played_at_any_tempo(score):
    samples, rate = partimento.play(score)
    fast, _ = partimento.play(score, tempo_ratio=2)
    assert rate == 44_100
    assert len(samples) / rate == pytest.approx(8 + 1, abs=0.1)  # 60 quarters a minute, and a tail
    assert len(fast) / rate == pytest.approx(4 + 1, abs=0.1)
    assert 0.001 < np.abs(samples).max() < 1


def test_engraving_needs_no_torch():
    code = "import sys; from partimento import engrave, play; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_name_of_the_package_can_be_imported():
    assert sorted(partimento.__all__) == partimento.__all__ == dir(partimento)
    assert all(callable(getattr(partimento, name)) for name in partimento.__all__)
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        partimento.unknown  # noqa: B018
