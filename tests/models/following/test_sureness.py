"""Sureness is high where notes are heard at their time, low where they are put elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from models.following import features, route, score, sureness, synchronise
from tests.support.tiny_scores import drawn, played, sheet, sound

BARS = 6


@pytest.fixture(scope="module")
def found():
    made = sheet(drawn(BARS), list(range(BARS)))
    printed = score.read(made.noteheads, made.notes)
    heard = features.of_recording(sound(played(drawn(BARS), list(range(BARS)))), 0.0)
    way = route.find(printed, heard)
    return synchronise.onsets(printed, way, heard), heard, way


def test_an_onset_at_its_time_is_surer_than_one_that_was_moved(found):
    onsets, heard, _ = found
    right = sureness.of_onsets(onsets, heard)
    moved = [replace(onset, time=onset.time + 0.23) for onset in onsets]
    wrong = sureness.of_onsets(moved, heard)
    assert (right > 0.9).mean() > 0.9
    assert (wrong < right).all()
    assert np.median(wrong) < 0.5


def test_no_onsets_have_no_sureness(found):
    assert sureness.of_onsets([], found[1]).shape == (0,)


def test_the_fit_counts_what_is_not_in_the_score(found):
    way = found[2]
    assert sureness.fit(way) == pytest.approx(1 - way.cost)
    half = replace(way, share=0.5)
    assert sureness.fit(half) == pytest.approx(1 - 0.5 * way.cost - 0.5 * route.OUTSIDE)
