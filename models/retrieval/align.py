"""Where in the score does the music stand: a recording laid along its strip.

Windows slide over the strip and over the recording, every one lies wholly inside, and dynamic
time warping finds the path of least distance between their vectors, from the first pair of
windows to the last. A recorded frame's place in the strip is read off the path.

The path only goes on. A repeat is printed once and played twice: where the recording goes back,
the path cannot, and stays near the end of the repeated part until the music has caught up. The
performances of this project leave repeats out.
"""

import sys
from pathlib import Path

import librosa
import numpy as np
import pyarrow as pa
from tqdm import tqdm

from models.retrieval import sampling
from models.retrieval.identify import audio_vectors, batches, performances, ready, sheet_vectors
from pipeline import tables
from pipeline.constants import PAGE_WIDTH_PX, SNIPPET_WIDTH_PX

STEP_PX = 10  # about so far apart are the windows over the strip
STEP_FRAMES = 2  # and those over the recording
CLOSE_PX = 25  # tolerance of `within`
# Cells of a matrix of distances: 28 bytes each while the path is sought, 1.9 GB. An hour over
# 18,000 px (25 lines of print) has as many.
MOST_CELLS = 2**26
METHODS = ("network", "published", "line")


def _field(name: str, kind: pa.DataType, description: str, unit: str = "") -> pa.Field:
    return pa.field(name, kind, metadata={"description": description, "unit": unit})


ALIGNED = pa.schema(
    [
        _field("model", pa.string(), "name of the network"),
        _field(
            "method",
            pa.string(),
            "network; published: the same path, but an onset beyond its ends counts as no error; "
            "line: a straight line between the ends of the path",
        ),
        tables.SHARDS.field("piece_id"),
        _field("onsets", pa.int32(), "in the piece"),
        _field("outside", pa.int32(), "of them, those before the first or after the last window"),
        _field("mean_px", pa.float64(), "mean distance of true and found place", "px"),
        _field("median_px", pa.float64(), "median distance of true and found place", "px"),
        _field("mean_percent", pa.float64(), "of the width of a page", "%"),
        _field("median_percent", pa.float64(), "of the width of a page", "%"),
        _field("within", pa.float64(), "share of the onsets at most 25 px off"),
    ]
)


# --- the path --------------------------------------------------------------------------------
def window_places(length: int, before: int, after: int, step: float) -> np.ndarray:
    """Centres of windows about `step` apart, evenly spread over `length` pixels or frames.

    A window reaches from `before` its centre to `after` it, the last exclusive, and lies wholly
    inside. Returns (windows,) int64; none where `length` is shorter than a window.
    """
    first, last = before, length - after
    if last < first:
        return np.empty(0, np.int64)
    return np.rint(np.linspace(first, last, 1 + round((last - first) / step))).astype(np.int64)


def path(distances: np.ndarray) -> np.ndarray:
    """The sheet window of every audio window by dynamic time warping: (audio windows,).

    distances: (sheet windows, audio windows). The path runs from corner to corner in steps along
    either side or both, each of which costs the distance where it ends; of several sheet windows
    in a column the first is taken.
    """
    _, steps = librosa.sequence.dtw(C=distances.astype(np.float64))
    found = np.full(distances.shape[1], len(distances))
    np.minimum.at(found, steps[:, 1], steps[:, 0])
    return found


def measured(distance: np.ndarray, outside: np.ndarray) -> dict:
    """The numbers of ALIGNED of a piece from the distances (onsets,), px, and who is outside."""
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


def compare(
    frame: np.ndarray, x: np.ndarray, frames: np.ndarray, places: np.ndarray
) -> dict[str, dict]:
    """What onsets miss by, as `measured`, for each of METHODS.

    frame, x: (onsets,) true frame and place (px); frames, places: (windows,) frames of the audio
    windows, ascending, and the places in the strip (px) that the path maps them to. Between
    windows places are interpolated; beyond the first and last one they stay what they are there.
    """
    outside = (frame < frames[0]) | (frame > frames[-1])
    error = np.abs(np.interp(frame, frames, places) - x)
    line = np.interp(frame, frames[[0, -1]], places[[0, -1]])
    errors = (error, np.where(outside, 0.0, error), np.abs(line - x))
    return {method: measured(own, outside) for method, own in zip(METHODS, errors, strict=True)}


# --- the experiment --------------------------------------------------------------------------
def align(
    weights: Path | str,
    shards: list[Path | str],
    out: Path | str,
    *,
    precision: str = "bf16-mixed",
    accelerator: str = "auto",
) -> None:
    """Lay every recording along its strip and write the table `ALIGNED` to `out`.

    weights: what `refine` or `train` wrote; shards: Parquet files that hold each piece once. A
    piece shorter than a window, or too long for MOST_CELLS, is named on the standard error and
    left out. The straight line of `line` runs through the same two ends as the path: from the
    first pair of windows to the last, and level beyond.
    Raises ValueError where the shards do not fit or no piece is left.
    """
    fabric, module = ready(weights, precision, accelerator)
    data = sampling.read(shards)
    rows = []
    played = performances(data)
    for piece, name in enumerate(tqdm(data.pieces, desc="align", unit="piece", disable=None)):
        try:
            frames, places = _path(fabric, module, data, piece, played[piece])
        except ValueError as error:
            tqdm.write(f"{name}: left out, {error}", file=sys.stderr)
            continue
        own = data.piece == piece
        for method, numbers in compare(data.frame[own], data.x[own], frames, places).items():
            rows.append({"model": module.name, "method": method, "piece_id": name} | numbers)
    if not rows:
        raise ValueError("no piece could be aligned")
    tables.write(rows, ALIGNED, out)


def _path(fabric, module, data, piece: int, performance: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames of the audio windows of a piece, and where in the strip (px) they are found."""
    half = SNIPPET_WIDTH_PX // 2
    past = module.context // 2
    x = window_places(data.width[piece], half, half, STEP_PX)
    frames = window_places(data.frames[performance], past, module.context - past, STEP_FRAMES)
    if not len(x) or not len(frames):
        raise ValueError("the strip or the recording is shorter than what the network sees")
    if len(x) * len(frames) > MOST_CELLS:
        raise ValueError(f"{len(x):,} x {len(frames):,} distances are more than {MOST_CELLS:,}")
    images = batches(data.snippets_at, np.full(len(x), piece), x)
    excerpts = batches(
        lambda *own: data.excerpts_at(*own, module.context),
        np.full(len(frames), performance),
        frames,
    )
    sheet = sheet_vectors(fabric, module, images)
    audio = audio_vectors(fabric, module, excerpts)
    return frames, x[path(1 - sheet @ audio.T)]
