"""Where in the score does the music stand: a recording laid along its strip.

Windows slide over the strip and over the recording from end to end, filled up with white and with
silence beyond. Dynamic time warping finds the path of least distance between their vectors, from
the first pair of windows to the last; a frame's place in the strip is read off the path.

As published, only windows that lie wholly inside are used, and an onset before the first or after
the last one counts as no error at all. That flatters the more, the longer the windows are; it is
reported beside ours.

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
# Cells of a matrix of distances, 28 bytes each while the path is sought: 1.9 GB. An hour of music
# over 18,000 px, 24 lines of print, has as many.
MOST_CELLS = 2**26
METHODS = ("network", "published", "line")


ALIGNED = pa.schema(
    [
        tables.field("model", pa.string(), "name of the network"),
        tables.field(
            "method",
            pa.string(),
            "network; published: of windows inside, an onset beyond them is no error; line: even "
            "tempo, a straight line from end to end",
        ),
        tables.SHARDS.field("piece_id"),
        tables.field("onsets", pa.int32(), "in the piece"),
        tables.field("outside", pa.int32(), "of them, those that the path does not reach"),
        tables.field("mean_px", pa.float64(), "mean distance of true and found place", "px"),
        tables.field("median_px", pa.float64(), "median distance of true and found place", "px"),
        tables.field("mean_percent", pa.float64(), "of the width of a page", "%"),
        tables.field("median_percent", pa.float64(), "of the width of a page", "%"),
        tables.field("within", pa.float64(), "share of the onsets at most 25 px off"),
    ]
)


# --- the path --------------------------------------------------------------------------------
def window_places(length: int, step: float) -> np.ndarray:
    """Centres of windows about `step` apart, evenly from the first to the last of `length` pixels
    or frames: (windows,) int64."""
    count = 1 + round((length - 1) / step)
    return np.rint(np.linspace(0, length - 1, count)).astype(np.int64)


def inside(places: np.ndarray, length: int, before: int, after: int) -> np.ndarray:
    """Indices of the windows that reach beyond neither end of `length` pixels or frames.

    A window reaches from `before` its place to `after` it, the last exclusive.
    """
    return np.flatnonzero((places >= before) & (places + after <= length))


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


# --- errors ----------------------------------------------------------------------------------
def missed(
    frame: np.ndarray, x: np.ndarray, frames: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far off (px) each onset is found, and which ones the path does not reach, (onsets,) each.

    frame, x: (onsets,) true frame and place (px); frames, places: (windows,) frames of the audio
    windows, ascending, and the places in the strip (px) that the path maps them to. Between
    windows places are interpolated; beyond the first and last one they stay what they are there.
    """
    outside = (frame < frames[0]) | (frame > frames[-1])
    return np.abs(np.interp(frame, frames, places) - x), outside


def measured(distance: np.ndarray, outside: np.ndarray) -> dict:
    """The numbers of ALIGNED of a piece from what `missed` gives."""
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


def forgiven(distance: np.ndarray, outside: np.ndarray) -> dict:
    """`measured` as published: what the path does not reach is no error."""
    return measured(np.where(outside, 0.0, distance), outside)


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

    weights: what `refine` or `train` wrote; shards: Parquet files that hold each piece once. The
    baseline `line` is a straight line through the ends of the path, from the strip's first pixel
    at the recording's first frame to its last at the last. A piece too long for MOST_CELLS is
    named on the standard error and left out; one that is shorter than a window has no row
    `published`.
    Raises ValueError where the shards do not fit or no piece is left.
    """
    fabric, module = ready(weights, precision, accelerator)
    data = sampling.read(shards)
    played = performances(data)
    rows = []
    for piece, name in enumerate(tqdm(data.pieces, desc="align", unit="piece", disable=None)):
        found = _aligned(fabric, module, data, piece, played[piece])
        for method in METHODS:
            if isinstance(numbers := found[method], str):
                tqdm.write(f"{name}: left out of '{method}', {numbers}", file=sys.stderr)
            else:
                rows.append({"model": module.name, "method": method, "piece_id": name} | numbers)
    if not rows:
        raise ValueError("no piece could be aligned")
    tables.write(rows, ALIGNED, out)


def _aligned(fabric, module, data, piece: int, performance: int) -> dict[str, dict | str]:
    """For each method what `measured` says of a piece, or why there is nothing."""
    width, length = int(data.width[piece]), int(data.frames[performance])
    x, frames = window_places(width, STEP_PX), window_places(length, STEP_FRAMES)
    if len(x) * len(frames) > MOST_CELLS:
        reason = f"{len(x):,} x {len(frames):,} distances are more than {MOST_CELLS:,}"
        return dict.fromkeys(METHODS, reason)
    images = batches(data.snippets_at, np.full(len(x), piece), x)
    excerpts = batches(
        lambda *own: data.excerpts_at(*own, module.context),
        np.full(len(frames), performance),
        frames,
    )
    sheet = sheet_vectors(fabric, module, images)
    distances = 1 - sheet @ audio_vectors(fabric, module, excerpts).T

    own = data.piece == piece
    onsets = data.frame[own], data.x[own]
    half, past = SNIPPET_WIDTH_PX // 2, module.context // 2
    seen, heard = inside(x, width, half, half), inside(frames, length, past, module.context - past)
    published: dict | str = "strip or recording are shorter than a window"
    if len(seen) and len(heard):
        places = x[seen][path(distances[np.ix_(seen, heard)])]
        published = forgiven(*missed(*onsets, frames[heard], places))
    places = x[path(distances)]
    return {
        "network": measured(*missed(*onsets, frames, places)),
        "published": published,
        "line": measured(*missed(*onsets, np.array([0, length - 1]), np.array([0, width - 1]))),
    }
