"""What FluidSynth plays for us: the right notes at the right time, the same every time."""

import math

import numpy as np
import pytest

from pipeline.constants import AUDIO_RATE_HZ, TAIL_S
from pipeline.performing import Note, Unplayable
from pipeline.reading.fonts import font_path
from pipeline.rendering import Instrument, render
from pipeline.synthesize import loudness

FONT = "pretty_midi:TimGM6mb.sf2"
SCALE = [Note(0.5 * step, 0.5, 60 + 2 * step) for step in range(4)]
TEMPI = pytest.mark.parametrize("tempo_ratio", [0.5, 1.0, 2.0])


@pytest.fixture(scope="module")
def piano():
    with Instrument(font_path(FONT)) as instrument:
        yield instrument


@TEMPI
@pytest.mark.parametrize("onset_s", [0.0, 0.1234, 1.0, 3.21])
def test_a_note_starts_on_time(piano, onset_s, tempo_ratio):
    """Before it there is silence; within 3 ms the hammer has struck."""
    samples = render([Note(onset_s, 0.5, 72)], piano, tempo_ratio)
    first = np.flatnonzero(np.abs(samples) > 1e-6)[0]
    heard = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max())[0]
    assert first >= onset_s / tempo_ratio * AUDIO_RATE_HZ - 32
    assert heard <= onset_s / tempo_ratio * AUDIO_RATE_HZ + 32 + 0.003 * AUDIO_RATE_HZ


@TEMPI
def test_pitch_does_not_follow_tempo(piano, tempo_ratio):
    samples = render([Note(0.0, 2.0, 69)], piano, tempo_ratio)[: AUDIO_RATE_HZ // 2]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert spectrum.argmax() * 2 == pytest.approx(440, abs=4)  # bins lie 2 Hz apart


@TEMPI
def test_a_recording_ends_after_the_last_note(piano, tempo_ratio):
    samples = render(SCALE, piano, tempo_ratio)
    assert len(samples) == math.ceil((2.0 / tempo_ratio + TAIL_S) * AUDIO_RATE_HZ)
    assert loudness(samples[-4_410:]) < loudness(samples) - 30  # it has died away


def test_a_piece_sounds_the_same_whatever_was_played_before(piano):
    alone = render(SCALE, piano)
    render([Note(0.0, 0.7, 40), Note(0.1, 0.9, 47)], piano, tempo_ratio=1.37)
    np.testing.assert_array_equal(render(SCALE, piano), alone)
    with Instrument(font_path(FONT)) as another:
        np.testing.assert_array_equal(render(SCALE, another), alone)


def test_a_repeated_key_is_released_and_struck_again(piano):
    repeated = [Note(0.0, 0.5, 60), Note(0.5, 0.5, 60)]
    samples = render(repeated, piano)
    half = AUDIO_RATE_HZ // 2
    before, after = samples[half - 4_410 : half], samples[half : half + 4_410]
    assert loudness(after) > loudness(before) + 3
    assert loudness(samples[-4_410:]) < loudness(samples) - 30  # the second one ends too


def test_a_key_struck_again_before_its_release_keeps_its_second_length(piano):
    overlapping = render([Note(0.0, 1.0, 60), Note(0.5, 2.0, 60)], piano)
    apart = render([Note(0.0, 0.5, 60), Note(0.5, 2.0, 60)], piano)
    np.testing.assert_array_equal(overlapping, apart)


def test_two_voices_on_one_key_are_one_stroke(piano):
    unison = render([Note(0.0, 0.5, 60), Note(0.0, 1.0, 60)], piano)
    np.testing.assert_array_equal(unison, render([Note(0.0, 1.0, 60)], piano))


def test_a_pedal_that_moves_after_the_end_is_not_heard(piano):
    late = render(SCALE, piano, pedals=[(2.0 + TAIL_S, 64, 0), (1e6, 64, 127)])
    np.testing.assert_array_equal(late, render(SCALE, piano))


def test_another_preset_is_another_sound(piano):
    with Instrument(font_path(FONT), bank=0, preset=19) as organ:
        assert not np.array_equal(render(SCALE, organ), render(SCALE, piano))


@pytest.mark.parametrize(
    ("notes", "reason"),
    [
        ([], "no notes"),
        ([Note(0.0, 4_000.0, 60)], "would last 4001 s; the limit is 3600 s"),
        ([Note(math.nan, 1.0, 60)], "a note begins at nan s"),
        ([Note(-1.0, 1.0, 60)], "a note begins at -1.0 s"),
        ([Note(0.0, math.inf, 60)], "a note lasts inf s"),
        ([Note(0.0, 1.0, 128)], "a note has the pitch 128"),
    ],
)
def test_what_cannot_be_played(piano, notes, reason):
    with pytest.raises(Unplayable, match=reason):
        render(notes, piano)


def test_parts_sound_with_the_instruments_of_the_score_if_the_font_has_them(piano):
    violin, oboe = 40, 68
    alone = render([Note(0.0, 1.0, 72, violin)], piano)
    assert not np.allclose(alone, render([Note(0.0, 1.0, 72)], piano))
    both = render([Note(0.0, 1.0, 72, violin), Note(0.0, 1.0, 60, oboe)], piano)
    assert not np.allclose(both[: len(alone)], alone)
    same_key = render([Note(0.0, 1.0, 72, violin), Note(0.5, 1.0, 72)], piano)
    assert loudness(same_key[22_050:44_100]) > loudness(alone[22_050:44_100])


def test_louder_keys_sound_louder(piano):
    soft, loud = (render([Note(0.0, 1.0, 60, velocity=v)], piano) for v in (30, 110))
    assert loudness(loud) > loudness(soft) + 10
