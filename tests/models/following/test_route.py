"""Which bars are heard, in which order: repeats, cuts, beginnings, ends and what is not music."""

import numpy as np
import pytest

from benchmarks.sounds import applause
from models.following import features, route, score, words
from tests.support.tiny_scores import drawn, played, sheet, sound

BARS = 8
ALL = list(range(BARS))
REPEATED = [0, 1, 2, 3, *ALL]


@pytest.fixture(scope="module")
def printed():
    made = sheet(drawn(BARS), REPEATED)
    return score.read(made.noteheads, made.notes)


def found(printed, samples):
    return route.find(printed, features.of_recording(samples, 0.0))


def bars(way):
    return [visit.bar for visit in way.visits]


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (REPEATED, "bars 1-4, 1-8"),
        (ALL, "bars 1-8"),
        ([2, 3, 4, 5, 6, 7], "bars 3-8"),
        ([0, 1, 2, 3, 0, 1, 2], "bars 1-4, 1-3"),
        ([0, 1, 4, 5, 6, 7], "bars 1-2, cut to 5-8"),
        ([*ALL, *ALL], "bars 1-8, 1-8"),
    ],
    ids=["repeat played", "repeat left out", "begun late", "stopped early", "cut", "twice"],
)
@pytest.mark.parametrize("quarter_s", [0.4, 0.8])
def test_the_way_is_found_at_any_tempo(printed, order, said, quarter_s):
    way = found(printed, sound(played(drawn(BARS), order, quarter_s)))
    assert words.spoken(printed, way) == said
    truth = [quarter_s * 4 * place for place in range(len(order))]
    assert [visit.start for visit in way.visits] == pytest.approx(truth, abs=0.8)


def test_a_repeat_sign_costs_less_than_a_jump(printed):
    """The same recording, on a print that has the sign and on one that has not."""
    without = sheet(drawn(BARS), ALL)
    samples = sound(played(drawn(BARS), REPEATED))
    jumping = found(score.read(without.noteheads, without.notes), samples)
    assert found(printed, samples).total < jumping.total - 2


def test_applause_and_silence_are_outside(printed):
    music = sound(played(drawn(BARS), ALL), before_s=4.0, after_s=0.0)
    way = found(printed, np.concatenate([music, applause(6.0)]))
    assert bars(way) == ALL
    (before, after) = way.outside
    assert before == pytest.approx((0, 4), abs=0.5)
    assert after == pytest.approx((len(music) / 22_050, len(music) / 22_050 + 6), abs=1.2)


def test_another_piece_fits_worse(printed):
    right = found(printed, sound(played(drawn(BARS), ALL)))
    wrong = found(printed, sound(played(drawn(BARS, seed=2), ALL)))
    assert right.cost < wrong.cost - 0.1
