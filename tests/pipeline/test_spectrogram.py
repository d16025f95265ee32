"""The spectrogram against madmom's, and against sounds whose spectrum is known in closed form."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.spectrogram import madmom_spectrogram, name_madmom
from pipeline import tables
from pipeline.constants import (
    RETRIEVAL,
    SCORE_FOLLOWING,
    SPECTROGRAM_RATE_HZ,
    SPECTROGRAMS,
    WINDOW_SAMPLES,
    SpectrogramSettings,
)
from pipeline.spectrogram import extract, filterbank, frame_starts, load, spectrogram

GOLDEN = Path(__file__).parent / "data"
AS_CLOSE_AS = 1e-5
BOTH = pytest.mark.parametrize("settings", SPECTROGRAMS.values(), ids=SPECTROGRAMS)


def sweep() -> np.ndarray:
    """Three seconds at 22.05 kHz: a sweep from 50 Hz to 9 kHz, a decaying A4 and a click; int16."""
    t = np.arange(3 * SPECTROGRAM_RATE_HZ) / SPECTROGRAM_RATE_HZ
    rising = 0.3 * np.sin(2 * np.pi * (50 * t + (9_000 - 50) / 6 * t**2))
    tone = 0.3 * np.exp(-2 * t) * np.sin(2 * np.pi * 440 * t)
    click = 0.3 * (np.arange(len(t)) == 40_000)
    return np.rint(32_767 * (rising + tone + click)).astype(np.int16)


def sine(hz: float, seconds: float, rate: int = SPECTROGRAM_RATE_HZ) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate).astype(np.float32)


@pytest.fixture
def madmom(tmp_path, monkeypatch):
    """The live peer. Its prebuilt wheel looks for a distribution called madmom: give it one."""
    name_madmom(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return pytest.importorskip("madmom", reason="madmom has no wheel for this Python")


@pytest.mark.parametrize("name", SPECTROGRAMS)
def test_equals_what_madmom_gave(name):
    golden = np.load(GOLDEN / f"spectrogram_{name}.npz")["madmom"]
    ours = spectrogram(sweep(), SPECTROGRAMS[name])
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, golden, rtol=0, atol=AS_CLOSE_AS)


@BOTH
@pytest.mark.parametrize("samples", [1, 705, 2_048, 22_050, 150_000])
@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_equals_madmom_on_noise(madmom, settings, samples, kind):
    noise = np.random.default_rng(samples).uniform(-1, 1, samples)
    noise = (noise * 32_767).astype(np.int16) if kind is np.int16 else noise.astype(np.float32)
    np.testing.assert_allclose(
        spectrogram(noise, settings),
        madmom_spectrogram(noise, settings),
        rtol=0,
        atol=AS_CLOSE_AS,
    )


@BOTH
def test_a_click_shows_the_window_in_every_bin(settings):
    """The spectrum of one sample is flat, and every filter has area one."""
    click = np.zeros(3 * SPECTROGRAM_RATE_HZ, np.float32)
    position = len(click) - 1_000  # so that the last frames reach beyond the end
    click[position] = 1.0
    frames = int(np.ceil(len(click) / settings.hop_samples))
    expected = np.zeros(frames)
    for frame in range(frames):
        inside = position - int(frame * settings.hop_samples)
        if 0 <= inside < WINDOW_SAMPLES:
            expected[frame] = np.log10(1 + np.hanning(WINDOW_SAMPLES)[inside])
    found = spectrogram(click, settings)
    np.testing.assert_allclose(found, np.tile(expected, (settings.bins, 1)).T, atol=1e-6)


@BOTH
@pytest.mark.parametrize("hz", [440.0, 1_000.0, 4_186.0])
def test_a_sine_peaks_in_the_filter_centred_on_it(settings, hz):
    fft_hz = np.arange(WINDOW_SAMPLES // 2) * SPECTROGRAM_RATE_HZ / WINDOW_SAMPLES
    centres_hz = fft_hz[filterbank(settings).argmax(axis=0)]
    loudest = spectrogram(sine(hz, 1.0), settings)[:10].argmax(axis=1)
    assert (loudest == np.abs(centres_hz - hz).argmin()).all()


def test_a_sine_is_as_strong_as_theory_says():
    """A Hann window spreads a sine on an FFT bin over three bins, 1/2 : 1 : 1/2."""
    middle, amplitude = 300, 0.5
    magnitude = np.zeros(WINDOW_SAMPLES // 2)
    magnitude[middle - 1 : middle + 2] = np.array([0.5, 1, 0.5]) * amplitude * WINDOW_SAMPLES / 4
    expected = np.log10(1 + magnitude @ filterbank(RETRIEVAL))
    samples = amplitude * sine(middle * SPECTROGRAM_RATE_HZ / WINDOW_SAMPLES, 1.0)
    found = spectrogram(samples, RETRIEVAL)[5]
    strong = expected > 0.5
    assert strong.sum() >= 1
    np.testing.assert_allclose(found[strong], expected[strong], atol=2e-3)


def test_int16_is_full_scale_at_one():
    samples = sweep()
    as_floats = (samples / 32_767).astype(np.float32)
    np.testing.assert_allclose(
        spectrogram(samples, RETRIEVAL), spectrogram(as_floats, RETRIEVAL), atol=AS_CLOSE_AS
    )


@BOTH
@pytest.mark.parametrize("tuning", [0.0, 0.5, -0.5])
def test_filters_have_area_one_and_stay_below_fmax(settings, tuning):
    bank = filterbank(settings, tuning)
    assert bank.shape == (WINDOW_SAMPLES // 2, settings.bins)
    np.testing.assert_allclose(bank.sum(axis=0), 1, atol=1e-6)
    highest_hz = np.flatnonzero(bank.any(axis=1))[-1] * SPECTROGRAM_RATE_HZ / WINDOW_SAMPLES
    assert 0.95 < highest_hz / settings.fmax_hz / 2 ** (tuning / 12) <= 1


def test_paper_a_cannot_have_begun_at_80_hz():
    with pytest.raises(ValueError, match="yields 132 bins, not 136"):
        filterbank(SpectrogramSettings(31.25, 24, 80.0, 8_000.0, 136))


def test_frames_start_at_whole_samples_of_a_hop_that_is_not():
    assert SCORE_FOLLOWING.hop_samples == 705.6
    assert frame_starts(2_117, SCORE_FOLLOWING).tolist() == [0, 705, 1411, 2116]


@pytest.mark.parametrize("samples", [np.zeros((5, 2), np.float32), np.zeros(5, np.int32)])
def test_other_audio_is_refused(samples):
    with pytest.raises(ValueError, match="is expected"):
        spectrogram(samples, RETRIEVAL)


def test_load_averages_channels_and_halves_the_rate(tmp_path):
    left, right = sine(1_000, 1.0, 44_100), np.zeros(44_100, np.float32)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 44_100, "FLOAT")
    samples = load(tmp_path / "a.wav")
    assert samples.dtype == np.float32
    assert len(samples) == 22_050
    inner = slice(100, -100)  # a filter needs neighbours on either side
    np.testing.assert_allclose(samples[inner], sine(1_000, 1.0)[inner] / 2, atol=2e-3)


def test_load_lets_nothing_fold_back(tmp_path):
    """14.05 kHz would turn up as 8 kHz if every other sample were just dropped."""
    soundfile.write(tmp_path / "a.wav", sine(14_050, 1.0, 44_100), 44_100, "FLOAT")
    assert np.abs(load(tmp_path / "a.wav")[100:-100]).max() < 10 ** (-50 / 20)


def test_load_names_the_file_that_is_no_sound(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.flac: no such audio file"):
        load(tmp_path / "gone.flac")
    (tmp_path / "text.wav").write_text("not audio")
    with pytest.raises(ValueError, match=r"text\.wav: not readable as audio"):
        load(tmp_path / "text.wav")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), 44_100)
    with pytest.raises(ValueError, match=r"empty\.wav: the recording is empty"):
        load(tmp_path / "empty.wav")
    soundfile.write(tmp_path / "nan.wav", np.array([0, np.nan], np.float32), 44_100, "FLOAT")
    with pytest.raises(ValueError, match=r"nan\.wav: .* not finite"):
        load(tmp_path / "nan.wav")


def test_extract_writes_a_row_for_every_recording(tmp_path):
    soundfile.write(tmp_path / "a.flac", sine(440, 2.0, 44_100), 44_100)
    performance = {"font": "piano", "tempo_ratio": 1.0, "duration_s": 2.0, "loudness_db": -3.0}
    tables.write(
        [
            {"piece_id": "bad", "font": "piano", "tempo_ratio": 1.0, "reason": "no notes"},
            {"piece_id": "good", "audio": "a.flac", **performance},
        ],
        tables.PERFORMANCES,
        tmp_path / "performances.parquet",
    )
    out = tmp_path / "features.parquet"
    extract(tmp_path / "performances.parquet", tmp_path, "score_following", out)

    (row,) = tables.read(out, tables.FEATURES).to_pylist()
    assert (row["piece_id"], row["font"], row["fps"], row["bins"]) == ("good", "piano", 31.25, 136)
    found = np.array(row["spectrogram"], np.float32).reshape(-1, row["bins"])
    np.testing.assert_array_equal(found, spectrogram(load(tmp_path / "a.flac"), SCORE_FOLLOWING))
    assert len(found) == np.ceil(2.0 * 31.25)


def test_extract_names_audio_that_is_gone(tmp_path):
    row = {"piece_id": "a", "font": "piano", "tempo_ratio": 1.0, "audio": "a.flac"}
    tables.write([row], tables.PERFORMANCES, tmp_path / "p.parquet")
    with pytest.raises(FileNotFoundError, match=r"a\.flac"):
        extract(tmp_path / "p.parquet", tmp_path, "retrieval", tmp_path / "f.parquet")
    assert not (tmp_path / "f.parquet").exists()
