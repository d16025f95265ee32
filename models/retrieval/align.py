"""Align a recording to its score strip with dynamic time warping (DTW).

Windows slide over the strip and over the recording from end to end, padded with white and with
silence. DTW finds the path of least distance between their vectors, from the first pair of windows
to the last; it maps each frame to a position in the strip.

As published, only complete windows are used, and an onset before the first or after the last one
counts as no error at all. That flatters the more, the longer the windows are; it is reported beside
ours.

The path never goes back. A repeat is printed once and played twice: if the recording repeats, the
path stays near the end of the repeated part until the music has caught up. Performances of a
collection with `repeats: once` have no repeats.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
import pyarrow as pa
from tqdm import tqdm

from models.retrieval.identify import performances
from models.retrieval.inference import (
    embed_spectrogram,
    embed_strip,
    load_network,
    shown_name,
)
from models.retrieval.reading import read_examples
from models.retrieval.sampling import Examples
from models.retrieval.weights import AnyNetwork
from pipeline import tables
from pipeline.constants import PAGE_WIDTH_PX, RETRIEVAL, SNIPPET_WIDTH_PX, onset_times

if TYPE_CHECKING:
    from lightning.fabric import Fabric  # takes seconds to import

STEP_PX = 5  # between windows over the strip, about
STEP_FRAMES = 2  # between windows over the recording, about
CLOSE_PX = 25  # tolerance of `within`
# Cells of a matrix of distances, about, 32 bytes each during DTW: 2.1 GB. Half an hour of music
# over 18,000 px, 24 lines of print, has as many; windows over longer pieces are further apart.
MOST_CELLS = 2**26
COARSEST_PX = 20  # between windows over the strip: beyond that a piece is too long
METHODS = ("network", "published", "line")


ALIGNED = pa.schema(
    [
        tables.field("model", pa.string(), "name of the network"),
        tables.field(
            "method",
            pa.string(),
            "network; published: of complete windows, an onset beyond them is no error; line: even "
            "tempo, a straight line from end to end",
        ),
        tables.SHARDS.field("piece_id"),
        tables.field("onsets", pa.int32(), "in the piece"),
        tables.field("outside", pa.int32(), "of them, those beyond the ends of the path"),
        tables.field("mean_px", pa.float64(), "mean distance of true and estimated position", "px"),
        tables.field(
            "median_px", pa.float64(), "median distance of true and estimated position", "px"
        ),
        tables.field("mean_percent", pa.float64(), "of the width of a page", "%"),
        tables.field("median_percent", pa.float64(), "of the width of a page", "%"),
        tables.field("within", pa.float64(), "fraction of the onsets at most 25 px off"),
    ]
)


# --- the path --------------------------------------------------------------------------------
def window_positions(length: int, step: float) -> np.ndarray:
    """Centres of windows about `step` apart, evenly from the first to the last pixel or frame.

    Args:
        length: pixels or frames.
        step: distance of two windows, about.

    Returns:
        (windows,) int64.
    """
    count = 1 + round((length - 1) / step)
    return np.rint(np.linspace(0, length - 1, count)).astype(np.int64)


def windows_over(width: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the windows over a strip and over a recording.

    Args:
        width: px of the strip.
        length: frames of the recording.

    Returns:
        (windows,) px and (windows,) frames.

    Raises:
        ValueError: if they are too long for the memory that DTW needs.
    """
    frames = window_positions(length, STEP_FRAMES)
    step = max(STEP_PX, width * len(frames) / MOST_CELLS)
    if step > COARSEST_PX:
        raise ValueError(
            f"{length / RETRIEVAL.fps / 60:.1f} minutes over {width:,} px are too much at once; "
            "cut both into parts"
        )
    return window_positions(width, step), frames


def complete(centres: np.ndarray, length: int, before: int, after: int) -> np.ndarray:
    """Indices of the windows that reach beyond neither end of `length` pixels or frames.

    Args:
        centres: (windows,) of `window_positions`.
        length: pixels or frames.
        before: how far a window reaches to the left of its centre.
        after: how far it reaches to the right, exclusive.
    """
    return np.flatnonzero((centres >= before) & (centres + after <= length))


