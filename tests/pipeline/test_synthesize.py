"""The stage that plays a chunk: a recording and a row for each performance, or why it has none."""

import itertools
import math

import numpy as np
import pytest
import soundfile

from pipeline import tables, tempo
from pipeline.constants import AUDIO_RATE_HZ, RETRIEVAL, TAIL_S, onset_frame
from pipeline.performing import Note
from pipeline.reading.fonts import font_path
from pipeline.spectrogram import load, spectrogram
from pipeline.synthesize import loudness, normalise, synthesize
from tests.support.match_files import match

FONT = "pretty_midi:TimGM6mb.sf2"
SCALE = [Note(0.5 * step, 0.5, 60 + 2 * step) for step in range(4)]
TEMPI = pytest.mark.parametrize("tempo_ratio", [0.5, 1.0, 2.0])


def write_notes(path, pieces: dict[str, list[Note]]) -> None:
    """A table of NOTES; a quarter note lasts half a second."""
    rows = [
        {
            "piece_id": piece_id,
            "note_id": note_id,
            "onset": 2 * note.onset_s,
            "duration": 2 * note.duration_s,
            "onset_s": note.onset_s,
            "duration_s": note.duration_s,
            "pitch": note.pitch,
            "notehead_id": note_id,
        }
        for piece_id, notes in pieces.items()
        for note_id, note in enumerate(notes)
    ]
    tables.write(rows, tables.NOTES, path)


def run(tmp_path, **settings) -> list[dict]:
    """Run the stage on the tables in `tmp_path`; gives its rows. Audio lies in tmp_path / audio."""
    plain = {
        "splits": ["train"],
        "font": "piano",
        "font_file": FONT,
        "bank": 0,
        "preset": 0,
        "tempo_ratio": "1.0",
        "seed": 0,
        "loudness_db": None,
        "audio": tmp_path / "audio",
        "out": tmp_path / "performances.parquet",
    }
    synthesize(tmp_path / "notes.parquet", tmp_path / "pieces.parquet", **plain | settings)
    return tables.read(plain["out"], tables.PERFORMANCES).to_pylist()


def play(tmp_path, pieces, split_of=None, **settings) -> list[dict]:
    """Play notes by piece; pieces are in the split `split_of` says, or in train."""
    tmp_path.mkdir(exist_ok=True)
    write_notes(tmp_path / "notes.parquet", pieces)
    known = [{"piece_id": i, "split": (split_of or {}).get(i, "train")} for i in pieces]
    tables.write(known, tables.PIECES, tmp_path / "pieces.parquet")
    return run(tmp_path, **settings)


@TEMPI
def test_every_note_of_a_scale_rises_in_its_frame(tmp_path, tempo_ratio):
    """Its fundamental is new in the window that holds the onset, and not in one that ends before.

    Frame i covers [i, i + 1.86] / fps; the frame after the onset's hears the note in full.
    """
    play(tmp_path, {"scale": SCALE}, tempo_ratio=str(tempo_ratio))
    heard = 10 ** spectrogram(load(tmp_path / "audio" / "scale.flac"), RETRIEVAL) - 1
    for note in SCALE:
        tone = np.sin(2 * np.pi * 440 * 2 ** ((note.pitch - 69) / 12) * np.arange(22_050) / 22_050)
        bin_of_note = spectrogram(tone, RETRIEVAL)[3].argmax()
        frame = onset_frame(note.onset_s / tempo_ratio, RETRIEVAL.fps)
        before = heard[max(frame - 2, 0), bin_of_note] if frame >= 2 else 0.0
        assert heard[frame, bin_of_note] > 4 * before
        assert heard[frame, bin_of_note] > 0.5


def test_a_sine_at_full_scale_lies_three_decibels_below_it():
    sine = np.sin(2 * np.pi * np.arange(44_100) / 100)
    assert loudness(sine) == pytest.approx(-3.01, abs=0.01)
    assert loudness(np.zeros(10)) == -math.inf
    assert loudness(normalise(sine, -23.0)) == pytest.approx(-23.0)
    assert np.abs(normalise(sine, 6.0)).max() == pytest.approx(1.0)


