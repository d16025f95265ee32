"""The loudness of a recording, and how it is brought to another."""

import math

import numpy as np


def loudness(samples: np.ndarray) -> float:
    """Root mean square of samples in [-1, 1], in dB below full scale; -inf for silence."""
    rms = math.sqrt(np.dot(samples, samples) / len(samples))
    return 20 * math.log10(rms) if rms else -math.inf


def normalise(samples: np.ndarray, loudness_db: float) -> np.ndarray:
    """Scale samples to a loudness (dBFS), or as near as peaks at full scale allow."""
    scale = 10 ** ((loudness_db - loudness(samples)) / 20)
    return samples * min(scale, 1 / np.abs(samples).max())
