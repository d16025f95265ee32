"""Recordings of any kind, against the pipeline's own spectrogram of the whole of them."""

import os
import stat
import subprocess
import sys

import librosa
import numpy as np
import pytest
import soundfile

import pipeline.spectrogram
from models.retrieval import audio
from models.retrieval.windows import read_windows, recording_windows
from pipeline.constants import RETRIEVAL, SPECTROGRAM_RATE_HZ

SECONDS = 11.87  # several blocks, and no whole number of frames
ROUNDING = 2e-6
BLOCK_SAMPLES = 65_536  # libsndfile's Vorbis encoder overflows its stack on long blocks


def music(rate: int, channels: int = 2, seconds: float = SECONDS) -> np.ndarray:
    """A rising tone on the first channel, bursts of noise on the others: (samples, channels)."""
    t = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(0).standard_normal((len(t), channels))
    sound = 0.2 * noise * np.exp(-5 * (t % 1))[:, None]
    sound[:, 0] = 0.3 * np.sin(2 * np.pi * (100 * t + 30 * t**2))
    return sound


def recording(path, rate: int = 44_100, sound: np.ndarray | None = None):
    """Write a file of the kind that its suffix says."""
    sound = music(rate) if sound is None else sound
    kind = {".ogg": ("OGG", "VORBIS"), ".mp3": ("MP3", None), ".flac": ("FLAC", None)}
    format_, subtype = kind.get(path.suffix, ("WAV", "FLOAT"))
    channels = 1 if sound.ndim == 1 else sound.shape[1]
    with soundfile.SoundFile(path, "w", rate, channels, subtype, format=format_) as file:
        for begin in range(0, len(sound), BLOCK_SAMPLES):
            file.write(sound[begin : begin + BLOCK_SAMPLES])
    return path


def whole(path, tuning: float = 0.0) -> np.ndarray:
    """The pipeline's spectrogram of all of a file at once."""
    return pipeline.spectrogram.spectrogram(pipeline.spectrogram.load(path), RETRIEVAL, tuning)


@pytest.mark.parametrize(
    ("suffix", "rate"),
    [
        (".flac", 44_100),
        (".wav", 48_000),
        (".wav", 22_050),
        (".wav", 8_000),
        (".ogg", 44_100),
        (".mp3", 44_100),
        (".mp3", 48_000),
    ],
)
def test_equals_the_pipelines_spectrogram(tmp_path, suffix, rate):
    path = recording(tmp_path / f"sound{suffix}", rate)
    with audio.open_recording(path) as sound:
        found, tuning = audio.whole_spectrogram(sound, path), audio.measure_tuning(sound)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, whole(path, tuning), rtol=0, atol=ROUNDING)


def notes(tuning: float, seconds: float = 6.0, rate: int = 22_050) -> np.ndarray:
    """Chords of tones with partials, on an instrument that is tuned higher by some semitones."""
    sound = np.zeros(int(seconds * rate))
    for number, pitch in enumerate([48, 55, 64, 60, 67, 76]):
        begin = number * len(sound) // 6
        t = np.arange(len(sound) - begin) / rate
        hertz = 440 * 2 ** ((pitch + tuning - 69) / 12)
        for partial in range(1, 6):
            sound[begin:] += np.sin(2 * np.pi * partial * hertz * t) * np.exp(-2 * t) / partial
    return 0.1 * sound


@pytest.mark.parametrize("tuning", [-0.4, -0.2, 0.3])
def test_an_instrument_out_of_tune_is_heard_as_one_in_tune(tmp_path, tuning):
    usual = recording(tmp_path / "usual.wav", 22_050, notes(0.0))
    other = recording(tmp_path / "other.wav", 22_050, notes(tuning))
    with audio.open_recording(other) as sound:
        assert audio.measure_tuning(sound) == pytest.approx(tuning, abs=0.03)
    expected, found, untuned = whole(usual), audio.spectrogram(other), whole(other)
    assert np.abs(found - expected).mean() < 0.5 * np.abs(untuned - expected).mean()


