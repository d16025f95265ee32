"""Onsets along a route: cuts divide it, and every unbroken part is synchronised by itself."""

import numpy as np
import pytest

from models.following import features, route, score, synchronise
from models.following.route import Route, Visit
from pipeline.constants import SPECTROGRAM_RATE_HZ
from tests.support.tiny_scores import drawn, played, sheet, sound


def visit(bar, start, end, cut=False):
    return Visit(bar, start, end, cut, np.array([start]), np.array([0.0]))


def test_an_unbroken_part_ends_at_a_cut_and_where_the_music_stops():
    visits = [visit(0, 0, 2), visit(1, 2, 4), visit(5, 4, 6, cut=True), visit(6, 8, 10)]
    way = Route(visits, [(6.0, 8.0)], 0.0, 0.0, 1.0, 1.0)
    assert synchronise.unbroken(way) == [(0, 2), (2, 3), (3, 4)]


@pytest.mark.parametrize("silence_s", [0.0, 3.0])
def test_what_a_recording_lacks_at_its_end_is_not_found(silence_s):
    """It breaks off after 21 of 32 quarters, of 0.5 s."""
    bars = drawn(8)
    made = sheet(bars, list(range(8)))
    printed = score.read(made.noteheads, made.notes)
    whole = sound(played(bars, list(range(8))))[: round(10.3 * SPECTROGRAM_RATE_HZ)]
    part = np.concatenate([whole, np.zeros(round(silence_s * SPECTROGRAM_RATE_HZ), np.float32)])
    heard = features.of_recording(part, 0.0)
    found = synchronise.onsets(printed, route.find(printed, heard), heard)
    assert len(found) == 21


@pytest.mark.parametrize("bend", [0.0, 0.25])
def test_onsets_follow_a_tempo_that_changes(bend):
    """Quarters of 0.5 s that grow shorter and longer again by a quarter."""
    bars = drawn(8)
    made = sheet(bars, list(range(8)))
    printed = score.read(made.noteheads, made.notes)
    quarters = 0.5 * (1 + bend * np.sin(np.arange(32) / 5))
    times = np.concatenate([[0], np.cumsum(quarters)[:-1]])
    notes = [
        (time, pitch) for time, (_, pitch, *_) in zip(times, played(bars, range(8)), strict=True)
    ]
    heard = features.of_recording(sound(notes, before_s=1.0), 0.0)
    found = synchronise.onsets(printed, route.find(printed, heard), heard)
    errors = np.array([onset.time for onset in found]) - 1 - times
    assert np.median(np.abs(errors)) < 0.025
    assert np.abs(errors).max() < 0.12
