"""Recordings of pieces become performances: onsets as heard, and reasons where there are none."""

import csv

import numpy as np
import pytest
import soundfile

from models.following import recordings
from pipeline import tables
from tests.support.tiny_scores import drawn, played, sheet, sound

BARS = 8
REPEATED = [0, 1, 2, 3, *range(BARS)]
RATE_HZ = 22_050
QUARTER_S = 0.4  # as played; 0.5 as written


@pytest.fixture(scope="module")
def chunk(tmp_path_factory):
    """Tables of one piece that two people recorded; a third file is another piece."""
    folder = tmp_path_factory.mktemp("chunk")
    printed = sheet(drawn(BARS), REPEATED)
    rows = {
        "pieces": (
            tables.PIECES,
            [
                {"piece_id": "suite__air"},
                {"piece_id": "silent"},
                {"piece_id": "refused", "reason": "not for piano"},
            ],
        ),
        "notes": (tables.NOTES, printed.notes.to_pylist()),
        "noteheads": (tables.NOTEHEADS, printed.noteheads.to_pylist()),
    }
    for name, (schema, found) in rows.items():
        own = [{"piece_id": "suite__air"} | row for row in found]
        tables.write(own, schema, folder / f"{name}.parquet")
    music = sound(played(drawn(BARS), REPEATED, QUARTER_S), before_s=1.0)
    soundfile.write(folder / "lee.wav", np.stack([music, music], axis=1), RATE_HZ)
    other = sound(played(drawn(BARS, seed=7), REPEATED))
    soundfile.write(folder / "other.flac", other, RATE_HZ)
    (folder / "text.mp3").write_text("no sound")
    named = [
        ("suite/air.musicxml", "lee.wav", "Lee"),
        ("suite__air", "other.flac", ""),
        ("suite__air", "text.mp3", "Kim"),
        ("suite__air", "lost.wav", "Ito"),
        ("silent", "lee.wav", "Lee"),
        ("refused", "lee.wav", "Lee"),
        ("elsewhere", "lee.wav", "Lee"),
    ]
    with (folder / "recordings.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("piece", "file", "performer"), *named])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    recordings.align_recordings(
        folder / "recordings.csv",
        folder / "pieces.parquet",
        folder / "notes.parquet",
        folder / "noteheads.parquet",
        folder / "audio",
        folder / "out.parquet",
        loudness_db=-20.0,
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before} == (
        before
    )
    table = tables.read(folder / "out.parquet", tables.PERFORMANCES)
    return folder, {(row["piece_id"], row["performer"]): row for row in table.to_pylist()}


def test_onsets_are_those_that_are_heard(chunk):
    row = chunk[1]["suite__air", "Lee"]
    assert (row["font"], row["tempo_ratio"], row["reason"]) == ("recordings", None, None)
    truth = played(drawn(BARS), REPEATED, QUARTER_S)
    onsets = row["onsets"]
    assert [onset["note_id"] for onset in onsets] == list(range(len(truth)))
    assert [onset["pitch"] for onset in onsets] == [pitch for _, pitch, *_ in truth]
    assert [onset["notehead_id"] for onset in onsets] == [4 * bar + beat for *_, bar, beat in truth]
    assert [onset["pass"] for onset in onsets] == [1] * 16 + [2] * 16 + [1] * 16
    errors = [
        onset["onset_s"] - 1.0 - time for onset, (time, *_) in zip(onsets, truth, strict=True)
    ]
    assert np.median(np.abs(errors)) < 0.025
    lengths = [onset["duration_s"] for onset in onsets]
    assert np.median(lengths) == pytest.approx(QUARTER_S, rel=0.1)
    for onset in onsets:
        assert onset["reason"] == (None if onset["sureness"] >= 0.8 else "less sure than 0.8")


def test_sound_is_kept_as_mono_flac(chunk):
    folder, rows = chunk
    row = rows["suite__air", "Lee"]
    sound = soundfile.info(folder / "audio" / row["audio"])
    assert (row["audio"], sound.samplerate, sound.channels) == ("suite__air@Lee.flac", 44_100, 1)
    assert sound.duration == pytest.approx(row["duration_s"], abs=1e-3)
    assert row["loudness_db"] == pytest.approx(-20, abs=0.1)
    assert [path.name for path in (folder / "audio").iterdir()] == [row["audio"]]


def test_what_cannot_be_aligned_has_its_reason_which_names_no_folder(chunk):
    folder, rows = chunk
    reasons = {who: row["reason"] for who, row in rows.items() if row["audio"] is None}
    assert len(rows) == 5  # nothing of a piece that was left out, nor of one that is not there
    assert reasons.keys() == {
        ("suite__air", "other"), ("suite__air", "Kim"), ("suite__air", "Ito"), ("silent", "Lee")
    }  # fmt: skip
    assert reasons["suite__air", "other"].startswith(
        "this does not seem to be a recording of this score (fit 0."
    )
    assert reasons["suite__air", "Kim"].startswith(("not readable as audio", "has no sound"))
    assert reasons["suite__air", "Ito"] == "no such recording"
    assert reasons["silent", "Lee"] == "its score has no notes to follow; was it engraved?"
    assert not any(str(folder) in reason for reason in reasons.values())


