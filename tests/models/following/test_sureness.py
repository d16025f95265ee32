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


def test_where_a_figure_repeats_no_onset_is_as_sure():
    """Moved by one figure, of 0.4 s, the notes would agree as well."""
    passage, sure = {}, {}
    for name, bars in {"varied": drawn(20), "repeated": 20 * [[60, 64, 67, 64]]}.items():
        order = list(range(len(bars)))
        made = sheet(bars, order, quarter_s=0.1)
        printed = score.read(made.noteheads, made.notes)
        heard = features.of_recording(sound(played(bars, order, quarter_s=0.1)), 0.0)
        onsets = synchronise.onsets(printed, route.find(printed, heard), heard)
        sure[name] = sureness.of_onsets(onsets, heard)
        passage[name] = sureness.evidence(onsets, heard)["passage"]
    assert passage["repeated"].max() < 0.05 < 0.1 < passage["varied"].min()
    assert sure["repeated"].max() < sure["varied"].min()


@pytest.mark.parametrize("frames", [114, 115, 403, 805])  # (frames - 1) / 50 * 50 may be less
def test_recordings_of_any_length_have_a_sureness(found, frames):
    onsets, heard, _ = found
    spare = ((0, 0), (0, max(frames - heard.chroma.shape[1], 0)))
    chroma, told = (np.pad(kind, spare)[:, :frames] for kind in (heard.chroma, heard.onsets))
    level = np.pad(heard.level, spare[1], constant_values=-100.0)[:frames]
    begun = [onset for onset in onsets if onset.time < 2]
    whole = sureness.of_onsets(begun, heard)
    part = sureness.of_onsets(begun, features.Features(chroma, told, level))
    assert part == pytest.approx(whole, abs=0.2) and (part > 0.5).all()


def test_silence_beside_the_music_makes_no_onset_surer(found):
    onsets, heard, _ = found
    silence = ((0, 0), (0, 60 * features.FPS))
    chroma, told = (np.pad(kind, silence) for kind in (heard.chroma, heard.onsets))
    level = np.pad(heard.level, silence[1], constant_values=-100.0)
    longer = features.Features(chroma, told, level)
    before = [onset for onset in onsets if onset.time < heard.chroma.shape[1] / features.FPS - 8]
    assert len(before) > 10
    found, expected = (sureness.evidence(before, sound) for sound in (longer, heard))
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=0.05)


def test_no_onsets_have_no_sureness(found):
    assert sureness.of_onsets([], found[1]).shape == (0,)


def test_the_fit_counts_what_is_not_in_the_score(found):
    way = found[2]
    assert sureness.fit(way) == pytest.approx(1 - way.cost)
    half = replace(way, share=0.5)
    assert sureness.fit(half) == pytest.approx(1 - 0.5 * way.cost - 0.5 * route.OUTSIDE)
