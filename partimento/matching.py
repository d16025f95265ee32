"""Embed recordings and sheet music in one space, search an index, and align."""

from pathlib import Path

import numpy as np
import pandas as pd

from models.retrieval import align as alignment
from models.retrieval import audio, inference
from models.retrieval.index import read_index
from models.retrieval.inference import DEFAULT_WEIGHTS
from models.retrieval.sequence import piece_scores
from pipeline.constants import RETRIEVAL


def embed_recording(
    recording: Path | str, *, weights: Path | str = DEFAULT_WEIGHTS
) -> tuple[np.ndarray, np.ndarray]:
    """Embed up to 100 windows of a recording, each brought to level and tuning of the training.

    Args:
        recording: Any sound file.
        weights: Of a network; by default those that come with the package.

    Returns:
        The middles of the windows in seconds of the file, (windows,), and unit vectors,
        (windows, 32) float32. Windows in which nothing sounds are left out.

    Raises:
        FileNotFoundError: If there is no such recording.
        ValueError: If it cannot be read or is silent.
    """
    fabric, network = inference.load_network(weights)
    frames, vectors = inference.embed_recording(fabric, network, Path(recording))
    return frames / RETRIEVAL.fps, vectors


def embed_strip(
    strip: np.ndarray,
    *,
    step_px: float = alignment.STEP_PX,
    weights: Path | str = DEFAULT_WEIGHTS,
) -> tuple[np.ndarray, np.ndarray]:
    """Embed windows of a strip of sheet music.

    Args:
        strip: (200, width) uint8, white is 255; `Score.strip` makes one.
        step_px: Pixels from one window to the next, about.
        weights: Of a network; by default those that come with the package.

    Returns:
        The middles of the windows in px, (windows,), and unit vectors, (windows, 32) float32.
    """
    fabric, network = inference.load_network(weights)
    x = alignment.window_positions(strip.shape[1], step_px)
    return x, inference.embed_strip(fabric, network, strip, x)


def search(
    recording: Path | str,
    index: Path | str,
    *,
    top: int = 5,
    weights: Path | str = DEFAULT_WEIGHTS,
) -> pd.DataFrame:
    """Find the scores in an index that match a recording best.

    Args:
        recording: Any sound file.
        index: What `index`, or the command `partimento index`, wrote.
        top: How many pieces to return.
        weights: Of the network that the index was made with.

    Returns:
        A row for each piece, the best first: its `piece_id` and its `score`, the mean cosine.

    Raises:
        FileNotFoundError: If there is no such recording or index.
        ValueError: If one of them cannot be read, or the index was made with other weights.
    """
    collection = read_index(Path(index), inference.weights_path(weights))
    fabric, network = inference.load_network(weights)
    frames, vectors = inference.embed_recording(fabric, network, Path(recording))
    scores = piece_scores(vectors, frames, collection.vectors, collection.piece)
    best = np.argsort(-scores, kind="stable")[:top]
    return pd.DataFrame({"piece_id": np.array(collection.pieces)[best], "score": scores[best]})


def align(
    recording: Path | str, strip: np.ndarray, *, weights: Path | str = DEFAULT_WEIGHTS
) -> pd.DataFrame:
    """Align a recording with a strip of sheet music, by dynamic time warping.

    The recording as a whole is brought to the level of the training data, and its filters are tuned
    to the instrument.

    Args:
        recording: Any sound file, of the whole piece as it is printed, without repeats.
        strip: (200, width) uint8, white is 255; `Score.strip` makes one.
        weights: Of a network; by default those that come with the package.

    Returns:
        A row for each tenth of a second: `seconds` in the recording and `x` (px) in the strip.

    Raises:
        FileNotFoundError: If there is no such recording.
        ValueError: If it cannot be read or is silent, or both are too long.
    """
    fabric, network = inference.load_network(weights)
    spectrogram = audio.normalise_level(audio.spectrogram(recording)[None])[0]
    seconds, x = alignment.align_recording(fabric, network, strip, spectrogram)
    return pd.DataFrame({"seconds": seconds.clip(min=0), "x": x})
