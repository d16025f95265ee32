"""Which snippets show the same: worked out by hand on a line of chords 60 px apart."""

import pytest

from benchmarks.twins import twins


def line(chords: str, times=()):
    """Onsets 60 px apart, so that a snippet shows three of them; a letter is a chord."""
    times = times or range(len(chords))
    return [
        (60.0 * index, float(time), (ord(chord),))
        for index, (chord, time) in enumerate(zip(chords, times, strict=True))
    ]


def test_the_same_three_chords_are_twins():
    """The b in the middle of a b c, whatever stands beside these."""
    assert twins(line("pabcq" + "uvwz" + "rabcs"), rhythm=False)[2] == 2
    assert twins(line("pabcq" + "uvwz" + "rabds"), rhythm=False)[2] == 1


def test_one_chord_at_the_edge_may_be_missing():
    """The last b has nothing to its right."""
    assert twins(line("abcuvwab"), rhythm=False) == [2, 2, 1, 1, 1, 1, 2, 2]
    assert twins(line("babuvb"), rhythm=False)[0] == 1  # two are missing: v before, a after


@pytest.mark.parametrize(("rhythm", "expected"), [(False, 2), (True, 1)])
def test_another_rhythm_tells_them_apart(rhythm, expected):
    times = [0, 1, 2, 3, 4, 5, 6, 8, 9]  # the second time b and c come late
    assert twins(line("xabcyxabc", times), rhythm)[2] == expected
