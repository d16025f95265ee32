"""Read the training examples of score following from Parquet shards.

A shard's row is one performance of a piece.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from models import dataset
from models.reading import Reader
from models.score_following.sampling import Examples
from pipeline.constants import EXCERPT_FRAMES, SCORE_FOLLOWING, STAFF_HEIGHT_PX, STAFF_WIDTH_PX
from pipeline.images import grey


def read_examples(paths: Iterable[Path | str]) -> Examples:
    """Read the shards of one split; only onsets whose `reason` is null become examples.

    Args:
        paths: Parquet files.

    Raises:
        ValueError: naming the file, if its columns, spectrogram settings or image sizes differ from
            the expected ones, shards of several splits are mixed, an onset lies outside its
            recording, or there is no example.
    """
    return read_parts([dataset.whole(path) for path in paths])


def read_parts(parts: list[dataset.Part]) -> Examples:
    """Read parts of the shards of one split; see `read_examples`."""
    return _Reader(parts).read()


class _Reader(Reader[Examples]):
    """Decodes each image of a staff once."""

    settings = SCORE_FOLLOWING
    gap = EXCERPT_FRAMES
    per_example = ("note_id", "frame", "image", "x", "first_frame", "last_frame")

    def __init__(self, parts: list[dataset.Part]):
        super().__init__(parts)
        self.pieces: dict[str, int] = {}
        self.staves: dict[tuple, int] = {}  # (piece, PNG's digest, ends) -> row of images
        self.images: list[np.ndarray] = []

    def joined(self, **shared) -> Examples:
        ends = np.array([key[2:] for key in self.staves], np.float32)
        return Examples(
            pieces=list(self.pieces),
            images=np.stack(self.images),
            left=ends[:, 0],
            right=ends[:, 1],
            **shared,
        )

    def printed(self, row: dict, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        piece = self.pieces.setdefault(row["piece_id"], len(self.pieces))
        images = columns["image"].tolist()
        staves = {image: self.staff(piece, row, image) for image in set(images)}
        return {
            "staff": np.array([staves[image] for image in images]),
            "piece": np.full(len(images), piece),
        }

    def staff(self, piece: int, row: dict, image: int) -> int:
        """Index of a staff's image."""
        png = row["images"][image]
        ends = (row["left"][image], row["right"][image])
        key = (piece, hashlib.sha256(png).digest(), *ends)
        if key not in self.staves:
            pixels = grey(png)
            height, width = pixels.shape
            if (width, height) != (STAFF_WIDTH_PX, STAFF_HEIGHT_PX):
                raise ValueError(
                    f"staff image {image} is {width} x {height} px, "
                    f"not {STAFF_WIDTH_PX} x {STAFF_HEIGHT_PX}"
                )
            self.images.append(pixels)
            self.staves[key] = len(self.staves)
        return self.staves[key]
