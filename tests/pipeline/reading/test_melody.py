"""Scores: spelling, notatable durations, repeats, and the text for LilyPond."""

from fractions import Fraction as F

import pytest

from pipeline.reading.melody import (
    Bar,
    Element,
    Melody,
    Spelling,
    lilypond,
    sections,
    sounding_notes,
    spell,
    split_duration,
)

C, D, E = (Spelling(step, 0, 4) for step in "cde")


def bar(*pitches, length=F(4), **signs):
    return Bar((4, 4), [Element(length / len(pitches), pitch) for pitch in pitches], **signs)


@pytest.mark.parametrize(
    ("midi", "fifths", "name"),
    [
        (60, 0, "c'"),
        (66, 2, "fis'"),  # in the key of D
        (70, -1, "bes'"),  # in the key of F
        (70, 2, "ais'"),  # the leading note of B minor
        (65, 2, "f'"),  # lowered third of D
        (59, 0, "b"),
        (72, 7, "bis'"),  # C sharp major: B sharp belongs to the octave below
        (47, 0, "b,"),
    ],
)
def test_a_pitch_is_spelled_as_its_key_asks(midi, fifths, name):
    assert spell(midi, fifths).lilypond() == name
    assert spell(midi, fifths).midi == midi


def test_every_pitch_in_every_key_keeps_its_midi_number():
    for fifths in range(-7, 8):
        for midi in range(128):
            assert spell(midi, fifths).midi == midi


def test_long_notes_are_cut_into_heads():
    assert split_duration(F(3)) == [F(3)]
    assert split_duration(F(5, 2)) == [F(2), F(1, 2)]
    assert split_duration(F(5)) == [F(4), F(1)]


def test_in_a_compound_metre_heads_show_the_beat():
    assert split_duration(F(5, 2), F(0), (6, 8)) == [F(3, 2), F(1)]
    assert split_duration(F(2), F(1), (6, 8)) == [F(1, 2), F(3, 2)]
    assert split_duration(F(3), F(0), (6, 8)) == [F(3)]
    assert split_duration(F(1), F(1, 2), (6, 8)) == [F(1)]


def test_a_triplet_cannot_be_written():
    with pytest.raises(ValueError, match="1/3 quarter"):
        split_duration(F(1, 3))


def test_repeats_and_endings_are_played_out():
    bars = [
        bar(C, repeat_start=True),
        bar(D, ending=1, repeat_end=True),
        bar(E, ending=2),
        bar(C),
    ]
    score = Melody(bars, 0, False, [(F(0), 120.0)])
    assert [note["pitch"] for note in sounding_notes(score)] == [60, 62, 60, 64, 60]
    assert [note["onset"] for note in sounding_notes(score)] == [0, 4, 8, 12, 16]


def test_a_repeat_without_a_start_goes_back_to_the_last_section():
    parts = sections([bar(C), bar(D, repeat_end=True), bar(E, repeat_end=True)])
    assert [(len(part.body), part.times) for part in parts] == [(2, 2), (1, 2)]


def test_endings_that_do_not_follow_each_other_are_refused():
    with pytest.raises(ValueError, match="volta"):
        sections([bar(C), bar(D, ending=2)])


def test_ties_join_notes_also_over_a_bar_line():
    bars = [
        Bar((4, 4), [Element(F(3), C), Element(F(1), D, tied=True)]),
        Bar((4, 4), [Element(F(2), D), Element(F(2), D)]),
    ]
    notes = sounding_notes(Melody(bars, 0, False, [(F(0), 120.0)]))
    assert [(note["onset"], note["duration"]) for note in notes] == [(0, 3), (3, 3), (6, 2)]


def test_a_pickup_is_a_partial_bar_and_the_end_a_final_bar_line():
    bars = [bar(C, length=F(1)), bar(D, E), bar(C, length=F(3))]
    text = lilypond(Melody(bars, 2, False, [(F(0), 120.0)]))
    assert "\\key d \\major" in text
    assert "\\time 4/4 \\partial 1*1/4 c'4 |" in text
    assert text.count("\\partial") == 2  # the last bar lacks what the pickup has
    assert '\\bar "|."' in text


def test_the_tempo_map_is_a_line_of_skips():
    text = lilypond(Melody([bar(C)], 0, True, [(F(0), 120.0), (F(2), 61.5)]))
    assert "tempoWholesPerMinute = #(ly:make-moment 30 1)" in text
    assert "s1*1/2" in text
    assert "tempoWholesPerMinute = #(ly:make-moment 123 8)" in text
