"""Read any recording as the spectrogram that the networks take, whole or in parts.

The samples are those of `pipeline.spectrogram.load`: channels averaged, polyphase resampling to
22.05 kHz. A part is read, resampled and transformed by itself with as many samples on either side
as its filters reach, so a recording of hours takes no more memory than one of two minutes, in which
the instrument's tuning is measured.
"""

import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from scipy.fft import rfft, rfftfreq
from scipy.signal import get_window, resample_poly

import pipeline.spectrogram
from pipeline.constants import RETRIEVAL, SPECTROGRAM_RATE_HZ, WINDOW_SAMPLES
from pipeline.spectrogram import TUNING_HZ

SILENT = 1e-3  # log10(1+|X|) that no bin of silence reaches; a loud note comes near 1
QUIET = 0.01  # of the loudest window's level (40 dB below it): noise between two pieces
LEVEL = 0.5  # root mean square of |X|; excerpts of the fonts trained on lie at 0.36 to 0.86
BLOCK_FRAMES = 200  # transformed at once: 10 s
TUNED_SAMPLES = 120 * SPECTROGRAM_RATE_HZ  # that the tuning is found from
TUNING_WINDOW = 8_192  # samples; the next one begins a quarter later
TUNING_RANGE_HZ = (150, 4_000)  # of the peaks that tell it
LEAST_PEAK = 0.1  # of the largest magnitude at the same time
LEAST_AGREEMENT = 0.5  # of the peaks about their tuning, 0 to 1; a piano has 0.9, noise 0.01
RESAMPLING_REACH = 10  # half the length of resample_poly's filter, in periods of the slower rate
LEAD_SAMPLES = 16_384  # read before a part and dropped: an MP3 decoder needs a past
TOOL = "ffmpeg"
UNKNOWN_LENGTH = 2**63 - 1  # frames, as libsndfile says where the header has none
LENGTH_TAGS = b"Xing", b"Info", b"VBRI"  # of an MP3's first frame