def test_synthesize_writes_one_flac_a_piece(tmp_path):
    rows = play(tmp_path, {"tunes/one": SCALE, "tunes/two": SCALE[:2]}, tempo_ratio="2.0")
    assert [row["audio"] for row in rows] == ["tunes__one.flac", "tunes__two.flac"]
    assert sorted(path.name for path in (tmp_path / "audio").iterdir()) == [
        "tunes__one.flac",
        "tunes__two.flac",
    ]
    for row, seconds in zip(rows, (2.0, 1.5), strict=True):
        info = soundfile.info(tmp_path / "audio" / row["audio"])
        assert (info.format, info.subtype, info.samplerate, info.channels) == (
            "FLAC",
            "PCM_16",
            44_100,
            1,
        )
        assert info.duration == pytest.approx(seconds, abs=1e-4)
        assert row["duration_s"] == pytest.approx(seconds, abs=1e-4)
        assert (row["font"], row["tempo_ratio"], row["reason"]) == ("piano", 2.0, None)


@pytest.mark.parametrize("target_db", [None, -25.0])
def test_synthesize_records_the_loudness_and_reaches_the_target(tmp_path, target_db):
    (row,) = play(tmp_path, {"scale": SCALE}, loudness_db=target_db)
    samples, _ = soundfile.read(tmp_path / "audio" / "scale.flac")
    measured_db = 10 * np.log10(np.mean(samples**2))
    assert row["loudness_db"] == pytest.approx(measured_db, abs=0.02)
    if target_db is not None:
        assert measured_db == pytest.approx(target_db, abs=0.02)


def test_a_bad_piece_is_recorded_and_the_batch_goes_on(tmp_path):
    pieces = {"first": SCALE, "endless": [Note(0.0, 1e6, 60)], "last": SCALE}
    rows = play(tmp_path, pieces)
    assert [row["audio"] for row in rows] == ["first.flac", None, "last.flac"]
    assert rows[1]["reason"] == "would last 1000001 s; the limit is 3600 s"
    assert len(list((tmp_path / "audio").iterdir())) == 2


def test_keys_that_a_font_leaves_silent_are_a_reason(tmp_path):
    """A drum kit has no drum on the lowest key."""
    (row,) = play(tmp_path, {"low": [Note(0.0, 1.0, 0)]}, bank=128, loudness_db=-20.0)
    assert row["reason"] == "the sound font is silent at these pitches"


def test_an_empty_batch_is_no_failure(tmp_path):
    assert play(tmp_path, {}) == []
    assert list((tmp_path / "audio").iterdir()) == []


def test_folder_that_holds_files_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="nothing of it is replaced"):
        play(tmp_path, {"new": SCALE[:1]})
    assert [path.name for path in (tmp_path / "audio").iterdir()] == ["mine.txt"]


def test_a_font_plays_the_pieces_of_its_splits_only(tmp_path):
    pieces = {"one": SCALE, "two": SCALE, "three": SCALE}
    split_of = {"one": "train", "two": "test", "three": "valid"}
    rows = play(tmp_path, pieces, split_of=split_of, splits=["train", "valid"])
    assert [row["piece_id"] for row in rows] == ["one", "three"]
    assert play(tmp_path / "extra", pieces, split_of=split_of, splits=["extra"]) == []
    assert list((tmp_path / "extra" / "audio").iterdir()) == []


def test_each_piece_draws_its_tempo_from_a_range(tmp_path):
    """A scale of two seconds lasts 2 / tempo_ratio, and the ratio drawn is in the table."""
    rows = play(tmp_path, {"one": SCALE, "two": SCALE}, tempo_ratio="0.9-1.1")
    assert rows[0]["tempo_ratio"] != rows[1]["tempo_ratio"]
    for row in rows:
        assert 0.9 <= row["tempo_ratio"] <= 1.1
        assert row["duration_s"] == pytest.approx(2.0 / row["tempo_ratio"] + TAIL_S, abs=1e-4)


def test_what_is_drawn_follows_from_seed_piece_and_font_alone(tmp_path):
    numbers = itertools.count()

    def drawn(pieces=("one", "two"), **settings):
        folder = tmp_path / str(next(numbers))
        rows = play(folder, dict.fromkeys(pieces, SCALE[:1]), tempo_ratio="0.5-2", **settings)
        return {row["piece_id"]: row["tempo_ratio"] for row in rows}

    first = drawn()
    assert drawn() == first
    assert drawn(pieces=("two",))["two"] == first["two"]
    assert drawn(seed=1)["one"] != first["one"]
    assert drawn(font="organ")["one"] != first["one"]


