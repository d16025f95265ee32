"""Sounds that are no music, for benchmarks and tests."""

import numpy as np

from pipeline.constants import SPECTROGRAM_RATE_HZ as RATE_HZ

CLAPS_A_SECOND = 60


def applause(seconds: float, seed: int = 0) -> np.ndarray:
    """Many short bursts of noise, as hands make: (n,) float32."""
    random_ = np.random.default_rng(seed)
    made = np.zeros(round(seconds * RATE_HZ), np.float32)
    clap = np.exp(-np.arange(RATE_HZ // 50) / 80)
    for start in random_.integers(0, len(made) - len(clap), round(CLAPS_A_SECOND * seconds)):
        made[start : start + len(clap)] += 0.05 * clap * random_.standard_normal(len(clap))
    return made