@contextmanager
def open_recording(path: Path | str) -> Iterator[soundfile.SoundFile]:
    """Open a recording for `count_frames` and `read_frames`.

    Formats that libsndfile does not read (it reads WAV, FLAC, OGG, MP3, AIFF and more), and files
    that do not say how long they are, are decoded by ffmpeg, if it is installed, into a temporary
    FLAC file that is removed afterwards.

    Args:
        path: any sound file.

    Raises:
        FileNotFoundError: if there is no such file.
        ChildProcessError: if ffmpeg is needed and not installed.
        ValueError: naming the file and the remedy, if it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such recording")
    with tempfile.TemporaryDirectory(prefix="recording-") as folder:
        why = _why_not_read(path)
        read = _decoded(path, Path(folder) / "decoded.flac", why) if why else path
        with sound_file(read) as sound:
            if sound.frames <= 0:
                raise ValueError(f"{path}: the recording is empty (0 s)")
            yield sound


def sound_file(path: Path) -> soundfile.SoundFile:
    """Open a sound file by the bytes of its name, since soundfile takes no text that is not UTF-8.

    Raises:
        soundfile.LibsndfileError: If libsndfile does not read it.
        TypeError: If its suffix says that it holds raw samples.
    """
    return soundfile.SoundFile(os.fsencode(path))


def _name(sound: soundfile.SoundFile) -> str:
    """The path that a sound file was opened by."""
    return os.fsdecode(sound.name)


def _why_not_read(path: Path) -> str:
    """Why libsndfile does not read a file from beginning to end; empty if it does."""
    try:
        with sound_file(path) as sound:
            return "" if tells_length(sound) else "its header does not say how long it is"
    except (soundfile.LibsndfileError, TypeError) as error:  # of raw samples, a TypeError
        return getattr(error, "error_string", "of unknown format")


def tells_length(sound: soundfile.SoundFile) -> bool:
    """Whether a file says how long it is.

    FLAC that was written to a pipe does not, nor do some MP3 files: libsndfile guesses how long
    these are and reads no further, though most of the music may be left.
    """
    if sound.format != "MP3":
        return sound.frames != UNKNOWN_LENGTH
    with Path(_name(sound)).open("rb") as file:
        head = file.read(10)
        if head.startswith(b"ID3"):  # a tag before the first frame: its length has 7 bits a byte
            file.seek(10 + sum(byte << 7 * place for place, byte in enumerate(head[:5:-1])))
        else:
            file.seek(0)
        first = file.read(1_500)  # no frame is longer
    return any(tag in first for tag in LENGTH_TAGS)


def _decoded(path: Path, out: Path, why: str) -> Path:
    """Have ffmpeg write the first audio track of a file as mono FLAC, at the file's own rate."""
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty; choose a recording")
    if shutil.which(TOOL) is None:
        raise ChildProcessError(
            f"{path}: not readable as audio ({why}); convert it to WAV, FLAC or OGG, "
            f"or install {TOOL}, which is then used"
        )
    command = [TOOL, "-nostdin", "-v", "error", "-protocol_whitelist", "file", "-i", f"file:{path}"]
    command += ["-map", "0:a:0", "-ac", "1", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode or not out.is_file():
        message = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise ValueError(f"{path}: has no sound that {TOOL} can decode ({message})")
    return out


def count_frames(sound: soundfile.SoundFile) -> int:
    """Number of frames (20 a second) of a recording."""
    return math.ceil(_samples(sound) / RETRIEVAL.hop_samples)


def read_frames(
    sound: soundfile.SoundFile, first: int, frames: int, tuning: float = 0.0
) -> np.ndarray:
    """Part of a recording's spectrogram, equal to that part of the whole at the same tuning.

    Args:
        sound: from `open_recording`.
        first: first frame; may be negative.
        frames: how many; beyond the ends of the recording they are zero.
        tuning: of the instrument, from `measure_tuning`.

    Returns:
        (frames, 92) float32.

    Raises:
        ValueError: naming the file, if it is truncated or corrupt.
    """
    result = np.zeros((frames, RETRIEVAL.bins), np.float32)
    start, stop = max(first, 0), min(first + frames, count_frames(sound))
    for begin in range(start, stop, BLOCK_FRAMES):
        end = min(begin + BLOCK_FRAMES, stop)
        result[begin - first : end - first] = _block(sound, begin, end, tuning)
    return result


def samples(sound: soundfile.SoundFile) -> np.ndarray:
    """A whole recording at 22.05 kHz, mono: (n,) float32.

    Args:
        sound: from `open_recording`.

    Raises:
        ValueError: naming the file, if it is truncated or corrupt.
    """
    whole, step = _samples(sound), int(BLOCK_FRAMES * RETRIEVAL.hop_samples)
    return np.concatenate(
        [_resampled(sound, start, min(start + step, whole)) for start in range(0, whole, step)]
    )


def tuning_of(samples: np.ndarray) -> float:
    """By how much an instrument is tuned higher than a' = 440 Hz: semitones, -0.5 to 0.5.

    It is the circular mean of how far the louder half of all spectral peaks lie from the nearest
    semitone, weighted by magnitude.

    Args:
        samples: (n,) floating point at 22.05 kHz, of which two minutes in the middle are heard.

    Returns:
        0 if it cannot be told: for less than 0.4 s, silence, and what has no common tuning.
    """
    spare = max(len(samples) - TUNED_SAMPLES, 0) // 2
    heard = samples[spare : spare + TUNED_SAMPLES]
    if len(heard) < TUNING_WINDOW:
        return 0.0
    hertz, magnitude = spectral_peaks(heard)
    if not len(hertz):
        return 0.0
    loud = magnitude >= np.median(magnitude)
    semitones, weights = 12 * np.log2(hertz[loud] / TUNING_HZ), magnitude[loud]
    mean = (weights * np.exp(2j * np.pi * semitones)).sum() / weights.sum()
    return float(np.angle(mean) / (2 * np.pi)) if abs(mean) >= LEAST_AGREEMENT else 0.0


def spectral_peaks(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) and magnitudes of the peaks of windows of a recording.

    A peak lies where a parabola through a bin and its neighbours is highest, as in librosa's
    `piptrack`, whose import takes longer than all peaks of two minutes.

    Args:
        samples: (n,) floating point at 22.05 kHz, at least TUNING_WINDOW of them.

    Returns:
        Of shape (peaks,) each; none of silence.
    """
    windows = np.lib.stride_tricks.sliding_window_view(samples, TUNING_WINDOW)
    windows = windows[:: TUNING_WINDOW // 4] * get_window("hann", TUNING_WINDOW).astype("float32")
    hertz = rfftfreq(TUNING_WINDOW, 1 / SPECTROGRAM_RATE_HZ)
    first, stop = np.searchsorted(hertz, TUNING_RANGE_HZ)
    magnitude = np.abs(rfft(windows)[:, first - 1 : stop + 1])
    left, here, right = magnitude[:, :-2], magnitude[:, 1:-1], magnitude[:, 2:]
    loudest = here.max(axis=1, keepdims=True)
    peaks = (here > left) & (here >= right) & (here > LEAST_PEAK * loudest)
    below, middle, above = left[peaks], here[peaks], right[peaks]
    slope, bend = (above - below) / 2, 2 * middle - below - above
    bins = first + np.nonzero(peaks)[1] + slope / bend
    return bins * hertz[1], middle + slope**2 / (2 * bend)


def measure_tuning(sound: soundfile.SoundFile, at: float | None = None) -> float:
    """`tuning_of` an open recording: of two minutes about its middle, or about `at` (s).

    Raises:
        ValueError: naming the file, if it is truncated or corrupt.
    """
    whole = _samples(sound)
    middle = whole // 2
    if at is not None:
        middle = round(at * SPECTROGRAM_RATE_HZ)
    start = min(max(middle - TUNED_SAMPLES // 2, 0), max(whole - TUNED_SAMPLES, 0))
    return tuning_of(_resampled(sound, start, min(start + TUNED_SAMPLES, whole)))


def spectrogram(path: Path | str) -> np.ndarray:
    """The spectrogram of a recording: (frames, 92) float32, 20 frames a second.

    Args:
        path: any sound file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read or is silent.
    """
    with open_recording(path) as sound:
        return whole_spectrogram(sound, path)


def whole_spectrogram(sound: soundfile.SoundFile, path: Path | str) -> np.ndarray:
    """The spectrogram of an open recording, (frames, 92) float32; `path` is named in errors.

    Its filters are tuned to the instrument.

    Raises:
        ValueError: if it is truncated, corrupt or silent.
    """
    frames = read_frames(sound, 0, count_frames(sound), measure_tuning(sound))
    if not sounds(frames):
        raise ValueError(f"{path}: the recording is silent")
    return frames


def sounds(frames: np.ndarray) -> bool:
    """Whether a spectrogram has anything louder than the noise of digital silence."""
    return bool((frames > SILENT).any())


def audible(windows: np.ndarray) -> np.ndarray:
    """Which of the windows (n, frames, 92) are neither silent nor far quieter than the loudest.

    Returns:
        (n,) bool.
    """
    levels = level(windows)
    return (windows > SILENT).any(axis=(1, 2)) & (levels > QUIET * levels.max())


def level(windows: np.ndarray) -> np.ndarray:
    """Root mean square of the magnitudes |X| of windows (n, frames, 92): (n,) float32."""
    return np.sqrt(np.square(_magnitudes(windows)).mean(axis=(1, 2)))


def normalise_level(windows: np.ndarray) -> np.ndarray:
    """Windows (n, frames, 92) as if each had been recorded at LEVEL; none may be all zero.

    A gain multiplies |X|, but networks take log10(1+|X|), which changes its shape with the level,
    and they know that of their training alone.
    """
    gains = LEVEL / level(windows)
    return np.log1p(_magnitudes(windows) * gains[:, None, None]) / math.log(10)


def _magnitudes(windows: np.ndarray) -> np.ndarray:
    return np.expm1(windows * math.log(10))


def _ratio(sound: soundfile.SoundFile) -> Fraction:
    """Samples at 22.05 kHz for one of the recording."""
    return Fraction(SPECTROGRAM_RATE_HZ, sound.samplerate)


def _samples(sound: soundfile.SoundFile) -> int:
    """Length of the recording once it is resampled."""
    return math.ceil(sound.frames * _ratio(sound))


def _block(sound: soundfile.SoundFile, first: int, stop: int, tuning: float) -> np.ndarray:
    """Frames `first` to `stop`, all inside the recording: (stop - first, 92) float32."""
    hop = RETRIEVAL.hop_samples
    even = first - first % 2  # every second frame begins at a whole number of samples
    end = min(int((stop - 1) * hop) + WINDOW_SAMPLES, _samples(sound))
    samples = _resampled(sound, int(even * hop), end)
    return pipeline.spectrogram.spectrogram(samples, RETRIEVAL, tuning)[first - even : stop - even]


def _resampled(sound: soundfile.SoundFile, start: int, stop: int) -> np.ndarray:
    """Samples `start` to `stop` of the recording at 22.05 kHz, mono: (stop - start,) float32."""
    ratio = _ratio(sound)
    up, down = ratio.numerator, ratio.denominator
    if ratio == 1:
        return _read(sound, start, stop)
    # The filter looks so many samples of the file to either side. A part that begins at a
    # multiple of `down` is resampled at the same positions as the whole.
    reach = math.ceil(RESAMPLING_REACH * max(1, 1 / ratio)) + 1
    begin = max(0, (start * down // up - reach) // down * down)
    end = min(sound.frames, stop * down // up + 1 + reach)
    samples = resample_poly(_read(sound, begin, end), up, down).astype(np.float32, copy=False)
    shift = begin // down * up
    return samples[start - shift : stop - shift]


def _read(sound: soundfile.SoundFile, start: int, stop: int) -> np.ndarray:
    """Samples of the file as it is, channels averaged: (stop - start,) float32."""
    try:
        lead = min(start, LEAD_SAMPLES)
        sound.seek(start - lead)
        samples = sound.read(lead + stop - start, dtype="float32", always_2d=True)[lead:]
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(
            f"{_name(sound)}: corrupt at {start / sound.samplerate:.1f} s ({error}); "
            "convert or copy it again"
        ) from None
    if len(samples) < stop - start:
        raise ValueError(
            f"{_name(sound)}: truncated: the sound ends after "
            f"{(start + len(samples)) / sound.samplerate:.1f} s although the file declares "
            f"{sound.frames / sound.samplerate:.1f} s; copy it again"
        )
    mono = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    if not np.isfinite(mono).all():
        raise ValueError(f"{_name(sound)}: the recording has values that are not finite")
    return mono
