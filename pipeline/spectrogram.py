"""Log-frequency spectrograms: short-time Fourier magnitudes under overlapping triangular filters.

Frame i begins at sample int(i * hop) and looks ahead, so that a note's onset in seconds and its
frame differ by a ceil() only (A 3.2, B 3.1).
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import ducc0
import numpy as np
import scipy.sparse
import soundfile
from scipy.signal import resample_poly
from tqdm import tqdm

from pipeline import tables
from pipeline.constants import (
    SPECTROGRAM_RATE_HZ,
    SPECTROGRAMS,
    WINDOW_SAMPLES,
    SpectrogramSettings,
)

TUNING_HZ = 440.0  # of a'; usually a filter is centred on it, others lie whole steps away
FFT_BINS = WINDOW_SAMPLES // 2  # the bin at half the sample rate is left out
INT16_FULL_SCALE = 32_767
BLOCK_FRAMES = 64  # transformed at once, so that the arrays of a block stay in a core's cache
ROW_GROUP = 16  # pieces held in memory while a table is written


@lru_cache(maxsize=4)
def filterbank(settings: SpectrogramSettings, tuning: float = 0.0) -> np.ndarray:
    """Triangular filters on a logarithmic axis, each of area one: (1024 FFT bins, bins) float32.

    Filters are centred on the FFT bins next to the tones of an equal temperament; tones too low
    to have a bin of their own share one filter (A 3.2, B 3.1). For an instrument that is tuned
    higher, by `tuning` semitones, they are moved with it.
    Raises ValueError where the number of filters is not `settings.bins`.
    """
    bands = settings.bands_per_octave
    lowest = np.floor(np.log2(settings.fmin_hz / TUNING_HZ) * bands)
    highest = np.ceil(np.log2(settings.fmax_hz / TUNING_HZ) * bands)
    tones_hz = TUNING_HZ * 2.0 ** (np.arange(lowest, highest) / bands)
    tones_hz = tones_hz[(tones_hz >= settings.fmin_hz) & (tones_hz <= settings.fmax_hz)]

    nearest = np.rint(tones_hz * WINDOW_SAMPLES / SPECTROGRAM_RATE_HZ).astype(int)
    corners = np.unique(np.minimum(nearest, FFT_BINS - 1))
    if len(corners) - 2 != settings.bins:
        raise ValueError(f"{settings} yields {len(corners) - 2} bins, not {settings.bins}")

    corners = corners * 2 ** (tuning / 12)
    bank = np.zeros((FFT_BINS, settings.bins), np.float32)
    for column, (start, centre, stop) in enumerate(
        zip(corners[:-2], corners[1:-1], corners[2:], strict=True)
    ):
        bins = np.arange(math.ceil(start), math.ceil(stop))
        rising, falling = (bins - start) / (centre - start), (stop - bins) / (stop - centre)
        triangle = np.minimum(rising, falling)
        bank[bins, column] = triangle / triangle.sum()
    bank.flags.writeable = False
    return bank


@lru_cache(maxsize=4)
def _sparse_filterbank(settings: SpectrogramSettings, tuning: float) -> scipy.sparse.csr_array:
    """The filterbank transposed, (bins, FFT bins up to fmax): one in a hundred entries is set."""
    bank = filterbank(settings, tuning)
    used = np.flatnonzero(bank.any(axis=1))[-1] + 1
    return scipy.sparse.csr_array(bank[:used].T)


def _hop(settings: SpectrogramSettings) -> Fraction:
    """Samples between the starts of two frames, exactly."""
    return Fraction(SPECTROGRAM_RATE_HZ) / Fraction(settings.fps)


def frame_starts(samples: int, settings: SpectrogramSettings) -> np.ndarray:
    """First sample of every frame of a recording of so many samples: (frames,) int64."""
    hop = _hop(settings)
    frames = -(-samples * hop.denominator // hop.numerator)
    return np.arange(frames) * hop.numerator // hop.denominator


def spectrogram(
    samples: np.ndarray, settings: SpectrogramSettings, tuning: float = 0.0
) -> np.ndarray:
    """Spectrogram of mono audio, log10(1 + filtered magnitude): (frames, bins) float32.

    samples: (n,) at 22.05 kHz, floating point in [-1, 1] or int16. Zeros follow the last sample.
    tuning: of the instrument, semitones above a' = 440 Hz.
    Works through the recording in blocks, so memory beyond input and output stays at a few MB.
    Raises ValueError for audio of another shape or type.
    """
    if samples.ndim != 1:
        raise ValueError(f"audio has the shape {samples.shape}; one channel (n,) is expected")
    if samples.dtype != np.int16 and not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"audio is {samples.dtype}; int16 or floating point is expected")

    window = np.hanning(WINDOW_SAMPLES)
    if samples.dtype == np.int16:
        window = window / INT16_FULL_SCALE
    window = window.astype(np.float32)
    filters = _sparse_filterbank(settings, tuning)
    count = len(frame_starts(len(samples), settings))
    result = np.empty((count, settings.bins), np.float32)

    # Where the hop is p/q samples, every q-th frame begins p samples after the last: q sets of
    # evenly spaced frames. With one column for each frame of a set, every step runs along rows
    # that lie together in memory, and the sets share the columns of samples.
    hop = _hop(settings)
    p, q = hop.numerator, hop.denominator
    offsets = frame_starts(p, settings)
    buffer = np.zeros(BLOCK_FRAMES * p + WINDOW_SAMPLES, np.float32)
    views = np.lib.stride_tricks.sliding_window_view(buffer, offsets[-1] + WINDOW_SAMPLES)
    columns = np.empty((views.shape[1], BLOCK_FRAMES), np.float32)
    windows = np.repeat(window[:, None], BLOCK_FRAMES, axis=1)
    frames = np.empty_like(windows)
    spectrum = np.empty((FFT_BINS + 1, BLOCK_FRAMES), np.complex64)
    used = spectrum[: filters.shape[1]]
    magnitude = np.empty(used.shape, np.float32)
    for first in range(0, count, q * BLOCK_FRAMES):
        heard = samples[first // q * p :][: len(buffer)]
        buffer[: len(heard)] = heard
        buffer[len(heard) :] = 0
        np.copyto(columns, views[::p].T)
        for number, offset in enumerate(offsets):
            np.multiply(columns[offset : offset + WINDOW_SAMPLES], windows, out=frames)
            ducc0.fft.r2c(frames, axes=(0,), out=spectrum)
            np.abs(used, out=magnitude)
            filtered = filters @ magnitude
            filtered += 1
            rows = result[first + number : first + q * BLOCK_FRAMES : q]
            np.log10(filtered[:, : len(rows)].T, out=rows)
    return result


def load(path: Path | str, rate: int = SPECTROGRAM_RATE_HZ) -> np.ndarray:
    """Read an audio file as mono at `rate` (Hz), channels averaged: (n,) float32 in [-1, 1].

    Raises FileNotFoundError, or ValueError that names the file if it holds no usable sound.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such audio file")
    try:
        samples, found = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path}: not readable as audio ({error.error_string})") from None
    if not len(samples):
        raise ValueError(f"{path}: the recording is empty (0 s)")
    mono = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    if not np.isfinite(mono).all():
        raise ValueError(f"{path}: the recording holds values that are not finite")
    if found == rate:
        return mono
    ratio = Fraction(rate, found)
    return resample_poly(mono, ratio.numerator, ratio.denominator).astype(np.float32, copy=False)


