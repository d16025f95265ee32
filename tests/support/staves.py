"""Tiny shards of made-up music, for the tests of the learning half."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from models.score_following.matching import PT
from models.score_following.network import Network
from pipeline import tables
from pipeline.constants import (
    BUCKET_PX,
    BUCKETS,
    EXCERPT_FRAMES,
    SCORE_FOLLOWING,
    STAFF_HEIGHT_PX,
    STAFF_WIDTH_PX,
)

STAFF_LINES = range(13, 28, 3)  # rows, px
FRAMES_PER_NOTE = 8


def png(image: np.ndarray) -> bytes:
    """A grey image (height, width) uint8 as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def performance(
    piece_id: str,
    *,
    split: str = "train",
    font: str = "grand",
    tempo_ratio: float = 1.0,
    staves: int = 2,
    notes_per_staff: int = 12,
    seed: int = 0,
    **changes,
) -> dict:
    """A shard's row in which a note of pitch class p stands at height p and sounds in band p.

    `changes` replace columns. The first five notes lack a full past, as in a real shard.
    """
    random = np.random.default_rng(seed)
    count = staves * notes_per_staff
    step = int((BUCKETS - 4) / notes_per_staff) * BUCKET_PX
    heights = random.integers(0, 12, count)
    image = np.repeat(np.arange(staves), notes_per_staff)
    x = 3.5 * BUCKET_PX + step * np.tile(np.arange(notes_per_staff), staves)
    frame = 10 + FRAMES_PER_NOTE * np.arange(count)
    images = np.full((staves, STAFF_HEIGHT_PX, STAFF_WIDTH_PX), 255, np.uint8)
    images[:, list(STAFF_LINES)] = 0
    spectrogram = np.zeros((frame[-1] + 30, SCORE_FOLLOWING.bins), np.float32)
    for note in range(count):
        row, column = 6 + 2 * heights[note], int(x[note])
        images[image[note], row : row + 3, column - 2 : column + 2] = 0
        band = slice(10 * heights[note] + 5, 10 * heights[note] + 9)
        spectrogram[frame[note] : frame[note] + FRAMES_PER_NOTE, band] = 1.0
    first = frame.reshape(staves, -1)[:, 0]
    last = frame.reshape(staves, -1)[:, -1]
    row = {
        "piece_id": piece_id,
        "split": split,
        "font": font,
        "tempo_ratio": tempo_ratio,
        "fps": SCORE_FOLLOWING.fps,
        "bins": SCORE_FOLLOWING.bins,
        "spectrogram": spectrogram.ravel(),
        "images": [png(one) for one in images],
        "left": [7.0] * staves,
        "right": [382.0] * staves,
        "note_id": np.arange(count),
        "onset_s": frame / SCORE_FOLLOWING.fps,
        "frame": frame,
        "image": image,
        "x": x,
        "pitch": 60 + heights,
        "first_frame": first[image],
        "last_frame": last[image],
        "reason": [None if f >= 34 else "too early" for f in frame],
    }
    return row | changes


def write_shard(path: Path, rows: list[dict]) -> Path:
    """Write rows as a shard."""
    tables.write(rows, tables.SHARDS, path, row_group=2)
    return path


# Widths of a network that trains in a moment.
NARROW = {"sheet_channels": (2, 2, 2, 2), "audio_channels": (2, 2, 2, 2), "dense_units": 8}


def narrow() -> Network:
    """A network of few weights."""
    return Network(**NARROW)


def narrow_matching() -> PT:
    """Our matching network, of few weights."""
    return PT(channels=(2, 2, 2, 4, 4), width=8)


def inputs(staves: int, notes: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random images, excerpts and image index as the network takes them."""
    random = torch.Generator().manual_seed(0)
    images = torch.rand(staves, 1, STAFF_HEIGHT_PX, STAFF_WIDTH_PX, generator=random)
    excerpts = torch.rand(notes, 1, SCORE_FOLLOWING.bins, EXCERPT_FRAMES, generator=random)
    return images, excerpts, torch.arange(notes) * staves // notes
