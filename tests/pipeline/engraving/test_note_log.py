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


def test_a_tie_of_one_voice_does_not_shorten_the_longer_note_of_another():
    """A whole note, and at once two tied quarters of the same pitch."""
    whole, tied = note(0, 60, length="1"), note(0, 60, voice=2, tied="tied")
    (only,) = note_log.read_log(log(SCORE, whole, tied, note("1/4", 60, voice=2), END)).notes
    assert only.duration == 4


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


def test_a_transposing_voice_sounds_its_own_pitch_and_keeps_the_written_one():
    transposed = ("transposition", 0, 0, 1, -2)
    text = log(SCORE, note(0, 60), transposed, note(0, 60, voice=2), note("1/4", 62), END)
    assert [(n.onset, n.pitch, n.written) for n in note_log.read_log(text).notes] == [
        (0, 58, 60),
        (0, 60, 60),
        (1, 62, 62),
    ]


def test_a_tie_holds_by_written_pitch():
    text = log(SCORE, note(0, 60), ("tie", 0, 0, 1), ("transposition", 0, 0, 1, -7),
               note("1/4", 60), END)  # fmt: skip
    (only,) = note_log.read_log(text).notes
    assert (only.pitch, only.duration) == (53, 2)


def test_chord_names_and_drums_are_no_notes():
    chord = ("chord", *note(0, 67, voice=2)[1:])
    drum = ("drum", *note(0, "", voice=3)[1:])
    drum_set = [note("1/4", 36, voice=4), ("percussion", "1/4", 0, 4)]
    sound = note_log.read_log(log(SCORE, note(0, 60), chord, drum, *drum_set, END))
    assert [n.pitch for n in sound.notes] == [60]
    assert [n.pitch for n in sound.chords] == [67]
    assert sound.drums == 2


def test_a_midi_file_that_begins_with_a_grace_rest_begins_before_the_piece():
    text = log(SCORE, ("tempo", 0, "-1/8", 60), note(0, 60), END)
    sound = note_log.read_log(text)
    assert sound.notes[0].onset == 0
    assert sound.leads == [F(1, 2) * F(9, 40)]


@pytest.mark.parametrize("number", ["1e400000000", "1/0", "9" * 5000, "0x1", "", "nan"])
def test_a_number_without_bounds_is_refused(number):
    with pytest.raises(ValueError, match="which is no number"):
        note_log.read_log(log(SCORE, note(number, 60), END))


@pytest.mark.parametrize(
    ("pitch", "reason"),
    [("121/2", "between two semitones"), (128, "MIDI has no number"), (-1, "MIDI has no number")],
)
def test_a_note_without_a_key_is_the_reason(pitch, reason):
    with pytest.raises(ValueError, match=reason):
        note_log.read_log(log(SCORE, note(0, pitch), END))