def test_the_tuning_is_that_of_two_minutes_in_the_middle_or_about_a_moment(tmp_path):
    high, middle, low = (np.tile(notes(tuning), 25) for tuning in (0.3, -0.2, 0.1))  # 150 s each
    path = recording(tmp_path / "sound.wav", 22_050, np.concatenate([high, middle, low]))
    with audio.open_recording(path) as sound:
        found = [audio.measure_tuning(sound, at) for at in (None, 0.0, 80.0, 220.0, 449.0)]
        between = audio.measure_tuning(sound, 150.0)
    assert found == pytest.approx([-0.2, 0.3, 0.3, -0.2, 0.1], abs=0.03)
    assert between == 0  # two instruments


def test_what_has_no_tuning_is_left_as_it_is():
    noise = np.random.default_rng(0).standard_normal(600_000)
    short = notes(0.4, 0.3)
    assert [audio.tuning_of(sound) for sound in (np.zeros(100_000), noise, short)] == [0, 0, 0]


def test_peaks_are_those_of_librosa():
    sound = notes(0.3).astype(np.float32)
    hertz, magnitude = audio.spectral_peaks(sound)
    expected, loudness = librosa.piptrack(
        y=sound, sr=22_050, n_fft=audio.TUNING_WINDOW, center=False
    )
    peaks = expected.T > 0  # in the order of time
    np.testing.assert_allclose(hertz, expected.T[peaks], rtol=1e-5)
    np.testing.assert_allclose(magnitude, loudness.T[peaks], rtol=1e-3)


def test_a_query_is_heard_at_its_own_tuning(tmp_path, monkeypatch):
    usual, low = (
        recording(tmp_path / f"{tuning}.wav", 22_050, notes(tuning, 9.0)) for tuning in (0.0, -0.4)
    )
    (_, expected), (_, found) = recording_windows(usual, 42), recording_windows(low, 42)
    monkeypatch.setattr(audio, "measure_tuning", lambda *_: 0.0)
    _, untuned = recording_windows(low, 42)
    assert np.abs(found - expected).mean() < 0.5 * np.abs(untuned - expected).mean()


@pytest.mark.parametrize("centres", [[0], [3, 10, 60], [0, 200, 230]], ids=len)
def test_windows_are_cut_from_the_whole_together_or_one_by_one(tmp_path, centres):
    path = recording(tmp_path / "sound.wav", 48_000)
    with audio.open_recording(path) as sound:
        found = read_windows(sound, np.array(centres), 42)
    padded = np.pad(whole(path), ((42, 42), (0, 0)))
    expected = [padded[centre + 21 : centre + 63] for centre in centres]
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    ("suffix", "rate"), [(".flac", 44_100), (".wav", 48_000), (".mp3", 44_100)]
)
@pytest.mark.parametrize("first", [0, 100, 153])
def test_a_part_is_cut_from_the_whole(tmp_path, suffix, rate, first):
    path = recording(tmp_path / f"sound{suffix}", rate)
    with audio.open_recording(path) as sound:
        found = audio.read_frames(sound, first, 84)
    np.testing.assert_allclose(found, whole(path)[first : first + 84], rtol=0, atol=ROUNDING)


def test_resampling_knows_what_lies_around(tmp_path):
    """The window of the spectrogram would hide it: samples at the very ends of a part."""
    path = recording(tmp_path / "sound.wav", 48_000)
    with audio.open_recording(path) as sound:
        found = audio._resampled(sound, 50_001, 50_100)
    expected = pipeline.spectrogram.load(path)[50_001:50_100]
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


