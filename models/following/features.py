"""What synchronisation compares: chroma, and decaying chroma onsets, of a recording and of notes.

Both are computed 50 times a second. The onsets of pitches become DLNCO features (decaying locally
adaptive normalised chroma onsets; Ewert, Müller and Grosche 2009) by synctoolbox.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import rfft
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from pipeline.constants import SPECTROGRAM_RATE_HZ as RATE_HZ

FPS = 50  # frames a second
HOP = RATE_HZ // FPS  # samples
PITCHES = np.arange(28, 104)  # MIDI; what lies beyond is heard by its partials or not at all
TONE_WINDOW = 4_096  # samples, 186 ms: tells semitones apart
ONSET_WINDOW = 1_024  # samples, 46 ms: tells moments apart
BLOCK = 4_096  # frames that are transformed at once
COMPRESSION = 100.0  # of magnitudes, before onsets are looked for
LOUD_PERCENT = 99  # of a recording's moments are less loud than the level that is brought to
LOUD_DB = -38.0  # below full scale
LEAST_RISE = 0.15  # of compressed magnitude, of an onset
DECAY_S = 0.6  # a note of the score fades to 1/e in this time, about as a piano's
RING = 0.3  # of a note's level, that pedal and room keep after its end
RING_FRAMES = 2 * FPS
SILENT_DB = -50.0  # below the loudest: nothing is heard
# The quietest moments of a recording are a room's noise if they are equally loud, about, and much
# quieter than the loudest.
NOISE_PERCENT, NOISE_SPREAD_DB, NOISE_DB = (0.5, 1.5), 3.0, -25.0
ABOVE_NOISE_DB = 8.0  # noise is never louder than that above its quietest moments


@dataclass(frozen=True)
class Features:
    """Features of a sound, all with the same frames.

    Attributes:
        chroma: (12, frames) float32, not normalised.
        onsets: (12, frames) float32, DLNCO.
        level: (frames,) dB, the loudest moments at LOUD_DB; of notes, 0, or -inf where none sounds.
    """

    chroma: np.ndarray
    onsets: np.ndarray
    level: np.ndarray

    @property
    def silent(self) -> np.ndarray:
        """Frames in which nothing is heard, but for a room's noise: (frames,) bool."""
        loudest = self.level.max(initial=-np.inf)
        limit = loudest + SILENT_DB
        if np.isfinite(self.level).all() and len(self.level):
            quietest, noise = np.percentile(self.level, NOISE_PERCENT)
            if noise - quietest < NOISE_SPREAD_DB and noise < loudest + NOISE_DB:
                limit = max(limit, noise + ABOVE_NOISE_DB)
        return self.level < limit


