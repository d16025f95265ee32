"""LilyPond's MIDI files: read past all that is odd in them, and compared note by note."""

import io
import math
from fractions import Fraction as F

import mido
import pretty_midi
import pytest

from pipeline.engraving import midi_output, note_log
from tests.support import scores

TWO_NOTES = scores.midi([(0, 1, 60), (1, 2, 62)])
END_OF_TRACK = b"\x00\xff\x2f\x00"


def track(*events: bytes) -> bytes:
    content = b"".join(events) + END_OF_TRACK
    return b"MTrk" + len(content).to_bytes(4, "big") + content


def file(*chunks: bytes, resolution: int = 384) -> bytes:
    return (
        b"MThd\x00\x00\x00\x06\x00\x01\x00\x01" + resolution.to_bytes(2, "big") + b"".join(chunks)
    )


def log(notes: list[tuple[float, int]], tempi=((0, 120.0),)) -> note_log.SoundLog:
    """A log of one score with notes (onset, pitch) of a quarter note each."""
    return note_log.SoundLog(
        notes=[note_log.Note(F(t), F(1), p, p, "a.ly:1:1", (F(t), F(0)), 0) for t, p in notes],
        tempi=[(F(quarter), tempo) for quarter, tempo in tempi],
        starts=[F(0)],
        leads=[F(0)],
    )


def test_notes_and_times_are_those_of_pretty_midi():
    content = scores.midi(scores.scale(30), tempi=[(0, 400_000), (3, 700_000), (5.5, 300_000)])
    read = midi_output.read(content)
    expected = pretty_midi.PrettyMIDI(io.BytesIO(content)).instruments[0].notes
    assert [pitch for _, pitch in read.strokes] == [note.pitch for note in expected]
    assert read.seconds() == [note.start for note in expected]  # to the last bit


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(b"\x00\xff\x59\x02\x63\x07", id="a key signature of 99 sharps"),
        pytest.param(b"\x00\xff\x58\x01\x04", id="a time signature cut short"),
        pytest.param(b"\x00\xff\x51\x03\x00\x00\x00", id="a tempo of no time"),
        pytest.param(b"\x00\xff\x03\x04\xff\xfe\xfd\xfc", id="a name in no encoding"),
        pytest.param(b"\x00\xf0\x03\x01\x02\xf7", id="a system exclusive message"),
        pytest.param(b"\x00\xff\x7f\x00", id="an empty message of a maker"),
    ],
)
def test_an_odd_event_does_not_hide_the_notes(odd):
    content = file(track(odd, b"\x00\x90\x3c\x50", b"\x83\x00\x3e\x50", b"\x00\x90\x3c\x00"))
    assert midi_output.read(content).strokes == [(0, 60), (384, 62)]


def test_what_stops_mido_is_read():
    content = file(track(b"\x00\xff\x59\x02\x63\x07", b"\x00\x90\x3c\x50"))
    with pytest.raises(mido.KeySignatureError):
        mido.MidiFile(file=io.BytesIO(content))
    assert midi_output.read(content).strokes == [(0, 60)]


def test_unknown_chunks_and_drums_are_skipped():
    content = file(b"XFIH\x00\x00\x00\x02ab", track(b"\x00\x99\x24\x50", b"\x00\x91\x3c\x50"))
    assert midi_output.read(content).strokes == [(0, 60)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it has no header"),
        (b"MThd?", "it has no header"),
        (file(resolution=0), "its ticks are no part of a quarter note"),
        (file(track(b"\x00\x90\x3c\x50"))[:-6], "a track is truncated"),
        (file(track(b"\x00\x3c\x50")), "an event without a status"),
        (file(track(b"\xff\xff\xff\xff\x7f\x90\x3c\x50")), "a number of more than four bytes"),
    ],
)
def test_a_corrupt_file_has_a_reason(content, reason):
    with pytest.raises(ValueError, match=reason):
        midi_output.read(content)