def test_beyond_the_ends_there_is_nothing(tmp_path):
    path = recording(tmp_path / "sound.wav", 22_050)
    expected = whole(path)
    with audio.open_recording(path) as sound:
        assert audio.count_frames(sound) == len(expected)
        early, late = (
            audio.read_frames(sound, -50, 84),
            audio.read_frames(sound, len(expected) - 34, 84),
        )
        assert not audio.read_frames(sound, len(expected), 10).any()
        assert not audio.read_frames(sound, -10, 10).any()
    np.testing.assert_array_equal(early[:50], 0)
    np.testing.assert_allclose(early[50:], expected[:34], rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(late[:34], expected[-34:], rtol=0, atol=ROUNDING)
    np.testing.assert_array_equal(late[34:], 0)


def test_channels_are_averaged(tmp_path):
    """Opposite channels cancel out: what is left is the third."""
    tone = music(22_050, 1)
    both = recording(tmp_path / "both.wav", 22_050, np.hstack([tone, -tone, tone]))
    third = recording(tmp_path / "third.wav", 22_050, tone / 3)
    np.testing.assert_allclose(
        audio.spectrogram(both), audio.spectrogram(third), rtol=0, atol=ROUNDING
    )


def test_hours_take_no_more_memory_than_seconds(tmp_path, monkeypatch):
    """Of a file of ten hours, only what is asked for is read."""
    path = tmp_path / "long.wav"
    hours, rate = 10, 8_000
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_U8", format="WAV") as file:
        file.write(np.zeros(rate))
    silence = bytes([128]) * 44
    header = path.read_bytes()[:44]
    length = hours * 3600 * rate
    with path.open("wb") as file:  # a sparse file: its header, then nothing until the end
        file.write(header[:4] + (length + 36).to_bytes(4, "little"))
        file.write(header[8:40] + length.to_bytes(4, "little"))
        file.seek(44 + length - len(silence))
        file.write(silence)
    read = []
    original = soundfile.SoundFile.read
    monkeypatch.setattr(
        soundfile.SoundFile,
        "read",
        lambda self, frames, **how: read.append(frames) or original(self, frames, **how),
    )
    with audio.open_recording(path) as sound:
        assert audio.count_frames(sound) == hours * 3600 * 20
        audio.read_frames(sound, 5 * 3600 * 20, 168)
        audio.read_frames(sound, 9 * 3600 * 20, 1_000)
    assert max(read) < 20 * rate
    assert sum(read) < 100 * rate


# --- what cannot be heard --------------------------------------------------------------------
def test_silence_is_named(tmp_path):
    hiss = np.random.default_rng(0).uniform(-1, 1, 44_100) / 32_768  # dither
    for name, sound in (("zeros.wav", np.zeros(44_100)), ("hiss.wav", hiss)):
        path = recording(tmp_path / name, 44_100, sound)
        with pytest.raises(ValueError, match=rf"{name}: the recording is silent"):
            audio.spectrogram(path)


def test_the_softest_tone_is_none(tmp_path):
    soft = music(22_050, 1) * 10 ** (-60 / 20)
    assert audio.spectrogram(recording(tmp_path / "soft.wav", 22_050, soft)).any()


def test_an_empty_recording_is_named(tmp_path):
    path = recording(tmp_path / "empty.wav", 44_100, np.zeros(0))
    with pytest.raises(ValueError, match=r"empty.wav: the recording is empty \(0 s\)"):
        audio.spectrogram(path)


def test_a_single_sample_is_a_recording(tmp_path):
    path = recording(tmp_path / "click.wav", 44_100, np.ones(200))
    assert audio.spectrogram(path).shape == (1, RETRIEVAL.bins)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone.wav: no such recording"):
        audio.spectrogram(tmp_path / "gone.wav")


def test_values_that_are_not_finite_are_named(tmp_path):
    path = recording(tmp_path / "nan.wav", 44_100, np.full(44_100, np.nan))
    with pytest.raises(ValueError, match=r"nan.wav: .* not finite"):
        audio.spectrogram(path)


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_a_file_that_was_cut_off_is_named(tmp_path, suffix):
    path = recording(tmp_path / f"cut{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    if suffix == ".wav":  # libsndfile believes the file's size more than its header
        assert len(audio.spectrogram(path)) == pytest.approx(SECONDS * 10, abs=2)
        return
    with pytest.raises(ValueError, match=rf"cut{suffix}: .*copy it again"):
        audio.spectrogram(path)


def test_a_file_that_shrinks_is_named(tmp_path):
    """As when a copy is still under way, and starts anew."""
    path = recording(tmp_path / "shrinks.wav", 22_050)
    with audio.open_recording(path) as sound:
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(ValueError, match=r"ends after [56].\d s .* declares 11.9 s"):
            audio.read_frames(sound, 0, audio.count_frames(sound))


# --- what libsndfile does not read -----------------------------------------------------------
def tool(folder, monkeypatch, body: str):
    """Put a made-up ffmpeg on the PATH; `body` is Python that sees its arguments as `args`."""
    folder.mkdir()
    script = folder / audio.TOOL
    script.write_text(f"#!{sys.executable}\nimport sys, shutil\nargs = sys.argv[1:]\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))


def test_other_files_go_through_ffmpeg(tmp_path, monkeypatch):
    sound = recording(tmp_path / "sound.flac", SPECTROGRAM_RATE_HZ, music(SPECTROGRAM_RATE_HZ, 1))
    film = tmp_path / "- film: 1.mp4"
    film.write_bytes(b"not for libsndfile")
    tool(
        tmp_path / "bin",
        monkeypatch,
        f"assert args[args.index('-i') + 1] == {f'file:{film}'!r}\n"
        "assert '-ar' not in args  # at its own rate: what becomes data keeps its band\n"
        f"shutil.copy({str(sound)!r}, args[-1])",
    )
    np.testing.assert_array_equal(audio.spectrogram(film), audio.spectrogram(sound))


@pytest.mark.parametrize("suffix", ["mp3", "flac"])
def test_a_file_that_does_not_tell_its_length_is_read_to_its_end(tmp_path, suffix):
    """libsndfile guesses how long such an MP3 is, here a third of its length."""
    told = recording(tmp_path / "told.wav", 44_100)
    untold = tmp_path / f"untold.{suffix}"
    with untold.open("wb") as pipe:
        subprocess.run(
            ["ffmpeg", "-v", "error", "-i", told, "-id3v2_version", "3", "-write_xing", "0",
             "-q:a", "4", "-f", suffix, "pipe:1"],
            check=True, stdout=pipe,
        )  # fmt: skip
    seconds = len(audio.spectrogram(untold)) / RETRIEVAL.fps
    assert seconds == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_name_need_not_be_utf8(tmp_path, suffix):
    plain = recording(tmp_path / f"cafe.{suffix}")
    odd = tmp_path / os.fsdecode(f"café.{suffix}".encode("latin-1"))
    odd.write_bytes(plain.read_bytes())
    np.testing.assert_array_equal(audio.spectrogram(odd), audio.spectrogram(plain))


def test_without_ffmpeg_no_length_is_guessed(tmp_path, monkeypatch):
    untold = recording(tmp_path / "untold.mp3", 44_100)
    untold.write_bytes(untold.read_bytes().replace(b"Xing", bytes(4)).replace(b"Info", bytes(4)))
    monkeypatch.setenv("PATH", str(tmp_path))
    message = r"untold.mp3: .* does not say how long it is.*or install ffmpeg"
    with pytest.raises(ChildProcessError, match=message):
        audio.spectrogram(untold)


def test_raw_samples_are_named(tmp_path, monkeypatch):
    (tmp_path / "take.raw").write_bytes(bytes(4_000))
    tool(tmp_path / "bin", monkeypatch, "sys.exit('no format')")
    with pytest.raises(ValueError, match=r"take.raw: has no sound that ffmpeg can decode"):
        audio.spectrogram(tmp_path / "take.raw")


def test_without_ffmpeg_the_remedy_is_named(tmp_path, monkeypatch):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"not for libsndfile")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ChildProcessError, match=r"film.mp4: .*convert it to WAV.* or install ffmpeg"
    ):
        audio.spectrogram(film)


def test_what_ffmpeg_cannot_decode_is_named(tmp_path, monkeypatch):
    text = tmp_path / "text.txt"
    text.write_text("no sound")
    complaint = "sys.stderr.write('Stream map matches no streams\\nError opening\\n'); sys.exit(1)"
    tool(tmp_path / "bin", monkeypatch, complaint)
    with pytest.raises(ValueError, match=r"text.txt: has no sound .*matches no streams"):
        audio.spectrogram(text)


def test_an_empty_file_is_named(tmp_path):
    path = tmp_path / "nothing.mp3"
    path.touch()
    with pytest.raises(ValueError, match=r"nothing.mp3: the file is empty"):
        audio.spectrogram(path)


def test_a_folder_is_no_recording(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such recording"):
        audio.spectrogram(tmp_path)
