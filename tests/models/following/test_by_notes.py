"""A recording followed by notes, end to end: times, places, passes, words and refusals."""

import numpy as np
import pytest
import soundfile

from benchmarks.sounds import applause
from models.following import alignment, by_notes, exports, recording, sureness
from tests.support.tiny_scores import drawn, played, sheet, sound

BARS = 8
REPEATED = [0, 1, 2, 3, *range(BARS)]
BEFORE_S = 2.0
RATE_HZ = 22_050


def written(path, samples):
    soundfile.write(path, samples, RATE_HZ)
    return path


@pytest.fixture(scope="module")
def printed():
    return sheet(drawn(BARS), REPEATED, title="Study", composer="Nobody")


@pytest.fixture(scope="module")
def followed(printed, tmp_path_factory):
    """The repeat is played, faster than written; silence before, applause after."""
    music = sound(played(drawn(BARS), REPEATED, 0.4), before_s=BEFORE_S, after_s=0)
    path = tmp_path_factory.mktemp("followed") / "study.flac"
    return by_notes.align(written(path, np.concatenate([music, applause(5.0)])), printed)


def test_onsets_have_their_times_bars_and_passes(followed):
    truth = played(drawn(BARS), REPEATED, 0.4)
    rows = followed.table.to_pylist()
    assert followed.table.schema.equals(alignment.ALIGNMENT)
    assert [(row["bar"], row["beat"]) for row in rows] == [
        (str(bar + 1), beat) for _, _, bar, beat in truth
    ]
    assert [row["pass"] for row in rows] == [1] * 16 + [2] * 16 + [1] * 16
    errors = [row["time"] - onset - BEFORE_S for row, (onset, *_) in zip(rows, truth, strict=True)]
    assert np.abs(errors).max() < 0.1
    assert np.median(np.abs(errors)) < 0.025


def test_onsets_have_the_places_and_ids_of_their_noteheads(followed, printed):
    heads = {head["notehead_id"]: head for head in printed.noteheads.to_pylist()}
    for row in followed.table.to_pylist():
        (head,) = (heads[number] for number in row["notehead_ids"])
        assert (row["x"], row["y"]) == (head["x"], head["y"])
        assert (row["page"], row["system"]) == (head["image"], head["system"])
        assert row["note_ids"] == [head["source_id"]]


def test_what_is_known_of_the_whole_is_told(followed):
    about = followed.about
    assert about == alignment.about(followed.table)
    assert (about.route, about.method, about.fits) == ("bars 1-4, 1-8", "notes", True)
    assert [span.what for span in about.unaligned] == ["silence", "applause or talk"]
    assert about.sureness > 0.8
    assert (followed.title, followed.composer) == ("Study", "Nobody")


def test_another_piece_does_not_fit(printed, tmp_path):
    path = written(tmp_path / "other.wav", sound(played(drawn(BARS, seed=7), REPEATED)))
    about = by_notes.align(path, printed).about
    assert not about.fits
    assert "does not seem to be a recording of this score" in about.verdict


@pytest.mark.parametrize("semitones", [-1.0, -0.6, 0.7])
def test_a_piano_far_out_of_tune_is_followed(printed, tmp_path, semitones):
    moved = [(onset, pitch + semitones, *rest) for onset, pitch, *rest in
             played(drawn(BARS), REPEATED, 0.4)]  # fmt: skip
    about = by_notes.align(written(tmp_path / "old.wav", sound(moved)), printed).about
    assert about.fits and about.route == "bars 1-4, 1-8"


def test_a_piece_among_others_is_found(printed, tmp_path):
    """Most of the recording is other music; how well that part fits is told."""
    music = sound(played(drawn(BARS), REPEATED, 0.4))
    others = [
        sound([(onset, pitch + 6) for onset, pitch, *_ in played(drawn(12, seed), list(range(12)))])
        for seed in (7, 8, 9)
    ]
    path = written(tmp_path / "recital.wav", np.concatenate([*others[:2], music, *others[2:]]))
    about = by_notes.align(path, printed).about
    assert about.fits and about.fit < sureness.LEAST_FIT
    assert "of this are a recording of this score (fit 0." in about.verdict


def test_a_score_of_a_few_notes_is_followed_as_well(tmp_path):
    path = written(tmp_path / "bar.wav", sound(played(drawn(1), [0])))
    about = by_notes.align(path, sheet(drawn(1), [0])).about
    assert about.fits and about.route == "bar 1"


def test_a_steady_tone_is_no_recording_of_any_score(printed, tmp_path):
    """Though it agrees with a place where that note is printed."""
    t = np.arange(20 * RATE_HZ) / RATE_HZ
    for pitch in (60, 69, 76):
        tone = 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t)
        assert not by_notes.align(written(tmp_path / "tone.wav", tone), printed).about.fits


def test_a_constant_part_of_the_samples_is_left_out(tmp_path):
    music = sound(played(drawn(BARS), [0]))
    path = tmp_path / "dc.wav"
    soundfile.write(path, music + 0.1, RATE_HZ, subtype="FLOAT")
    np.testing.assert_allclose(recording.read(path), music - music.mean(), atol=1e-6)


def test_an_onset_without_noteheads_lies_between_its_neighbours(printed, tmp_path):
    notes = printed.notes.to_pylist()
    for note in notes:
        if note["notehead_id"] == 5:
            note["notehead_id"] = None
    less = printed.notes.from_pylist(notes, printed.notes.schema)
    path = written(tmp_path / "a.wav", sound(played(drawn(BARS), REPEATED)))
    made = by_notes.align(path, alignment.Sheet(**vars(printed) | {"notes": less}))
    row = made.table.to_pylist()[5]
    assert row["notehead_ids"] == [] and row["note_ids"] == ["5"]
    assert made.table["x"][4].as_py() < row["x"] < made.table["x"][6].as_py()


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros(0), r"a.wav: the recording is empty \(0 s\)"),
        (np.zeros(3 * RATE_HZ), "a.wav: the recording is silent"),
        (np.ones(RATE_HZ // 4), "a.wav: 0.25 s are too short to follow"),
    ],
    ids=["empty", "silent", "short"],
)
def test_a_recording_that_cannot_be_followed_is_told_in_a_sentence(tmp_path, samples, said):
    with pytest.raises(ValueError, match=said):
        recording.read(written(tmp_path / "a.wav", samples))


def test_a_recording_of_hours_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 100, 1, subtype="PCM_U8") as file:
        file.write(np.zeros(100 * 3 * 3600))
    with pytest.raises(ValueError, match="180 minutes are more than the 90"):
        recording.read(path)


def test_tables_are_written_for_other_programs(followed, tmp_path):
    for suffix in exports.WRITERS:
        exports.write(followed, tmp_path / f"a{suffix}")
    assert alignment.about(alignment.read_parquet(tmp_path / "a.parquet")) == followed.about
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == ",".join(alignment.ALIGNMENT.names)
    assert len(lines) == 1 + followed.table.num_rows
    assert ",b1n0," in lines[1]
