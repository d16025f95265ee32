"""What a MusicXML score says of its notes, each rule by itself."""

from fractions import Fraction
from xml.etree import ElementTree as ET

import pytest

from pipeline.reading import musicxml_notes, score_text
from tests.support.musicxml import backup, note, scale, score, sound


def read(text: str):
    ((_, safe),) = score_text.read(text.encode(), "s.musicxml").items()
    return musicxml_notes.read(ET.fromstring(safe))


def spans(text: str) -> list[tuple[float, float, int | None]]:
    """(begin, end, written pitch) of all notes."""
    return [(float(n.begin), float(n.end), n.pitch) for n in read(text).notes]


def test_parts_begin_together():
    found = read(score([scale("C5 D5 E5 F5")] * 2, [scale("C3 D3 E3 F3")] * 2))
    assert [float(n.begin) for n in found.notes if n.staff == 2] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_second_voice_keeps_its_time_though_the_clef_changes():
    clef = "<attributes><clef><sign>F</sign><line>4</line></clef></attributes>"
    bar = note("C5", 2) + clef + note("D4", 2) + backup(4) + note("E3", 4, voice=2)
    assert spans(score([bar])) == [(0, 2, 72), (2, 4, 62), (0, 4, 52)]


def test_chords_sound_together_and_short_bars_stay_short():
    text = score([note("G4"), note("C4", 2) + note("E4", 2, chord=True) + note("D4", 2)])
    assert spans(text) == [(0, 1, 67), (1, 3, 60), (1, 3, 64), (3, 5, 62)]
    assert read(text).begins == [0, 1, 5]


def test_the_longest_part_says_how_long_a_bar_is():
    assert read(score([note("C4"), note("C4")], [note("C3", 4), note("C3")])).begins == [0, 4, 5]


def test_ties_are_followed_over_the_bar_line_and_between_voices():
    text = score([note("C4", 4, tie="start"), note("C4", 2, tie="stop", voice=2) + note("C4", 2)])
    first, second, third = (n.name for n in read(text).notes)
    assert read(text).ties == {second: first}
    assert third not in read(text).loose
    assert read(score([note("C4", 4, tie="stop")])).loose


def test_grace_notes_lead_to_their_main_note():
    text = score([note("C4", 0.5, grace=True) + note("D4", 0.5, grace=True) + note("E4", 4)])
    grace = [n for n in read(text).notes if n.grace is not None]
    assert [(n.pitch, n.begin, n.grace) for n in grace] == [(60, 0, 1), (62, 0, Fraction(1, 2))]


@pytest.mark.parametrize(
    ("said", "semitones"),
    [
        ("<chromatic>-2</chromatic>", -2),
        ("<chromatic>3</chromatic><octave-change>-1</octave-change>", -9),
        ("<chromatic>0</chromatic><octave-change>1</octave-change>", 12),
    ],
)
def test_a_transposing_part_is_written_as_it_is_and_sounds_at_pitch(said, semitones):
    text = score([note("C5", 4)], attributes=f"<transpose>{said}</transpose>")
    (found,) = read(text).notes
    assert (found.pitch, found.transposed) == (72, semitones)


def test_a_transposition_holds_until_the_next():
    change = "<attributes><transpose><chromatic>0</chromatic></transpose></attributes>"
    text = score(
        [note("C5", 4), change + note("C5", 4)],
        attributes="<transpose><chromatic>-2</chromatic></transpose>",
    )
    assert [n.transposed for n in read(text).notes] == [-2, 0]


def test_hidden_and_unpitched_notes_do_not_sound():
    drum = note("C4").replace("pitch>", "unpitched>").replace("step", "display-step")
    bar = note("C4", print_object="no") + drum + note("E4", extra="<notehead>none</notehead>")
    text = score([bar + note("F4")])
    assert [n.left_out for n in read(text).notes] == ["hidden", "unpitched", "hidden", None]


def test_small_notes_sound():
    """MuseScore writes small notes as cues; a study for piano has its melody among them."""
    (found,) = read(score([note("C4", 4).replace("<pitch>", "<cue/><pitch>")])).notes
    assert found.left_out is None


def test_the_tempo_is_that_of_sounds_and_of_metronome_marks_before_them():
    mark = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>c. 60</per-minute></metronome></direction-type></direction>"
    )
    sounds = [sound(tempo="100") + scale("C4 D4 E4 F4"), mark + scale("C4 D4") + sound(tempo="50")]
    assert read(score(sounds)).tempi == [(0, 100.0), (6, 50.0)]
    assert read(score([note("C4", 4), mark + note("C4", 4)])).tempi == [(4, 90.0)]
    later = [mark + note("C4", 4), sound(tempo="100") + note("C4", 4), mark + note("C4", 4)]
    assert read(score(later)).tempi == [(0, 90.0), (4, 100.0)]


def test_chord_symbols_are_counted():
    chord = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
    found = read(score([chord + note("C4", 4)]))
    assert (found.chord_symbols, len(found.notes)) == (1, 1)


def test_the_instruments_program_goes_with_its_notes():
    text = score([note("C4", 4)]).replace(
        "</part-name>",
        '</part-name><midi-instrument id="P1-I1"><midi-program>41</midi-program></midi-instrument>',
    )
    assert [n.program for n in read(text).notes] == [40]


@pytest.mark.parametrize("broken", ["<duration>x</duration>", "<duration>-4</duration>", ""])
def test_a_note_without_a_duration_takes_no_time(broken):
    text = score([note("C4").replace("<duration>4</duration>", broken) + note("D4")])
    assert spans(text) == [(0, 0, 60), (0, 1, 62)]
