"""Positions of a piece embedded in one pass, beside one by one: `python -m benchmarks.embed`.

A strip and a recording of random noise: the time does not depend on what they hold. The windows are
cut before the clock starts.
"""

import statistics
import time

import numpy as np

from models.retrieval import inference
from models.retrieval.align import windows_over
from models.retrieval.windows import crop_excerpts, crop_snippets
from pipeline.constants import RETRIEVAL, STRIP_HEIGHT_PX

WIDTH_PX, SECONDS = 12_000, 180  # of a piece of three minutes
ROUNDS = 3


def seconds(embed) -> float:
    """Median time of a call."""
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        embed()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def main() -> None:
    random = np.random.default_rng(0)
    strip = random.integers(0, 256, (STRIP_HEIGHT_PX, WIDTH_PX), np.uint8)
    spectrogram = random.random((round(SECONDS * RETRIEVAL.fps), RETRIEVAL.bins), np.float32)
    fabric, network = inference.load_network()
    x, frames = windows_over(WIDTH_PX, len(spectrogram))
    snippets = crop_snippets(strip, x)
    excerpts = crop_excerpts(spectrogram, frames, network.context)
    print(f"{'':40}  one by one  one pass")
    for name, alone, together in (
        (
            f"{len(x):,} snippets of {WIDTH_PX:,} px",
            lambda: inference.embed_snippets(
                fabric, network, inference.in_batches(np.array, snippets)
            ),
            lambda: inference.embed_strip(fabric, network, strip, x),
        ),
        (
            f"{len(frames):,} excerpts of {SECONDS} s",
            lambda: inference.embed_windows(fabric, network, excerpts),
            lambda: inference.embed_spectrogram(fabric, network, spectrogram, frames),
        ),
    ):
        before, after = seconds(alone), seconds(together)
        print(f"{name:40}  {before:8.2f} s  {after:6.2f} s  x {before / after:.1f}")


if __name__ == "__main__":
    main()
