"""MIDI files as scores, and what is said of those that are none."""

import io
import random
from fractions import Fraction as F

import mido
import pytest

from pipeline.reading import midi
from pipeline.reading.melody import sounding_notes, spell
from tests.support import scores


def lengths(score):
    return [bar.length for bar in score.bars]


def test_notes_come_back_as_they_were_written():
    notes = [(0, 1, 60), (1, 1.5, 62), (1.5, 2, 64), (2, 4, 65), (4, 5.5, 67), (5.5, 6, 65)]
    score = midi.read(scores.midi(notes, key="F"))
    assert score.fifths == -1
    assert [
        (n["onset"], n["onset"] + n["duration"], n["pitch"]) for n in sounding_notes(score)
    ] == notes


def test_a_note_over_a_bar_line_is_tied():
    score = midi.read(scores.midi([(0, 3, 60), (3, 5, 62), (5, 8, 60)]))
    assert [(e.duration, e.tied) for e in score.bars[0].elements] == [(3, False), (1, True)]
    assert [(e.duration, e.tied) for e in score.bars[1].elements] == [(1, False), (3, False)]


def test_a_short_gap_is_articulation_and_a_long_one_a_rest():
    score = midi.read(scores.midi([(0, 0.98, 60), (1, 1.5, 62), (2, 4, 64)]))
    assert [(e.duration, e.pitch is None) for e in score.bars[0].elements] == [
        (1, False),
        (F(1, 2), False),
        (F(1, 2), True),
        (2, False),
    ]


def test_accents_show_the_pickup():
    notes = [(0, 1, 67), *((1 + i, 2 + i, 60 + i) for i in range(8))]
    score = midi.read(scores.midi(notes, accents=[1, 5]))
    assert lengths(score) == [1, 4, 4]


def test_without_accents_the_first_bar_is_whole():
    assert lengths(midi.read(scores.midi(scores.scale(8, 1)))) == [4, 4]


def test_a_change_of_metre_begins_a_bar():
    score = midi.read(scores.midi(scores.scale(10, 1), metres=[(0, 4, 4), (4, 3, 4)]))
    assert lengths(score) == [4, 3, 3]
    assert [bar.metre for bar in score.bars] == [(4, 4), (3, 4), (3, 4)]


def test_tempi_are_kept():
    data = scores.midi(scores.scale(8, 1), tempi=[(0, 400_000), (4, 1_000_000)])
    assert midi.read(data).tempi == [(0, 150.0), (4, 60.0)]


def test_the_spelling_follows_the_key():
    score = midi.read(scores.midi([(0, 2, 66), (2, 4, 70)], key="Dm"))
    assert (score.fifths, score.minor) == (-1, True)
    assert [e.pitch for e in score.bars[0].elements] == [spell(66, -1), spell(70, -1)]


def test_only_the_first_track_of_notes_counts():
    file = mido.MidiFile(ticks_per_beat=480)
    for pitch in (60, 40):
        track = mido.MidiTrack([mido.Message("note_on", note=pitch, velocity=80)])
        track.append(mido.Message("note_off", note=pitch, time=480))
        file.tracks += [mido.MidiTrack(), track]
    out = io.BytesIO()
    file.save(file=out)
    assert [note["pitch"] for note in sounding_notes(midi.read(out.getvalue()))] == [60]


WHOLE = scores.midi(scores.scale(16))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"not MIDI at all", "not a readable MIDI file"),
        (WHOLE[: len(WHOLE) // 2], "not a readable MIDI file"),
        (WHOLE[:10], "not a readable MIDI file"),
        (scores.midi([]), "no track with notes"),
        (scores.midi([(0, 2, 60), (1, 3, 64)]), "polyphonic"),
        (scores.midi([(0, 2, 60), (0, 2, 64)]), "polyphonic"),
        (scores.midi(scores.scale(8), tempi=[(0, 0)]), "a tempo of 0"),
        (scores.midi(scores.scale(25_000)), "25,000 notes, too many"),
        (scores.midi([(0, 1 / 3, 60)]), "1/3 quarter notes cannot be written"),
        (scores.midi([(0, 0.001, 60), (2, 3, 60)]), "too short"),
        (b"\0" * (midi.MAX_BYTES + 1), "too large for a melody"),
    ],
)
def test_what_is_no_melody_is_told_so(data, reason):
    with pytest.raises(ValueError, match=reason):
        midi.read(data)


def test_any_bytes_give_a_score_or_a_reason():
    """No damage makes the reader fail in another way than by ValueError."""
    draw = random.Random(0)
    for _ in range(500):
        data = bytearray(WHOLE)
        for _ in range(draw.randint(1, 8)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            midi.read(bytes(data))
        except ValueError as error:
            assert str(error)