def aligned(folder, printed, order, **limits):
    path = folder / "music.wav"
    soundfile.write(path, sound(played(drawn(BARS), order, QUARTER_S)), RATE_HZ)
    notes = [{"reason": None} | row for row in printed.notes.to_pylist()]
    return recordings.aligned(path, printed.noteheads.to_pylist(), notes, **limits)


def test_printed_notes_that_are_not_heard_come_last_without_a_time(tmp_path):
    onsets = aligned(tmp_path, sheet(drawn(BARS), REPEATED), range(6))
    assert [onset["notehead_id"] for onset in onsets[-8:]] == list(range(24, 32))
    assert {onset["reason"] for onset in onsets[-8:]} == {"not played"}
    assert not any("onset_s" in onset for onset in onsets[-8:])
    assert all("onset_s" in onset for onset in onsets[:-8])


def test_a_recording_with_too_few_sure_onsets_is_left_out(tmp_path):
    with pytest.raises(ValueError, match=r"too few of its onsets are sure \(\d+% reach 1; 50%"):
        aligned(tmp_path, sheet(drawn(BARS), REPEATED), REPEATED, least_sureness=1.0)


def test_every_onset_has_sound_behind_it_if_a_recording_breaks_off(tmp_path):
    music = sound(played(drawn(BARS), REPEATED, QUARTER_S))
    path = tmp_path / "music.wav"
    for length_s in (7.98, 8.0, 8.02, 8.3):  # an onset is at 8.0 s
        soundfile.write(path, music[: round(length_s * RATE_HZ)], RATE_HZ)
        printed = sheet(drawn(BARS), REPEATED)
        notes = [{"reason": None} | row for row in printed.notes.to_pylist()]
        onsets = recordings.aligned(path, printed.noteheads.to_pylist(), notes)
        assert max(onset.get("onset_s", 0.0) for onset in onsets) <= length_s - 0.1


def test_a_few_seconds_which_might_be_of_any_piece_are_left_out(tmp_path):
    with pytest.raises(ValueError, match=r"too few onsets .* heard in it \([345]; 10 are needed"):
        aligned(tmp_path, sheet(drawn(BARS), REPEATED), [0])


def test_onsets_near_where_a_recording_begins_and_ends_within_the_score_are_left_out(tmp_path):
    """It has the third to the sixth of eight bars; 1.25 s are three quarters."""
    printed = sheet(drawn(BARS), list(range(BARS)))
    bars = list(range(2, 6))
    soundfile.write(tmp_path / "take.wav", sound(played(drawn(BARS), bars, QUARTER_S)), RATE_HZ)
    rows = recordings.aligned(
        tmp_path / "take.wav", printed.noteheads.to_pylist(), printed.notes.to_pylist()
    )
    heard = [row for row in rows if "onset_s" in row]
    assert [row["reason"] == recordings.NEAR_BREAK for row in heard[:3]] == [True] * 3
    assert [row["reason"] == recordings.NEAR_BREAK for row in heard[-3:]] == [True] * 3
    assert {row["reason"] for row in heard[5:-5]} == {None}


def test_a_recording_that_needs_ffmpeg_has_a_reason_if_there_is_none(chunk, tmp_path, monkeypatch):
    folder, _ = chunk
    (tmp_path / "suite__air.m4a").write_bytes(b"ftypM4A")
    monkeypatch.setenv("PATH", str(tmp_path))
    recordings.align_recordings(
        tmp_path,
        *(folder / f"{name}.parquet" for name in ("pieces", "notes", "noteheads")),
        tmp_path / "audio",
        tmp_path / "out.parquet",
    )
    (row,) = tables.read(tmp_path / "out.parquet", tables.PERFORMANCES).to_pylist()
    assert "ffmpeg" in row["reason"]


def test_samples_above_full_scale_are_scaled_and_not_clipped(tmp_path):
    loud = 3 * np.sin(np.linspace(0, 1_000, recordings.AUDIO_RATE_HZ))
    soundfile.write(tmp_path / "loud.wav", loud, recordings.AUDIO_RATE_HZ, subtype="FLOAT")
    np.testing.assert_allclose(
        recordings._samples(tmp_path / "loud.wav", None), loud / 3, atol=1e-3
    )


def test_a_recording_that_is_a_semitone_off_is_no_data(tmp_path):
    """It can be followed, but what sounds are not the notes that are printed."""
    made = sheet(drawn(BARS), REPEATED)
    rows = [(onset, pitch - 1) for onset, pitch, *_ in played(drawn(BARS), REPEATED, QUARTER_S)]
    soundfile.write(tmp_path / "old.wav", sound(rows), RATE_HZ)
    with pytest.raises(ValueError, match="does not seem to be a recording of this score"):
        recordings.aligned(tmp_path / "old.wav", made.noteheads.to_pylist(), made.notes.to_pylist())
