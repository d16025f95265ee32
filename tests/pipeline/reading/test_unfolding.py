"""The order in which bars are played, written as the numbers of the bars from 1."""

from xml.etree import ElementTree as ET

import pytest

from pipeline.reading import unfolding
from tests.support.musicxml import ending, note, repeat, score, sound

N = note("C4", 4)
OPEN, CLOSE = repeat("forward"), repeat("backward")


def order(*bars: str) -> str:
    found = unfolding.play_order(unfolding.of_musicxml(ET.fromstring(score(list(bars)))))
    return " ".join(str(bar + 1) for bar in found)


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        ([N, N], "1 2"),
        ([N, N + CLOSE, N], "1 2 1 2 3"),
        ([N, OPEN + N + CLOSE, N], "1 2 2 3"),
        ([N + repeat("backward", times=3)], "1 1 1"),
        ([N + CLOSE, N + CLOSE], "1 1 2 2"),
        (
            [N, ending("1", "start") + N + ending("1", "stop") + CLOSE, ending("2", "start") + N],
            "1 2 1 3",
        ),
        (  # the first ending serves two passes
            [N, ending("1, 2", "start") + N + ending("1, 2", "stop") + CLOSE,
             ending("3", "start") + N + ending("3", "stop"), N],
            "1 2 1 2 1 3 4",
        ),
        (  # the second ending is not stopped
            [N, ending("1", "start") + N + ending("1", "stop") + CLOSE,
             ending("2", "start") + N, OPEN + N + CLOSE],
            "1 2 1 3 4 4",
        ),
        (  # an ending by itself: the repeat leaves it out
            [N, ending("1", "start") + N + ending("1", "stop") + CLOSE, N],
            "1 2 1 3",
        ),
        ([N, N + sound(fine="yes"), N + sound(dacapo="yes")], "1 2 3 1 2"),
        ([N, sound(segno="s") + N, N + sound(dalsegno="s")], "1 2 3 2 3"),
        (
            [N, sound(segno="s") + N + sound(tocoda="c"), N + sound(dalsegno="s"),
             sound(coda="c") + N],
            "1 2 3 2 4",
        ),
        ([N + CLOSE, N + sound(dacapo="yes")], "1 1 2 1 1 2"),  # repeats are played again
        ([N + CLOSE.replace("<repeat", '<repeat after-jump="no"'), N + sound(dacapo="yes")],
         "1 1 2 1 2"),
        ([N + sound(fine="yes") + CLOSE, N + sound(dacapo="yes")], "1 1 2 1 1"),
    ],
)  # fmt: skip
def test_bars_are_played_in_the_order_that_their_signs_say(bars, expected):
    assert order(*bars) == expected


def test_signs_of_any_part_count():
    text = score([N, N], [N + CLOSE, N])
    bars = unfolding.of_musicxml(ET.fromstring(text))
    assert unfolding.play_order(bars) == [0, 0, 1]


def test_a_score_that_repeats_without_end_is_refused():
    with pytest.raises(ValueError, match="more than 20,000 bars"):
        order(N + repeat("backward", times=100_000))


@pytest.mark.parametrize(
    ("text", "numbers"), [("1", [1]), ("1, 2", [1, 2]), ("1.-3.", [1, 2, 3]), ("", []), ("x", [])]
)
def test_numbers_of_endings(text, numbers):
    assert unfolding.ending_numbers(text) == numbers
