"""The second reading of a source: what it finds, and which differences it tells."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from pipeline.engraving import playing, second_reader, source_check
from pipeline.reading import musicxml_notes, score_text, unfolding
from tests.support.musicxml import note, repeat, scale, score, sound

TWO = score(
    [scale("C5 D5 E5 F5"), scale("G5 F5 E5 D5") + repeat("backward"), note("C5", 4)],
    [note("C3", 4), note("G3", 4) + repeat("backward"), note("C3", 4)],
)


def readings(text: str, folder):
    """A score as both readers have it."""
    ((name, safe),) = score_text.read(text.encode(), "s.musicxml").items()
    path = folder / name
    path.write_text(safe)
    found = musicxml_notes.read(ET.fromstring(safe))
    found.order = unfolding.play_order(found.bars)
    return found, second_reader.read(path)


def checked(first, second):
    return source_check.check(first, playing.play(first, first.order), first.order, second)


def test_two_readings_of_a_score_agree(tmp_path):
    grace = note("B3", 0.5, grace=True)
    bars = [
        grace + note("C4", 2, tie="start") + note("D4", 2),
        note("C4", 2) + note("E4", 2, chord=True) + note("F4", 2),
    ]
    found = checked(
        *readings(
            score(bars, attributes="<transpose><chromatic>-3</chromatic></transpose>"), tmp_path
        )
    )
    assert (found.notes, found.different, found.tempi_different) == (6, 0, 0)


def test_repeats_count(tmp_path):
    first, second = readings(TWO, tmp_path)
    assert second.order == first.order == [0, 1, 0, 1, 2]
    assert checked(first, second).notes == 2 * 10 + 2


def late(first, quarters: int, when):
    """The reading, with those notes late that `when` tells."""
    first.notes = [
        replace(n, begin=n.begin + quarters, end=n.end + quarters) if when(n) else n
        for n in first.notes
    ]
    return first


@pytest.mark.parametrize(
    ("fault", "bar"),
    [
        # parts one after the other
        (lambda first: late(first, 12, lambda n: n.staff == 2), 1),
        # a voice that comes too late from the second bar on
        (lambda first: late(first, 2, lambda n: n.bar == 1), 2),
        # a transposing part that sounds as it is written
        (lambda first: setattr(first, "notes", [replace(n, transposed=2) for n in first.notes]), 1),
    ],
)
def test_a_reading_that_went_wrong_is_told_with_the_first_bar(fault, bar, tmp_path):
    first, second = readings(TWO, tmp_path)
    fault(first)
    with pytest.raises(ValueError, match=rf"differs in \d+ of \d+ notes, first in bar {bar}$"):
        checked(first, second)


def test_a_short_bar_that_was_filled_up_is_told(tmp_path):
    first, second = readings(score([note("C4"), scale("C4 D4 E4 F4"), note("C4", 4)]), tmp_path)
    checked(first, second)
    first.begins = [0, 4, 8, 12]
    with pytest.raises(ValueError, match="first in bar 2"):
        checked(late(first, 3, lambda n: n.bar > 0), second)


def test_a_tempo_that_was_dropped_is_told(tmp_path):
    bars = [sound(tempo="120") + note("C4", 4), sound(tempo="60") + note("C4", 4)]
    first, second = readings(score(bars), tmp_path)
    checked(first, second)
    first.tempi = first.tempi[:1]
    with pytest.raises(ValueError, match="the tempo of 1 bars"):
        checked(first, second)


def test_repeats_that_nobody_else_plays_so_leave_a_piece_out(tmp_path):
    first, second = readings(TWO, tmp_path)
    first.order = [0, 1, 2]
    with pytest.raises(ValueError, match="read in several ways: 3 bars are played, or 5"):
        source_check.order_of(first, second, ET.Element("mei"), "unfold")
    assert source_check.order_of(first, second, ET.Element("mei"), "once") == [0, 1, 2]


def test_a_tie_that_only_one_reader_follows_is_no_difference():
    reading = second_reader.Reading([0.0, 4.0], [(0.0, 60, False), (2.0, 60, False)])
    found = second_reader.compare([(0.0, 60, False)], [(2.0, 60)], [], reading, [0])
    assert found.different == 0
    found = second_reader.compare([(0.0, 60, False)], [], [], reading, [0])
    assert (found.different, found.first_bar) == (1, 1)


def test_parts_begin_each_bar_together_though_one_has_a_shorter_bar(tmp_path):
    upper = [note("C5", 3), note("D5", 4)]  # a quarter is missing, as of a voice that rests
    first, second = readings(score(upper, [note("C3", 4), note("D3", 4)]), tmp_path)
    assert second.bars == [float(begin) for begin in first.begins] == [0, 4, 8]
    assert (4.0, 74, False) in second.notes and (4.0, 50, False) in second.notes


def test_humdrum_and_abc_are_read(tmp_path):
    humdrum = "**kern\n*M4/4\n=1\n4c\n4d\n2e\n=2\n1f\n==\n*-\n"
    (tmp_path / "s.krn").write_text(humdrum)
    notes = [(0, 60, False), (1, 62, False), (2, 64, False), (4, 65, False)]
    assert sorted(second_reader.read(tmp_path / "s.krn").notes) == notes
    (tmp_path / "s.abc").write_text("X:1\nT:t\nM:4/4\nL:1/4\nK:C\nC D E2|F4|C4|\n")
    assert sorted(second_reader.read(tmp_path / "s.abc").notes) == [*notes, (8, 60, False)]


def test_what_nobody_can_read_is_refused(tmp_path):
    broken = score([note("C4", 4)]).replace("<step>C</step>", "<step>X</step>")
    (tmp_path / "s.musicxml").write_text(broken)
    with pytest.raises(ValueError, match="no second reader can read it"):
        second_reader.read(tmp_path / "s.musicxml")
