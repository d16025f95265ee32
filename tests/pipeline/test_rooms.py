"""Rooms and microphones: onsets stay where they are, and level, noise and band are as said."""

import numpy as np
import pyroomacoustics
import pytest

from pipeline import rooms
from pipeline.constants import AUDIO_RATE_HZ

CLICK = 4_321  # sample
SMALL = {"rt60_s": 0.3, "distance_m": 1.7, "size_m": [4, 3, 2.5]}


def click(samples: int = 20_000) -> np.ndarray:
    sound = np.zeros(samples, np.float32)
    sound[CLICK] = 0.5
    return sound


def tone(frequency_hz: float, seconds: float = 0.5) -> np.ndarray:
    t = np.arange(int(seconds * AUDIO_RATE_HZ)) / AUDIO_RATE_HZ
    return (0.2 * np.sin(2 * np.pi * frequency_hz * t)).astype(np.float32)


def recorded(sound: np.ndarray, settings: dict, seed: str = "seed") -> np.ndarray:
    return rooms.record(sound, AUDIO_RATE_HZ, rooms.from_settings(settings), seed)


def level_db(sound: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(sound, dtype=np.float64)))


@pytest.mark.parametrize("distance_m", [0.5, 1.7, 2.9])
@pytest.mark.parametrize("seed", ["one", "two"])
def test_a_click_stays_at_its_sample_and_reverberates_after_it(distance_m, seed):
    heard = recorded(click(), SMALL | {"distance_m": distance_m, "band_hz": [60, 16_000]}, seed)
    assert np.abs(heard).argmax() == CLICK
    early = np.abs(heard[: CLICK - 500]).max()
    late = np.abs(heard[CLICK + 500 : CLICK + 5_000]).max()
    assert late > 0.01 * np.abs(heard).max()
    assert early < 0.05 * late


def test_a_microphone_can_stand_as_far_away_as_the_room_allows():
    heard = recorded(click(), SMALL | {"distance_m": 3.9}, "one")
    first = np.flatnonzero(np.abs(heard) > 0.2 * np.abs(heard).max())[0]
    assert first == CLICK


def test_sound_decays_by_60_db_in_about_the_reverberation_time():
    """Schroeder's backward integral, between -5 and -25 dB."""
    room = rooms.from_settings(SMALL)
    response = rooms.impulse_response(room, AUDIO_RATE_HZ, np.random.default_rng(1))
    left = np.cumsum(response[::-1] ** 2)[::-1]
    decay_db = 10 * np.log10(left / left[0])
    first, last = np.argmax(decay_db < -5), np.argmax(decay_db < -25)
    assert 3 * (last - first) / AUDIO_RATE_HZ == pytest.approx(0.3, rel=0.3)


@pytest.mark.parametrize("noise_db", [-20.0, -40.0])
def test_noise_is_as_loud_as_said_below_the_music(noise_db):
    sound = tone(440.0)
    noise = recorded(sound, {"noise_db": noise_db}) - sound
    assert level_db(noise) == pytest.approx(level_db(sound) + noise_db, abs=0.1)


def test_noise_falls_by_three_decibels_an_octave():
    power = np.abs(np.fft.rfft(rooms.pink_noise(1 << 16, np.random.default_rng(0)))) ** 2
    octaves_db = [10 * np.log10(power[1 << n : 2 << n].mean()) for n in range(6, 15)]
    assert np.polyfit(range(9), octaves_db, 1)[0] == pytest.approx(-3.0, abs=0.2)


def test_a_microphone_hears_its_band():
    low, high = 300.0, 3_000.0
    both = tone(100.0) + tone(1_000.0)
    heard = recorded(both, {"band_hz": [low, high]})
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    bin_hz = AUDIO_RATE_HZ / len(heard)
    assert spectrum[round(100 / bin_hz)] < 0.02 * spectrum[round(1_000 / bin_hz)]


@pytest.mark.parametrize("change_db", [-12.0, 0.0, 3.0])
def test_level_is_that_of_the_dry_sound_changed_as_said(change_db):
    sound = tone(440.0)
    heard = recorded(sound, SMALL | {"level_db": change_db})
    assert level_db(heard) == pytest.approx(level_db(sound) + change_db, abs=0.1)


def test_what_would_pass_full_scale_is_lowered():
    assert np.abs(recorded(tone(440.0), {"level_db": 30})).max() <= 1.0


def test_the_seed_alone_decides():
    sound, settings = click(), SMALL | {"noise_db": -30}
    assert np.array_equal(recorded(sound, settings), recorded(sound, settings))
    assert not np.array_equal(recorded(sound, settings), recorded(sound, settings, "another"))


def test_no_settings_change_nothing():
    sound = tone(440.0)
    np.testing.assert_array_equal(recorded(sound, {}), sound)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rt60_s": 0.01}, "rt60_s: 0.01 s is too short for a room of 8 x 6 x 3 m"),
        ({"rt60_s": 1.0, "distance_m": 20.0}, "distance_m: 20 m do not fit into a room"),
        ({"band_hz": [8_000, 100]}, "band_hz: .* must run from low to high"),
        ({"rt60_s": 5.0}, "rt60_s: 5 s is too long .* reflected up to 639 .* at most 1.17 s"),
        ({"reverb": 1.0}, "reverb: no setting of a room; those are rt60_s, distance_m, "),
    ],
)
def test_rooms_that_cannot_be_built_say_why(settings, said):
    with pytest.raises(ValueError, match=said):
        rooms.from_settings(settings)


@pytest.mark.parametrize("settings", [SMALL, {"rt60_s": 1.2, "size_m": [16, 11, 6]}])
def test_what_settings_are_held_against_is_what_the_image_method_takes(settings):
    room = rooms.from_settings(settings)
    absorption, order = pyroomacoustics.inverse_sabine(room.rt60_s, room.size_m, 343.0)
    assert rooms.absorption(room) == pytest.approx(absorption)
    assert rooms.reflections(room) == order
