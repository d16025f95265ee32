"""Read the training examples of retrieval from Parquet shards.

A shard's row is one performance of a piece.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from models import dataset
from models.reading import Reader
from models.retrieval.sampling import MARGIN_PX, SILENCE_FRAMES, Examples
from pipeline.constants import RETRIEVAL, STRIP_HEIGHT_PX, WHITE
from pipeline.images import grey


def read_examples(paths: Iterable[Path | str]) -> Examples:
    """Read the shards of one split; every onset whose `reason` is null becomes an example.

    Args:
        paths: Parquet files.

    Raises:
        ValueError: naming the file and the piece, if columns or spectrogram settings differ from
            the expected ones, shards of several splits are mixed, a strip is missing, corrupt, of
            another height, or not that of the piece's other performances, an onset lies outside
            its recording or strip, or there is no example.
    """
    return read_parts([dataset.whole(path) for path in paths])


def read_parts(parts: list[dataset.Part]) -> Examples:
    """Read parts of the shards of one split; see `read_examples`."""
    return _Reader(parts).read()


class _Reader(Reader[Examples]):
    """Decodes each strip once, at the piece's first performance."""

    settings = RETRIEVAL
    gap = SILENCE_FRAMES
    per_example = ("note_id", "onset_s", "frame", "x")

    def __init__(self, parts: list[dataset.Part]):
        super().__init__(parts)
        self.pieces: dict[str, bytes] = {}  # piece_id -> digest of its strip's PNG
        self.index: dict[str, int] = {}  # piece_id -> index of the piece
        self.strips: list[np.ndarray] = []

    def joined(self, **shared) -> Examples:
        return Examples(
            pieces=list(self.pieces),
            strips=self.strips,
            width=np.array([strip.shape[1] - 2 * MARGIN_PX for strip in self.strips]),
            frames=np.array([frames for _, frames, *_ in self.performances]),
            **shared,
        )

    def printed(self, row: dict, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        piece = self.piece(row)
        width = self.strips[piece].shape[1] - 2 * MARGIN_PX
        x = columns["x"].astype(np.float32)
        if not (x.min() >= 0 and x.max() < width):
            raise ValueError(f"an onset lies outside the strip of {width} px")
        return {"x": x, "piece": np.full(len(x), piece)}

    def piece(self, row: dict) -> int:
        """Index of a row's piece."""
        if len(row["images"]) != 1:
            raise ValueError(f"{len(row['images'])} images instead of one strip")
        name, digest = row["piece_id"], hashlib.sha256(row["images"][0]).digest()
        if name not in self.pieces:
            strip = decode_strip(row["images"][0])
            if row["right"] != [strip.shape[1]]:
                raise ValueError(f"right is {row['right']}, but the strip has {strip.shape[1]} px")
            margins = ((0, 0), (MARGIN_PX, MARGIN_PX))
            self.index[name] = len(self.strips)
            self.strips.append(np.pad(strip, margins, constant_values=WHITE))
        elif self.pieces[name] != digest:
            raise ValueError("a different strip than in a row before; shards of two runs are mixed")
        self.pieces[name] = digest
        return self.index[name]


def decode_strip(png: bytes) -> np.ndarray:
    """Pixels of a strip in a shard: (200, width) uint8, white 255.

    Of a taller strip, which a score of several staves has, they are the 200 rows in the middle.

    Raises:
        ValueError: if it cannot be decoded or is lower.
    """
    try:
        strip = grey(png)
    except ValueError as error:
        raise ValueError(f"the strip: {error}") from None
    if len(strip) < STRIP_HEIGHT_PX:
        raise ValueError(f"the strip is {len(strip)} px high, less than {STRIP_HEIGHT_PX}")
    above = (len(strip) - STRIP_HEIGHT_PX) // 2
    return strip[above : above + STRIP_HEIGHT_PX]
