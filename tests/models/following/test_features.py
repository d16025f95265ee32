"""Chroma and onsets: of tones, of notes without synthesis, and at any tuning."""

import numpy as np
import pytest

from models.following import features
from models.following.features import FPS
from models.retrieval.audio import tuning_of
from tests.support.tiny_scores import sound

NOTES = [(0.5, 60), (1.5, 64), (2.5, 69)]  # s and MIDI


def strongest(chroma: np.ndarray, second: float) -> int:
    return int(chroma[:, round(second * FPS)].argmax())


def test_tones_have_the_chroma_of_their_pitch():
    heard = features.of_recording(sound(NOTES), 0.0)
    assert [strongest(heard.chroma, onset + 0.3) for onset, _ in NOTES] == [0, 4, 9]


def test_onsets_are_where_tones_begin():
    """Within two frames, in their own class; nothing begins elsewhere."""
    heard = features.of_recording(sound(NOTES), 0.0)
    for onset, pitch in NOTES:
        near = heard.onsets[pitch % 12, round((onset - 0.2) * FPS) : round((onset + 0.2) * FPS)]
        first = int(np.argmax(near > 0.5 * near.max())) / FPS - 0.2
        assert first == pytest.approx(0, abs=2.1 / FPS)
    quiet = heard.onsets[:, round(1.0 * FPS) : round(1.4 * FPS)]
    assert quiet.max() < 0.2


def test_notes_have_the_same_features_without_being_played():
    heard = features.of_recording(sound(NOTES), 0.0)
    onsets, pitch = (np.array(column) for column in zip(*NOTES, strict=True))
    told = features.of_notes(onsets, onsets + 0.8, pitch, heard.chroma.shape[1])
    assert [strongest(told.chroma, onset + 0.3) for onset in onsets] == [0, 4, 9]
    agree = (told.onsets * heard.onsets).sum()
    moved = (np.roll(told.onsets, FPS // 2, axis=1) * heard.onsets).sum()
    assert agree > 5 * moved


def test_a_piano_that_is_tuned_high_is_heard_at_its_pitch():
    high = sound([(onset, pitch + 0.4) for onset, pitch in NOTES])
    tuning = tuning_of(high)
    assert tuning == pytest.approx(0.4, abs=0.06)
    heard = features.of_recording(high, tuning)
    assert [strongest(heard.chroma, onset + 0.3) for onset, _ in NOTES] == [0, 4, 9]


def test_features_do_not_depend_on_how_loud_a_recording_is():
    quiet, loud = (features.of_recording(gain * sound(NOTES), 0.0) for gain in (1e-3, 1e3))
    assert np.allclose(quiet.chroma, loud.chroma, atol=1e-3)
    assert np.allclose(quiet.onsets, loud.onsets, atol=1e-3)
    assert (quiet.silent == loud.silent).all()


@pytest.mark.parametrize("noise_db", [-65, -50])
def test_the_noise_of_a_room_is_silence(noise_db):
    """Before and after the music; the music, of 0.2 at its loudest, is not."""
    music = sound(NOTES, before_s=4.0, after_s=4.0)
    noise = np.random.default_rng(0).standard_normal(len(music))
    heard = features.of_recording((music + 10 ** (noise_db / 20) * noise).astype("float32"), 0.0)
    assert heard.silent[: round(4.3 * FPS)].all()
    assert not heard.silent[round(4.6 * FPS) : round(4.9 * FPS)].any()


def test_soft_playing_to_the_end_is_no_noise():
    rows = [(0.5 * n, 60 + n % 12) for n in range(40)]
    music = sound(rows, after_s=0.0)
    fading = (music * np.linspace(1, 0.05, len(music))).astype("float32")
    assert features.of_recording(fading, 0.0).silent[round(1.0 * FPS) :].mean() < 0.02


def test_silence_is_told_from_quiet_music():
    music = 0.1 * sound(NOTES, before_s=1.0, after_s=1.0)
    silent = features.of_recording(music, 0.0).silent
    assert silent[: round(1.2 * FPS)].all()
    assert not silent[round(1.6 * FPS) : round(2.2 * FPS)].any()