def _features(
    performances: list[dict], audio_folder: Path, settings: SpectrogramSettings
) -> Iterator[dict]:
    """A row of FEATURES for each row of PERFORMANCES that has a recording, one at a time."""
    for row in tqdm(performances, desc="spectrogram", unit="piece", disable=None):
        if row["reason"] is not None:
            continue
        samples = load(audio_folder / row["audio"])
        yield {
            "piece_id": row["piece_id"],
            "font": row["font"],
            "tempo_ratio": row["tempo_ratio"],
            "fps": settings.fps,
            "bins": settings.bins,
            "spectrogram": spectrogram(samples, settings).ravel(),
            "performer": row["performer"],
        }


def extract(
    performances: Path | str,
    audio: Path | str,
    settings: str,
    out: Path | str,
) -> None:
    """Compute the spectrograms of a chunk's recordings.

    Performances that have a reason instead of a recording are skipped.

    Args:
        performances: Parquet table of PERFORMANCES.
        audio: The folder of their recordings.
        settings: Name of the settings: score_following or retrieval.
        out: Parquet table of FEATURES to write.

    Raises:
        FileNotFoundError: If a recording is missing.
        ValueError: If a recording cannot be read.
    """
    if settings not in SPECTROGRAMS:
        raise ValueError(f"settings are '{settings}'; they are {' or '.join(SPECTROGRAMS)}")
    played = tables.read(performances, tables.PERFORMANCES).to_pylist()
    rows = _features(played, Path(audio), SPECTROGRAMS[settings])
    tables.write(rows, tables.FEATURES, out, row_group=ROW_GROUP)
