"""Embed recordings and sheet music in one space, search an index, and align."""

from pathlib import Path

import numpy as np
import pandas as pd

from models.retrieval import align as alignment
from models.retrieval import audio, identify, query
from models.retrieval import index as indexing
from pipeline.constants import RETRIEVAL

SECONDS_APART = 0.5  # windows of a recording, unless said otherwise
PX_APART = 10  # windows of a strip


def embed_recording(
    recording: Path | str, *, step_s: float = SECONDS_APART, weights: Path | str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Embed windows of a recording.

    Each window is brought to the level that the networks were trained with.

    Args:
        recording: Any sound file.
        step_s: Seconds from one window to the next.
        weights: Of a network; by default those that come with the package.

    Returns:
        The middles of the windows in seconds, (windows,), and unit vectors, (windows, 32) float32.
        A window in which nothing sounds has a vector of zeros.

    Raises:
        FileNotFoundError: If there is no such recording.
        ValueError: If it cannot be read or is silent.
    """
    fabric, network = _network(weights)
    spectrogram = audio.spectrogram(recording)
    step = max(1, round(step_s * RETRIEVAL.fps))
    frames = alignment.window_places(len(spectrogram), step)
    half = network.context // 2
    padded = np.pad(spectrogram, ((half, network.context - half), (0, 0)))
    windows = np.stack([padded[frame : frame + network.context] for frame in frames])
    vectors = np.zeros((len(frames), indexing.EMBEDDING), np.float32)
    heard = audio.heard(windows)
    levelled = audio.levelled(windows[heard]).transpose(0, 2, 1)[:, None]
    vectors[heard] = identify.audio_vectors(
        fabric, network, identify.batches(lambda part: np.ascontiguousarray(levelled[part]),
                                          np.arange(len(levelled)))
    )  # fmt: skip
    return frames / RETRIEVAL.fps, vectors


def embed_strip(
    strip: np.ndarray, *, step_px: float = PX_APART, weights: Path | str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Embed windows of a strip of sheet music.

    Args:
        strip: (200, width) uint8, white is 255; `Score.strip` makes one.
        step_px: Pixels from one window to the next.
        weights: Of a network; by default those that come with the package.

    Returns:
        The middles of the windows in px, (windows,), and unit vectors, (windows, 32) float32.
    """
    fabric, network = _network(weights)
    x = alignment.window_places(strip.shape[1], step_px)
    batches = identify.batches(lambda part: indexing._images(strip, part), x)
    return x, identify.sheet_vectors(fabric, network, batches)


def search(
    recording: Path | str,
    index: Path | str,
    *,
    top: int = 5,
    weights: Path | str | None = None,
) -> pd.DataFrame:
    """Find the scores in an index that a recording fits best.

    Args:
        recording: Any sound file.
        index: What `index`, or the command `partimento index`, wrote.
        top: How many pieces to return.
        weights: Of the network that the index was made with.

    Returns:
        A row for each piece, the best first: its `piece_id` and its `fit`, the mean cosine.

    Raises:
        FileNotFoundError: If there is no such recording or index.
        ValueError: If one of them cannot be read, or the index was made with other weights.
    """
    weights = Path(weights or indexing.DEFAULT_WEIGHTS)
    collection = indexing.read(Path(index), weights)
    fabric, network = _network(weights)
    frames, excerpts = query.listen(Path(recording), network.context, None)
    batches = identify.batches(lambda part: excerpts[part], np.arange(len(excerpts)))
    vectors = identify.audio_vectors(fabric, network, batches)
    fit = query.fits(vectors, frames, collection.vectors, collection.piece)
    best = np.argsort(-fit, kind="stable")[:top]
    return pd.DataFrame({"piece_id": np.array(collection.pieces)[best], "fit": fit[best]})


def align(
    recording: Path | str, strip: np.ndarray, *, weights: Path | str | None = None
) -> pd.DataFrame:
    """Align a recording with a strip of sheet music, with dynamic time warping.

    Args:
        recording: Any sound file, of the whole piece as it is printed, without repeats.
        strip: (200, width) uint8, white is 255; `Score.strip` makes one.
        weights: Of a network; by default those that come with the package.

    Returns:
        A row for each tenth of a second: `seconds` in the recording and `x` (px) in the strip.

    Raises:
        FileNotFoundError: If there is no such recording.
        ValueError: If it cannot be read, or recording and strip are too long.
    """
    seconds, sounds = embed_recording(
        recording, step_s=alignment.STEP_FRAMES / RETRIEVAL.fps, weights=weights
    )
    x, prints = embed_strip(strip, step_px=alignment.STEP_PX, weights=weights)
    if len(x) * len(seconds) > alignment.MOST_CELLS:
        raise ValueError(f"{len(x):,} x {len(seconds):,} windows are too many to align")
    return pd.DataFrame({"seconds": seconds, "x": x[alignment.path(1 - prints @ sounds.T)]})


def _network(weights: Path | str | None):
    """Load a network for the device that there is; gives the device too."""
    return identify.ready(Path(weights or indexing.DEFAULT_WEIGHTS), "32-true", "auto")
