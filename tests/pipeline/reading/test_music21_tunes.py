"""Works of music21's corpus as scores: repeats, pickups, and what is refused."""

from fractions import Fraction as F

import pytest

from pipeline.reading import music21_tunes
from pipeline.reading.melody import sounding_notes

JIG = """X:1
T:A Small Jig
M:6/8
L:1/8
K:G
D | G2A B2c | d3 B2 :| |: d | e2f g3 |1 d3 B2 :|2 G3 G2 |]
"""


@pytest.fixture
def tune(tmp_path):
    def write(text):
        path = tmp_path / "tune.abc"
        path.write_text(text)
        return music21_tunes.parse_work(path)

    return write


def test_a_tune_with_a_pickup_and_two_endings(tune):
    part = tune(JIG)
    score = music21_tunes.melody_of_part(part, "tune", 90.0)
    assert (score.title, score.fifths, score.minor) == ("A Small Jig", 1, False)
    assert score.tempi == [(0, 90.0)]
    assert score.bars[0].length == F(1, 2)
    # first strain twice, second strain with either ending
    assert [note["pitch"] for note in sounding_notes(score)] == (
        2 * [62, 67, 69, 71, 72, 74, 71] + [74, 76, 78, 79, 74, 71] + [74, 76, 78, 79, 67, 67]
    )


def test_music21_plays_the_repeats_alike(tune):
    part = tune(JIG)
    ours = sounding_notes(music21_tunes.melody_of_part(part, "tune", 90.0))
    assert [(n["onset"], n["duration"], n["pitch"]) for n in ours] == music21_tunes.expanded_notes(
        part
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [("[GB] A B c", "a chord"), ("{c}G A B c", "a grace note")],
)
def test_what_is_no_plain_melody_is_refused(tune, body, reason):
    with pytest.raises(ValueError, match=reason):
        music21_tunes.melody_of_part(
            tune(f"X:1\nT:t\nM:4/4\nL:1/4\nK:C\n{body} | G4 | G4 | G4 |]\n"), "tune", 90.0
        )


def test_an_unreadable_work_is_refused(tmp_path):
    path = tmp_path / "broken.mxl"
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="music21 cannot read it"):
        music21_tunes.parse_work(path)