def test_draws_are_spread_evenly():
    """Of 2,000 pieces a tenth lies in each tenth of the range, give or take three deviations."""
    ratios = [tempo.drawn("0.9-1.1", 2016, f"piece{number}", "piano") for number in range(2_000)]
    counts, _ = np.histogram(ratios, bins=10, range=(0.9, 1.1))
    assert counts.sum() == 2_000
    assert np.abs(counts - 200).max() < 3 * math.sqrt(2_000 * 0.1 * 0.9)


@pytest.mark.parametrize(
    "tempo_ratio",
    ["0.0", "-1.0", "nan", "inf", "1.1-0.9", "0-1", "0.9-", "0.9-1.1-1.3", "0.9-inf", "fast", ""],
)
def test_a_tempo_ratio_is_above_zero(tmp_path, tempo_ratio):
    with pytest.raises(ValueError, match=r"tempo ratio .*: it must be above 0"):
        play(tmp_path, {"scale": SCALE}, tempo_ratio=tempo_ratio)


def test_fonts_that_do_not_serve_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.sf2: no file "):
        play(tmp_path, {"scale": SCALE}, font_file="gone.sf2")
    with pytest.raises(FileNotFoundError, match=r"pretty_midi:gone\.sf2: no file "):
        play(tmp_path, {"scale": SCALE}, font_file="pretty_midi:gone.sf2")
    with pytest.raises(FileNotFoundError, match="package 'no_such_package' is not installed"):
        play(tmp_path, {"scale": SCALE}, font_file="no_such_package:a.sf2")
    cut = tmp_path / "cut.sf2"
    cut.write_bytes(font_path(FONT).read_bytes()[:100_000])
    with pytest.raises(ValueError, match=r"cut\.sf2: not readable as SF2 or SF3"):
        play(tmp_path, {"scale": SCALE}, font_file=str(cut))
    with pytest.raises(ValueError, match=r"TimGM6mb\.sf2: no preset 99 in bank 7"):
        play(tmp_path, {"scale": SCALE}, bank=7, preset=99)
    assert not (tmp_path / "audio").exists()
    assert not (tmp_path / "performances.parquet").exists()


def test_the_instruments_of_the_score_are_a_choice(tmp_path):
    note = {"onset_s": 0.0, "duration_s": 1.0, "pitch": 72, "program": 40}
    notes = [{"piece_id": "p", "note_id": 0} | note]
    tables.write(notes, tables.NOTES, tmp_path / "notes.parquet")
    tables.write([{"piece_id": "p", "split": "train"}], tables.PIECES, tmp_path / "pieces.parquet")
    sounds = {}
    for kind in ("piano", "score"):
        run(tmp_path, instruments=kind, audio=tmp_path / kind)
        sounds[kind] = soundfile.read(tmp_path / kind / "p.flac")[0]
    assert not np.allclose(sounds["piano"], sounds["score"])


# --- performances by people, with expression, and in rooms
def people(
    tmp_path, *performances: tuple[str, str], heads=range(4), tempo_ratio="human", **changes
) -> list[dict]:
    """Play match files of a scale, given as (performer, text); the rows of the table."""
    tmp_path.mkdir(exist_ok=True)
    files = [{"performer": name, "match": text} for name, text in performances]
    known = [
        {"piece_id": "scale", "split": "train", "performances": files},
        {"piece_id": "unplayed", "split": "train"},
    ]
    tables.write(known, tables.PIECES, tmp_path / "pieces.parquet")
    write_notes(tmp_path / "notes.parquet", {"scale": SCALE, "unplayed": SCALE})
    rows = [
        {"piece_id": piece, "notehead_id": n, "source_id": f"n{n}", "pitch": 60 + 2 * n}
        for piece in ("scale", "unplayed")
        for n in heads
    ]
    tables.write(rows, tables.NOTEHEADS, tmp_path / "noteheads.parquet")
    changes |= {"tempo_ratio": tempo_ratio, "noteheads": tmp_path / "noteheads.parquet"}
    return run(tmp_path, seed=1, **changes)


RUBATO_S = [0.4, 1.1, 1.5, 2.6]
RUBATO = match([(f"n{n}", 60 + 2 * n, onset_s) for n, onset_s in enumerate(RUBATO_S)])