def test_equal_notes_do_not_differ():
    compared = midi_output.compare(log([(0, 60), (1, 62)]), [midi_output.read(TWO_NOTES)])
    assert compared == midi_output.Comparison(2, 2, 0, None)


@pytest.mark.parametrize(
    ("notes", "differing", "first"),
    [
        pytest.param([(0, 60), (1, 64)], 1, "1 quarter notes from the beginning, pitch 62 of the "
                     "MIDI file", id="another pitch"),
        pytest.param([(0, 60), (1.5, 62)], 1, "1 quarter notes from the beginning, pitch 62 of the "
                     "MIDI file", id="another onset"),
        pytest.param([(0, 60), (1, 62), (1, 65)], 1, "1 quarter notes from the beginning, pitch 65 "
                     "of the score", id="one more"),
        pytest.param([(1, 62)], 1, "0 quarter notes from the beginning, pitch 60 of the MIDI file",
                     id="one less"),
        pytest.param([(0, 58), (1, 60)], 2, "0 quarter notes from the beginning, pitch 58 of the "
                     "score", id="all transposed: as many, and others"),
    ],
)  # fmt: skip
def test_notes_that_differ_are_counted_and_the_first_is_named(notes, differing, first):
    compared = midi_output.compare(log(notes), [midi_output.read(TWO_NOTES)])
    assert (compared.differing, compared.first) == (differing, first)


def test_an_onset_may_be_a_tick_early():
    """LilyPond rounds down: a third of a quarter note of 100 ticks is at 33."""
    content = scores.midi([(0, 0.33, 60), (0.33, 0.66, 62)], resolution=100)
    read = midi_output.read(content)
    assert midi_output.compare(log([(0, 60), (F(1, 3), 62)]), [read]).differing == 0
    assert midi_output.compare(log([(0, 60), (F(7, 20), 62)]), [read]).differing == 1


def test_another_tempo_is_a_difference():
    read = midi_output.read(TWO_NOTES)  # 120 quarter notes a minute
    assert midi_output.compare(log([(0, 60), (1, 62)], [(0, 60.0)]), [read]).differing == 1


def test_a_tempo_is_whole_quarter_notes_a_minute_in_lilyponds_midi():
    """A tempo of 82.5, written as 55 dotted quarter notes, is 82 there."""
    notes = [(float(quarter), 60) for quarter in range(30)]
    content = scores.midi([(t, t + 1, p) for t, p in notes], tempi=[(0, 60_000_000 // 82)])
    read = midi_output.read(content)
    assert midi_output.compare(log(notes, [(0, 82.5)]), [read]).differing == 0
    assert midi_output.compare(log(notes, [(0, 83.5)]), [read]).differing > 20


def test_notes_of_chord_names_are_expected_in_the_midi_file():
    sound = log([(0, 60)])
    sound.chords = log([(1, 62)]).notes
    assert midi_output.compare(sound, [midi_output.read(TWO_NOTES)]).differing == 0


def test_a_score_without_its_file_differs_in_every_note(tmp_path):
    (tmp_path / "a.midi").write_bytes(TWO_NOTES)
    read = midi_output.read_all(tmp_path, "a", 2)
    sound = log([(0, 60), (1, 62)])
    second = log([(2, 64)]).notes
    second[0].score = 1
    sound.notes += second
    sound.starts, sound.leads = [F(0), F(2)], [F(0), F(0)]
    compared = midi_output.compare(sound, read)
    assert compared.differing == 1
    assert compared.first == "0 quarter notes from the beginning of score 2, pitch 64 of the score"


def test_frames_are_counted_as_msmd_counts_them():
    """The first frame at or after an onset, 20 a second; a key struck twice at once counts once."""
    onsets = [0, 0.1, 0.5, 0.55, 1]
    content = scores.midi([(t, t + 1, 60 + n) for n, t in enumerate(onsets)])
    frames = {math.ceil(t * 0.5 * 20) for t in onsets}
    sound = log([(t, 60 + n) for n, t in enumerate(onsets)])
    assert midi_output.compare(sound, [midi_output.read(content)]).frames == len(frames)
