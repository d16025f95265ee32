"""What match files say: notes with times, velocities and ids, pedals, what is missing and extra."""

import pytest

from pipeline.reading import match_files
from tests.support.match_files import match


def test_notes_have_their_times_and_the_ids_of_the_score():
    played = match_files.read(match([("n1-1", 60, 0.5), ("n2-1", 64, 1.25)], velocity=99))
    first, second = played.notes
    assert (first.onset_s, first.duration_s, first.pitch, first.velocity) == (
        pytest.approx(0.5),
        pytest.approx(0.4, abs=1e-3),
        60,
        99,
    )
    assert (first.score_id, second.score_id, second.score_pitch) == ("n1-1", "n2-1", 64)
    assert first.reason is second.reason is None


def test_extra_notes_say_so_and_missing_ones_are_listed():
    played = match_files.read(match([("n1", 60, 0.0), (None, 61, 0.1)], missing=[("n2", 66)]))
    assert [note.reason for note in played.notes] == [None, match_files.EXTRA]
    assert played.missing == [("n2", 66)]


def test_notes_that_a_tie_prolongs_are_not_missing():
    tied = match([("n1", 60, 0.0)], missing=[("n2", 60)]).replace(
        "[v1,staff1])-deletion", "[v1,staff1,leftOutTied])-deletion"
    )
    assert match_files.read(tied).missing == []


def test_an_ornament_tells_which_note_it_belongs_to():
    text = match([("n1", 60, 0.0)]) + "ornament(n1,[trill])-note(n9,62,300,400,50,0,0).\n"
    assert match_files.read(text).notes[1].reason == match_files.ORNAMENT


def test_the_pedal_moves_when_it_did():
    played = match_files.read(match([("n1", 60, 0.0)], pedal=[(0.25, 127), (0.75, 0)]))
    assert played.pedals == [(0.25, match_files.SUSTAIN, 127), (0.75, match_files.SUSTAIN, 0)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the match file is empty"),
        (b"MThd\0\0\0\6", "holds null bytes, no match file"),
        (b"hello\n", "no match file: its clock"),
        (match([]).encode(), "nothing is played in the match file"),
        (
            match([("n1", 60, 0.0)]).replace("Units,480", "Units,0").encode(),
            "no match file: its clock",
        ),
    ],
)
def test_what_is_no_performance_says_why(content, said):
    with pytest.raises(ValueError, match=said):
        match_files.read(match_files.text(content))


DIGITS = "9" * 400  # more than a number of seconds can have


@pytest.mark.parametrize(
    ("was", "odd", "said"),
    [
        ("note(n0,60,480,", f"note(n0,60,{DIGITS},", "a number in it is unusable"),
        ("sustain(240,", f"sustain({DIGITS},", "a number in it is unusable"),
        ("Rate,500000", f"Rate,{DIGITS}", "its clock"),
        ("[D,n],4,", "[D,n],9999,", "a note of the score has a pitch that MIDI does not know"),
        ("info(midiClockUnits", f"{'x' * 3_000}\ninfo(midiClockUnits", "7 lines of up to 3,000"),
        ("info(midiClockUnits", f"{'x' * 1_900}\n{'y' * 9}\n" * 15_000 + "i", "30,.* too much"),
    ],
)
def test_odd_numbers_and_sizes_are_a_reason_and_no_crash(was, odd, said):
    text = match([("n1", 60, 0.5)], missing=[("n2", 62)], pedal=[(0.25, 127)])
    assert was in text
    with pytest.raises(ValueError, match=f"no match file: {said}"):
        match_files.read(text.replace(was, odd))
