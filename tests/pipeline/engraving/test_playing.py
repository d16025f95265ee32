"""A written score as it sounds: order, ties, grace notes and seconds."""

import pytest

from pipeline.engraving import playing
from tests.pipeline.reading.test_musicxml_notes import read
from tests.support.musicxml import note, scale, score, sound


def played(text: str, order: list[int]) -> list[playing.Played]:
    return playing.play(read(text), order)


def test_a_bar_sounds_as_often_as_it_is_played():
    found = played(score([note("C4", 4), note("D4", 4)]), [0, 0, 1])
    assert [(n.pitch, float(n.onset)) for n in found] == [(60, 0), (60, 4), (62, 8)]


def test_tied_notes_are_one():
    (found,) = played(score([note("C4", 4, tie="start"), note("C4", 4, tie="stop")]), [0, 1])
    assert (found.onset, found.end) == (0, 8)


def test_a_tie_into_a_second_ending_is_followed_on_each_pass():
    bars = [note("C4", 4, tie="start"), note("C4", 4, tie="stop"), note("C4", 2, tie="stop")]
    found = played(score(bars), [0, 1, 0, 2])
    assert [(float(n.onset), float(n.end)) for n in found] == [(0, 8), (8, 14)]


def test_a_tied_note_that_is_played_after_another_bar_sounds_anew():
    bars = [note("C4", 4, tie="start"), note("C4", 4, tie="stop"), note("D4", 4)]
    assert len(played(score(bars), [0, 1, 2, 1])) == 3


def test_grace_notes_sound_before_their_main_note():
    """Those before the first note make all others later, as in LilyPond's MIDI files."""
    grace = note("C4", 0.5, grace=True)
    found = played(score([grace + grace + note("D4", 4), grace + note("D4", 4)]), [0, 1])
    onsets = [-9 / 40, -9 / 80, 0, 4 - 9 / 80, 4]
    assert [float(n.onset) for n in found] == onsets
    playing.begin_at_zero(found)
    assert [float(n.onset) for n in found] == pytest.approx([onset + 9 / 40 for onset in onsets])
    assert [float(n.end - n.onset) for n in found[:3]] == [9 / 80, 9 / 80, 4]
    lengths = [n.end_s - n.onset_s for n in found]
    assert lengths == pytest.approx([9 / 160, 9 / 160, 2, 9 / 160, 2])
    assert found[0].onset_s == 0


def test_grace_notes_at_the_end_of_a_bar_sound_there():
    """Their voice goes on two bars later."""
    bars = [note("E4", 4) + note("C5", 0.5, grace=True), note("C4", 4, voice=2), note("D4", 4)]
    found = played(score(bars), [0, 1, 2])
    assert [(n.pitch, float(n.onset), n.bar) for n in found] == [
        (64, 0, 0), (72, 4 - 9 / 80, 0), (60, 4, 1), (62, 8, 2)
    ]  # fmt: skip


def test_a_tie_of_unknown_start_prolongs_no_note_of_another_part():
    upper = [note("E4", 4), note("C4", 4, tie="stop")]
    found = played(score(upper, [note("C4", 4), note("G4", 4)]), [0, 1])
    assert [(n.pitch, float(n.onset), float(n.end)) for n in found] == [
        (60, 0, 4), (64, 0, 4), (60, 4, 8), (67, 4, 8)
    ]  # fmt: skip


def test_a_grace_note_that_is_tied_to_a_note_goes_on_into_it():
    tied = note("C4", 0.5, grace=True, tie="start") + note("E4", 0.5, grace=True)
    found = played(score([note("G4", 4), tied + note("C4", 4, tie="stop")]), [0, 1])
    assert [(n.pitch, float(n.onset), float(n.end)) for n in found[1:]] == [
        (60, 4 - 9 / 40, 8),
        (64, 4 - 9 / 80, 4),
    ]


def test_seconds_follow_the_tempo_of_the_printed_score_on_every_pass():
    text = score([scale("C4 D4 E4 F4"), sound(tempo="60") + scale("C4 D4 E4 F4")])
    onsets = [n.onset_s for n in played(text, [0, 1, 0])]
    first = [0, 0.5, 1, 1.5]
    assert onsets == pytest.approx([*first, 2, 3, 4, 5, *(6 + onset for onset in first)])
