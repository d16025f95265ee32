"""Read a recording for synchronisation: any sound file, or the sound of a video."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from models.retrieval import audio
from pipeline.constants import SPECTROGRAM_RATE_HZ as RATE_HZ

SHORTEST_S = 1.0
LONGEST_S = 5_400.0  # an hour and a half take 0.5 GB as samples
SILENT = 1e-4  # -80 dB: nothing in a recording is louder than that, so it is silent


def check_length(path: Path) -> None:
    """Check the length of a recording by its header alone.

    A file that libsndfile does not read, or that does not tell its length, is left to `opened`,
    which decodes it.

    Raises:
        ValueError: Naming the file and the remedy, if it is too short or too long.
    """
    try:
        sound = audio.sound_file(path)
    except (soundfile.LibsndfileError, TypeError):
        return
    with sound:
        if audio.tells_length(sound):
            _check(path, sound.frames / sound.samplerate)


def _check(path: Path, seconds: float) -> None:
    if seconds > LONGEST_S:
        raise ValueError(
            f"{path}: {seconds / 60:.0f} minutes are more than the {LONGEST_S / 60:.0f} that "
            "can be followed; cut out the part with this piece"
        )
    if seconds < SHORTEST_S:
        raise ValueError(f"{path}: {seconds:.2f} s are too short to follow; {SHORTEST_S:g} s "
                         "of music are needed at least")  # fmt: skip


@contextmanager
def opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a recording that is neither too short nor too long to be followed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Naming the file and the remedy, if it cannot be read, or is empty, too short or
            too long.
    """
    with audio.open_recording(path) as sound:
        _check(path, sound.frames / sound.samplerate)
        yield sound


def read(path: Path) -> np.ndarray:
    """The samples of a recording, mono, 22.05 kHz, without a constant part: (n,) float32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Naming the file and the remedy, if it cannot be read, or is empty, silent, too
            short or too long.
    """
    with opened(path) as sound:
        samples = audio.samples(sound)
    samples -= samples.mean(dtype=np.float64)
    if np.abs(samples).max() < SILENT:
        raise ValueError(f"{path}: the recording is silent")
    return samples


def seconds(samples: np.ndarray) -> float:
    """Length of what `read` gave."""
    return len(samples) / RATE_HZ
