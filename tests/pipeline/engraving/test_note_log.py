"""The log of what sounds: ties, grace notes, tempi, scores that follow one another."""

from fractions import Fraction as F

import pytest

from pipeline.engraving import note_log


def log(*events) -> str:
    return "\n".join("\t".join(str(field) for field in event) for event in events)


def note(moment, pitch, voice=1, length="1/4", grace=0, tied="", wait=""):
    return ("note", moment, grace, voice, length, pitch, f"a.ly:1:{moment}", tied, wait)


SCORE, END = ("score", 0, 0), ("end", 1, 0)


def test_a_tied_note_is_one_note_of_both_lengths():
    text = log(SCORE, note(0, 60), ("tie", 0, 0, 1), note("1/4", 60), note("1/2", 60), END)
    first, second = note_log.read_log(text).notes
    assert (first.onset, first.duration, first.held) == (0, 2, ["a.ly:1:1/4"])
    assert (second.onset, second.duration) == (2, 1)


def test_a_tie_of_one_note_of_a_chord_holds_that_note_only():
    text = log(SCORE, note(0, 60, tied="tied"), note(0, 64), note("1/4", 60), note("1/4", 64), END)
    assert [(n.onset, n.pitch, n.duration) for n in note_log.read_log(text).notes] == [
        (0, 60, 2),
        (0, 64, 1),
        (1, 64, 1),
    ]


def test_a_tie_may_wait_for_its_note():
    """As in arpeggios that are written out: the notes are struck one by one and held together."""
    first = note(0, 60, length="1/8", tied="tied", wait="wait")
    text = log(SCORE, first, note("1/8", 64, length="1/8"), note("1/4", 60, length="1/2"), END)
    low, high = note_log.read_log(text).notes
    assert (low.pitch, low.onset, low.duration) == (60, 0, 3)
    assert high.onset == F(1, 2)


def test_a_tie_does_not_reach_into_another_voice():
    text = log(SCORE, note(0, 60), ("tie", 0, 0, 1), note("1/4", 60, voice=2), END)
    assert len(note_log.read_log(text).notes) == 2


def test_a_key_struck_by_two_voices_at_once_sounds_once_for_the_longer():
    text = log(SCORE, note(0, 60, length="1/8"), note(0, 60, voice=2, length="1/2"), END)
    (only,) = note_log.read_log(text).notes
    assert only.duration == 2


def test_a_grace_note_takes_nine_fortieths_of_its_length_before_its_moment():
    text = log(SCORE, note(0, 60), note("1/4", 62, grace="-1/8", length="1/8"), note("1/4", 64))
    _, grace, main = note_log.read_log(text).notes
    assert grace.onset == 1 - F(1, 2) * F(9, 40)
    assert grace.onset + grace.duration == main.onset == 1


def test_a_score_that_begins_with_a_grace_note_begins_with_its_sound():
    text = log(SCORE, note(0, 62, grace="-1/8", length="1/8"), note(0, 64))
    grace, main = note_log.read_log(text).notes
    assert grace.onset == 0
    assert main.onset == F(1, 2) * F(9, 40)


def test_scores_follow_one_another_each_with_its_tempo():
    first = [SCORE, ("tempo", 0, 0, 120), note(0, 60), END]
    second = [SCORE, ("tempo", 0, 0, 60), note(0, 72), END]
    sound = note_log.read_log(log(*first, *second))
    assert [(n.onset, n.pitch, n.score) for n in sound.notes] == [(0, 60, 0), (4, 72, 1)]
    assert note_log.seconds([F(0), F(4), F(6)], sound.tempi).tolist() == [0, 2, 4]


def test_seconds_follow_the_tempo_map():
    tempi = [(F(0), 120.0), (F(8), 240.0), (F(8), 30.0)]  # of two at once the later rules
    found = note_log.seconds([F(0), F(4), F(8), F(9)], tempi)
    assert found.tolist() == pytest.approx([0, 2, 4, 6])
    assert note_log.seconds([F(3)], []).tolist() == [3.0]