def test_each_person_has_a_row_and_a_recording_and_no_tempo_ratio(tmp_path):
    one, other = people(tmp_path, ("Lee", RUBATO), ("Kim", RUBATO))
    assert [(row["piece_id"], row["performer"]) for row in (one, other)] == [
        ("scale", "Lee"),
        ("scale", "Kim"),
    ]
    assert one["tempo_ratio"] is None
    assert {path.name for path in (tmp_path / "audio").iterdir()} == {
        "scale@Lee.flac",
        "scale@Kim.flac",
    }
    assert [onset["onset_s"] for onset in one["onsets"]] == pytest.approx(RUBATO_S, abs=1e-3)


def rises_at(path, onset_s: float, pitch: int) -> bool:
    """Whether the fundamental of a pitch is new in the window of the labelled frame."""
    heard = 10 ** spectrogram(load(path), RETRIEVAL) - 1
    tone = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * np.arange(22_050) / 22_050)
    own = heard[:, spectrogram(tone, RETRIEVAL)[3].argmax()]
    frame = onset_frame(onset_s, RETRIEVAL.fps)
    return own[frame] > 4 * own[frame - 2] and own[frame] > 0.3


HALL = {"rt60_s": 0.4, "distance_m": 2, "noise_db": -50, "band_hz": [60, 12_000]}


@pytest.mark.parametrize("room", [None, "hall"])
def test_what_a_person_plays_sounds_when_the_label_says_dry_and_in_a_room(tmp_path, room):
    settings = {"room": room, "room_settings": HALL} if room else {}
    (row,) = people(tmp_path, ("Lee", RUBATO), **settings)
    assert row["room"] == room
    for onset in row["onsets"]:
        assert rises_at(tmp_path / "audio" / row["audio"], onset["onset_s"], onset["pitch"])


def test_expression_sounds_when_the_label_says(tmp_path):
    (row, _) = people(tmp_path, tempo_ratio="0.8", expression="phrased")
    onsets = [onset["onset_s"] for onset in row["onsets"]]
    assert onsets != pytest.approx([note.onset_s / 0.8 for note in SCALE], abs=0.005)
    assert row["tempo_ratio"] == pytest.approx(0.8)
    for onset in row["onsets"][1:]:
        assert rises_at(tmp_path / "audio" / row["audio"], onset["onset_s"], onset["pitch"])


def test_a_room_moves_no_plain_onset_and_a_tuning_is_heard(tmp_path):
    rows = people(tmp_path, tempo_ratio="1.0", room="sharp", room_settings={"tuning_cents": 50})
    assert [row["onsets"] for row in rows] == [None, None]
    samples, _ = soundfile.read(tmp_path / "audio/scale.flac")
    spectrum = np.abs(np.fft.rfft(samples[: AUDIO_RATE_HZ // 2], 8 * AUDIO_RATE_HZ))
    near = slice(8 * 240, 8 * 285)  # middle C is 261.6 Hz, 50 cents more 269.3
    assert spectrum[near].argmax() / 8 + 240 == pytest.approx(269.3, abs=1.0)


def test_a_held_pedal_lets_a_note_ring_on(tmp_path):
    notes = [("n0", 60, 0.0), ("n3", 66, 2.0)]
    quiet = people(tmp_path / "off", ("Lee", match(notes)))
    ringing = people(tmp_path / "on", ("Lee", match(notes, pedal=[(0.1, 127)])))
    levels = []
    for folder, (row,) in (("off", quiet), ("on", ringing)):
        samples, _ = soundfile.read(tmp_path / folder / "audio" / row["audio"])
        levels.append(loudness(samples[int(1.2 * AUDIO_RATE_HZ) : int(1.9 * AUDIO_RATE_HZ)]))
    assert levels[1] > levels[0] + 20


def test_a_bad_match_file_is_a_reason_and_the_others_are_played(tmp_path):
    bad, good = people(tmp_path, ("Kim", "nothing of use"), ("Lee", RUBATO))
    assert (bad["performer"], bad["audio"]) == ("Kim", None)
    assert bad["reason"].startswith("no match file")
    assert good["reason"] is None


def test_a_performer_with_the_mark_of_file_names_gets_a_digest(tmp_path):
    one, other = people(tmp_path, ("Lee@home", RUBATO), ("Lee", RUBATO))
    assert one["audio"].startswith("scale@Lee@home-")
    assert one["audio"] != other["audio"]