def path_spans(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sheet windows of every audio window by DTW.

    The path runs from corner to corner in steps along either side or both, each of which costs the
    distance at its end.

    Args:
        distances: (sheet windows, audio windows).

    Returns:
        (audio windows,) indices of the first sheet window of each, and of the last.
    """
    _, steps = librosa.sequence.dtw(C=distances.astype(np.float64))
    first, last = np.full(distances.shape[1], len(distances)), np.zeros(distances.shape[1], int)
    np.minimum.at(first, steps[:, 1], steps[:, 0])
    np.maximum.at(last, steps[:, 1], steps[:, 0])
    return first, last


def alignment_path(distances: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Where in the strip every audio window is: in the middle of its sheet windows.

    Args:
        distances: (sheet windows, audio windows).
        x: (sheet windows,) px.

    Returns:
        (audio windows,) px.
    """
    first, last = path_spans(distances)
    return (x[first] + x[last]) / 2


def align_recording(
    fabric: "Fabric", network: AnyNetwork, strip: np.ndarray, spectrogram: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Align a recording to the strip of its score.

    Args:
        fabric, network: from `inference.load_network`.
        strip: (200, width) uint8, white 255.
        spectrogram: (length, 92) float32, 20 frames a second.

    Returns:
        (windows,) seconds of the recording, ascending, the first before its beginning (see
        `onset_times`), and (windows,) px, the positions in the strip that sound then.

    Raises:
        ValueError: if both are too long for the memory that DTW needs.
    """
    x, frames = windows_over(strip.shape[1], len(spectrogram))
    sheet = embed_strip(fabric, network, strip, x)
    audio = embed_spectrogram(fabric, network, spectrogram, frames)
    return onset_times(frames, RETRIEVAL.fps), alignment_path(1 - sheet @ audio.T, x)


# --- errors ----------------------------------------------------------------------------------
def position_errors(
    onsets: np.ndarray, x: np.ndarray, times: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each onset's true and estimated position.

    Between windows positions are interpolated; beyond the first and last one they stay constant.

    Args:
        onsets: (onsets,) times, or frames.
        x: (onsets,) true positions, px.
        times: (windows,) of the audio windows, in the same unit, ascending.
        positions: (windows,) px that the path maps them to.

    Returns:
        (onsets,) px, and (onsets,) bool, whether an onset is beyond the ends of the path.
    """
    outside = (onsets < times[0]) | (onsets > times[-1])
    return np.abs(np.interp(onsets, times, positions) - x), outside


def error_metrics(distance: np.ndarray, outside: np.ndarray) -> dict:
    """Columns of ALIGNED of a piece, from `position_errors`."""
    mean, median = distance.mean(), np.median(distance)
    return {
        "onsets": len(distance),
        "outside": int(outside.sum()),
        "mean_px": mean,
        "median_px": median,
        "mean_percent": 100 * mean / PAGE_WIDTH_PX,
        "median_percent": 100 * median / PAGE_WIDTH_PX,
        "within": (distance <= CLOSE_PX).mean(),
    }


def published_metrics(distance: np.ndarray, outside: np.ndarray) -> dict:
    """`error_metrics` as published: an onset beyond the ends of the path is no error."""
    return error_metrics(np.where(outside, 0.0, distance), outside)


# --- the experiment --------------------------------------------------------------------------
def align(weights: Path, shards: list[Path], out: Path, *, precision: str = "bf16-mixed") -> None:
    """Align every recording to its score strip with DTW and compute the errors of its onsets.

    The baseline `line` is a straight line from the strip's first pixel at the recording's first
    frame to its last pixel at the last. A piece too long for DTW is reported and left out;
    a piece shorter than a window has no row `published`.

    Args:
        weights: safetensors file that `refine` or `train` wrote, or `shipped`, that of the project.
        shards: Parquet shards that hold each piece once.
        out: Parquet table to write, a row for each piece and method.
        precision: `bf16-mixed` or `32-true`.

    Raises:
        ValueError: if the shards are not valid or no piece is left.
    """
    fabric, network = load_network(weights, precision)
    data = read_examples(shards)
    performance = performances(data)
    rows = []
    for piece, name in enumerate(tqdm(data.pieces, desc="align", unit="piece", disable=None)):
        by_method = _align_piece(fabric, network, data, piece, performance[piece])
        for method in METHODS:
            if isinstance(metrics := by_method[method], str):
                tqdm.write(f"{name}: left out of '{method}', {metrics}", file=sys.stderr)
            else:
                rows.append(
                    {"model": shown_name(network.name, weights), "method": method, "piece_id": name}
                    | metrics
                )
    if not rows:
        raise ValueError("no piece could be aligned")
    tables.write(rows, ALIGNED, out)


def _align_piece(
    fabric: "Fabric", network: AnyNetwork, data: Examples, piece: int, performance: int
) -> dict[str, dict | str]:
    """For each method the metrics of a piece, or the reasons why they are missing."""
    strip, recording = data.strip(piece), data.recording(performance)
    width, length = strip.shape[1], len(recording)
    try:
        x, frames = windows_over(width, length)
    except ValueError as error:
        return dict.fromkeys(METHODS, str(error))
    sheet = embed_strip(fabric, network, strip, x)
    distances = 1 - sheet @ embed_spectrogram(fabric, network, recording, frames).T

    of_piece = data.piece == piece
    onsets = data.onset_s[of_piece], data.x[of_piece]
    half, before = SNIPPET_WIDTH_PX // 2, network.context // 2
    snippets = complete(x, width, half, half)
    sounds = complete(frames, length, before, network.context - before)
    published: dict | str = "strip or recording are shorter than a window"
    if len(snippets) and len(sounds):
        positions = alignment_path(distances[np.ix_(snippets, sounds)], x[snippets])
        first = data.frame[of_piece], data.x[of_piece]  # frames stand for onsets there
        published = published_metrics(*position_errors(*first, frames[sounds], positions))
    positions = alignment_path(distances, x)
    ends = np.array([0, length - 1]) / RETRIEVAL.fps, np.array([0, width - 1])
    seconds = onset_times(frames, RETRIEVAL.fps)
    return {
        "network": error_metrics(*position_errors(*onsets, seconds, positions)),
        "published": published,
        "line": error_metrics(*position_errors(*onsets, *ends)),
    }
