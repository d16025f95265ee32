"""Read a recording for synchronisation: any sound file, or the sound of a video."""

from pathlib import Path

import numpy as np

from models.retrieval import audio
from pipeline.constants import SPECTROGRAM_RATE_HZ as RATE_HZ

SHORTEST_S = 1.0
LONGEST_S = 5_400.0  # an hour and a half take 0.5 GB as samples
SILENT = 1e-4  # -80 dB: nothing in a recording is louder than that, so it is silent


def read(path: Path) -> np.ndarray:
    """The samples of a recording, mono, 22.05 kHz: (n,) float32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Naming the file and the remedy, if it cannot be read, or is empty, silent, too
            short or too long.
    """
    with audio.open_recording(path) as sound:
        seconds = sound.frames / sound.samplerate
        if seconds > LONGEST_S:
            raise ValueError(
                f"{path}: {seconds / 60:.0f} minutes are more than the {LONGEST_S / 60:.0f} that "
                "can be followed; cut out the part with this piece"
            )
        if seconds < SHORTEST_S:
            raise ValueError(f"{path}: {seconds:.2f} s are too short to follow; {SHORTEST_S:g} s "
                             "of music are needed at least")  # fmt: skip
        samples = audio.samples(sound)
    if np.abs(samples).max() < SILENT:
        raise ValueError(f"{path}: the recording is silent")
    return samples


def seconds(samples: np.ndarray) -> float:
    """Length of what `read` gave."""
    return len(samples) / RATE_HZ
