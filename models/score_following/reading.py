"""Read the training examples of score following from Parquet shards.

A shard's row is one performance of a piece.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from models import dataset
from models.score_following.sampling import SPECTROGRAM_TYPE, Examples
from pipeline.constants import EXCERPT_FRAMES, SCORE_FOLLOWING, STAFF_HEIGHT_PX, STAFF_WIDTH_PX
from pipeline.images import grey

_PER_EXAMPLE = ("note_id", "frame", "image", "x", "first_frame", "last_frame")


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


class _Reader:
    """Collects arrays row by row; `read` joins them."""

    def __init__(self, parts: list[dataset.Part]):
        self.parts = parts
        self.splits: set[str] = set()
        self.pieces: dict[str, int] = {}
        self.staves: dict[tuple, int] = {}  # (piece, PNG's digest, ends) -> row of images
        self.images: list[np.ndarray] = []
        self.performances: list[tuple[int, str, float]] = []  # start, font, tempo_ratio
        self.examples: list[dict[str, np.ndarray]] = []
        # Untouched pages of zeros cost no memory, so an upper bound will do.
        bound = sum(
            dataset.count_values(part, "spectrogram") // SCORE_FOLLOWING.bins for part in parts
        )
        gaps = EXCERPT_FRAMES * (1 + sum(map(dataset.count_rows, parts)))
        self.spectrogram = np.zeros((bound + gaps, SCORE_FOLLOWING.bins), SPECTROGRAM_TYPE)
        self.end = EXCERPT_FRAMES  # first free row; zeros lie between recordings

    def read(self) -> Examples:
        for part in self.parts:
            for row in dataset.shard_rows(part):
                try:
                    self.add(row)
                except ValueError as error:
                    raise ValueError(f"{part[0]}: {row['piece_id']}: {error}") from None
        names = ", ".join(str(path) for path, _ in self.parts) or "no file given"
        if not self.examples:
            raise ValueError(f"no examples in the shards ({names})")
        joined = {
            name: np.concatenate([part[name] for part in self.examples])
            for name in self.examples[0]
        }
        start, font, tempo_ratio = zip(*self.performances, strict=True)
        ends = np.array([key[2:] for key in self.staves], np.float32)
        return Examples(
            split=self.splits.pop(),
            pieces=list(self.pieces),
            images=np.stack(self.images),
            left=ends[:, 0],
            right=ends[:, 1],
            spectrogram=self.spectrogram[: self.end],
            start=np.array(start),
            font=list(font),
            tempo_ratio=np.array(tempo_ratio, np.float32),
            **joined,
        )

    def add(self, row: dict) -> None:
        """Add one performance."""
        self.splits.add(row["split"])
        if len(self.splits) > 1:
            raise ValueError(f"shards of several splits, {sorted(self.splits)}, are mixed")
        if (row["fps"], row["bins"]) != (SCORE_FOLLOWING.fps, SCORE_FOLLOWING.bins):
            raise ValueError(
                f"spectrogram of {row['fps']} frames a second and {row['bins']} bins; the network "
                f"takes {SCORE_FOLLOWING.fps} and {SCORE_FOLLOWING.bins}"
            )
        kept = [index for index, reason in enumerate(row["reason"]) if reason is None]
        if not kept:
            return
        columns = {name: np.array([row[name][index] for index in kept]) for name in _PER_EXAMPLE}
        spectrogram = row["spectrogram"].reshape(-1, SCORE_FOLLOWING.bins)
        if columns["frame"].min() < 0 or columns["frame"].max() >= len(spectrogram):
            raise ValueError(f"an onset lies outside the recording of {len(spectrogram)} frames")
        piece = self.pieces.setdefault(row["piece_id"], len(self.pieces))
        staves = {image: self.staff(piece, row, image) for image in set(columns["image"].tolist())}
        self.spectrogram[self.end : self.end + len(spectrogram)] = spectrogram
        columns["staff"] = np.array([staves[image] for image in columns["image"].tolist()])
        columns["piece"] = np.full(len(columns["x"]), piece)
        columns["performance"] = np.full(len(columns["x"]), len(self.performances))
        self.examples.append(columns)
        self.performances.append((self.end, row["font"], row["tempo_ratio"]))
        self.end += len(spectrogram) + EXCERPT_FRAMES

    def staff(self, piece: int, row: dict, image: int) -> int:
        """Index of a staff's image, which is decoded the first time that a piece shows it."""
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