def _bands(window: int, tuning: float) -> np.ndarray:
    """Weights of the bins of a spectrum for each pitch: (pitches, bins)."""
    hertz = np.fft.rfftfreq(window, 1 / RATE_HZ)
    with np.errstate(divide="ignore"):
        midi = 69 + 12 * np.log2(hertz / 440.0) - tuning
    weights = np.clip(1 - np.abs(midi[None] - PITCHES[:, None]), 0, None)
    nearest = np.rint((440.0 * 2 ** ((PITCHES + tuning - 69) / 12)) / hertz[1]).astype(int)
    weights[np.arange(len(PITCHES)), nearest] += 1e-3  # low pitches may lie between bins
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _pitches(samples: np.ndarray, window: int, tuning: float, frames: int) -> np.ndarray:
    """Magnitude at each pitch, frames centred at multiples of the hop: (pitches, frames)."""
    padded = np.pad(samples, (window // 2, window // 2 + HOP))
    taper = np.hanning(window).astype(np.float32) * 2 / window
    bands = _bands(window, tuning)
    found = np.empty((len(PITCHES), frames), np.float32)
    views = np.lib.stride_tricks.sliding_window_view(padded, window)[::HOP]
    for first in range(0, frames, BLOCK):
        block = views[first : min(first + BLOCK, frames)] * taper
        found[:, first : first + len(block)] = bands @ np.abs(rfft(block)).T
    return found


def _chroma(pitches: np.ndarray) -> np.ndarray:
    """Sum over octaves: (12, frames)."""
    found = np.zeros((12, pitches.shape[1]), np.float32)
    np.add.at(found, PITCHES % 12, pitches)
    return found


def of_recording(samples: np.ndarray, tuning: float) -> Features:
    """Features of a recording, brought to the level that all thresholds were set with.

    Args:
        samples: (n,) float32 at 22.05 kHz, not silent.
        tuning: In semitones, from `models.retrieval.audio.tuning_of`.
    """
    frames = 1 + len(samples) // HOP
    level = _level(samples, frames)
    gain_db = LOUD_DB - np.percentile(level, LOUD_PERCENT)
    compression = COMPRESSION * 10 ** (gain_db / 20)
    chroma = _chroma(np.log1p(compression * _pitches(samples, TONE_WINDOW, tuning, frames)))
    strokes = np.log1p(compression * _pitches(samples, ONSET_WINDOW, tuning, frames))
    return Features(chroma, _dlnco(_peaks(strokes), frames), level + gain_db)


def _level(samples: np.ndarray, frames: int) -> np.ndarray:
    """Mean energy of four hops about the beginning of each: (frames,) dB below full scale."""
    hops = np.zeros(frames + 3)  # with two before the first, and one behind the last
    whole = samples[: len(samples) // HOP * HOP].reshape(-1, HOP)
    hops[2 : 2 + len(whole)] = np.einsum("ij,ij->i", whole, whole, dtype=np.float64)
    rest = samples[whole.size :].astype(np.float64)
    hops[2 + len(whole)] = rest @ rest
    energy = sum(hops[first : first + frames] for first in range(4)) / (4 * HOP)
    return 10 * np.log10(np.maximum(energy, 1e-20))


def _peaks(strokes: np.ndarray) -> dict[int, np.ndarray]:
    """Onsets of each pitch, as synctoolbox takes them: rows of ms and of height."""
    rise = np.zeros_like(strokes)
    rise[:, 1:-1] = strokes[:, 2:] - strokes[:, :-2]
    rise = np.maximum(gaussian_filter1d(rise, 0.7, axis=1), 0)
    least = LEAST_RISE * max(float(np.percentile(rise.max(axis=0), 95)), 1e-6)
    found = {}
    for pitch, row in zip(PITCHES.tolist(), rise, strict=True):
        places, heights = find_peaks(row, height=least)
        found[pitch] = np.array([places * 1000 / FPS, heights["peak_heights"]])
    return found


def _dlnco(peaks: dict[int, np.ndarray], frames: int) -> np.ndarray:
    """DLNCO features of onsets: (12, frames) float32."""
    from synctoolbox.feature.dlnco import pitch_onset_features_to_DLNCO

    found = pitch_onset_features_to_DLNCO(f_peaks=peaks, feature_sequence_length=frames + 1)
    return found[:, :frames].astype(np.float32)


def of_notes(onsets: np.ndarray, ends: np.ndarray, pitch: np.ndarray, frames: int) -> Features:
    """Features that notes would have, without synthesis.

    Args:
        onsets: (notes,) s.
        ends: (notes,) s.
        pitch: (notes,) MIDI.
        frames: of the whole, 50 a second.
    """
    tones = np.zeros((12, frames), np.float32)
    heard: dict[int, list[tuple[float, float]]] = {}
    for onset, end, note in zip(onsets.tolist(), ends.tolist(), pitch.tolist(), strict=True):
        first = round(onset * FPS)
        if not 0 <= first < frames:
            continue
        last = min(max(round(end * FPS), first + 2), frames)
        rung = min(last + RING_FRAMES, frames)
        fade = np.exp(-np.arange(rung - first) / FPS / DECAY_S)
        fade[last - first :] *= np.linspace(RING, 0, rung - last)
        for partial, weight in ((0, 1.0), (19, 0.25)):  # the fundamental, and its third partial
            tones[(note + partial) % 12, first:rung] += weight * fade
        heard.setdefault(note, []).append((first * 1000 / FPS, 1.0))
    peaks = {note: np.array(pairs).T for note, pairs in heard.items()}
    level = np.where(tones.max(axis=0) > 0, 0.0, -np.inf)
    return Features(np.log1p(2 * tones), _dlnco(peaks, frames), level)
