"""Read the training examples of retrieval from Parquet shards.

A shard's row is one performance of a piece.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from models import dataset
from models.retrieval.sampling import MARGIN_PX, SILENCE_FRAMES, SPECTROGRAM_TYPE, Examples
from pipeline.constants import RETRIEVAL, STRIP_HEIGHT_PX, WHITE
from pipeline.images import grey

_PER_EXAMPLE = ("note_id", "frame", "x")


def check_settings(fps: float, bins: int) -> None:
    """Raise ValueError if a row's spectrogram has other settings than the networks take."""
    if (fps, bins) != (RETRIEVAL.fps, RETRIEVAL.bins):
        raise ValueError(
            f"spectrogram of {fps} frames a second and {bins} bins; the network takes "
            f"{RETRIEVAL.fps} and {RETRIEVAL.bins}"
        )


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


class _Reader:
    """Collects arrays row by row; `read` joins them."""

    def __init__(self, parts: list[dataset.Part]):
        self.parts = parts
        self.splits: set[str] = set()
        self.pieces: dict[str, bytes] = {}  # piece_id -> digest of its strip's PNG
        self.index: dict[str, int] = {}  # piece_id -> index of the piece
        self.strips: list[np.ndarray] = []
        self.performances: list[
            tuple[int, int, str, float]
        ] = []  # start, frames, font, tempo_ratio
        self.examples: list[dict[str, np.ndarray]] = []
        # Untouched pages of zeros cost no memory, so an upper bound will do.
        bound = sum(dataset.count_values(part, "spectrogram") // RETRIEVAL.bins for part in parts)
        gaps = SILENCE_FRAMES * (1 + sum(map(dataset.count_rows, parts)))
        self.spectrogram = np.zeros((bound + gaps, RETRIEVAL.bins), SPECTROGRAM_TYPE)
        self.end = SILENCE_FRAMES  # first free row

    def read(self) -> Examples:
        for part in self.parts:
            for row in dataset.shard_rows(part):
                try:
                    self.add(row)
                except ValueError as error:
                    raise ValueError(f"{part[0]}: {row['piece_id']}: {error}") from None
        if not self.examples:
            names = ", ".join(str(path) for path, _ in self.parts) or "no file given"
            raise ValueError(f"no examples in the shards ({names})")
        joined = {
            name: np.concatenate([part[name] for part in self.examples])
            for name in self.examples[0]
        }
        start, frames, font, tempo_ratio = zip(*self.performances, strict=True)
        return Examples(
            split=self.splits.pop(),
            pieces=list(self.pieces),
            strips=self.strips,
            width=np.array([strip.shape[1] - 2 * MARGIN_PX for strip in self.strips]),
            spectrogram=self.spectrogram[: self.end],
            start=np.array(start),
            frames=np.array(frames),
            font=list(font),
            tempo_ratio=np.array(tempo_ratio, np.float32),
            **joined,
        )

    def add(self, row: dict) -> None:
        """Add one performance."""
        self.splits.add(row["split"])
        if len(self.splits) > 1:
            raise ValueError(f"shards of several splits, {sorted(self.splits)}, are mixed")
        check_settings(row["fps"], row["bins"])
        kept = [index for index, reason in enumerate(row["reason"]) if reason is None]
        if not kept:
            return
        columns = {name: np.array([row[name][index] for index in kept]) for name in _PER_EXAMPLE}
        spectrogram = row["spectrogram"].reshape(-1, RETRIEVAL.bins)
        if columns["frame"].min() < 0 or columns["frame"].max() >= len(spectrogram):
            raise ValueError(f"an onset lies outside the recording of {len(spectrogram)} frames")
        piece = self.piece(row)
        width = self.strips[piece].shape[1] - 2 * MARGIN_PX
        columns["x"] = columns["x"].astype(np.float32)
        if not (columns["x"].min() >= 0 and columns["x"].max() < width):
            raise ValueError(f"an onset lies outside the strip of {width} px")
        self.spectrogram[self.end : self.end + len(spectrogram)] = spectrogram
        columns["piece"] = np.full(len(kept), piece)
        columns["performance"] = np.full(len(kept), len(self.performances))
        self.examples.append(columns)
        self.performances.append((self.end, len(spectrogram), row["font"], row["tempo_ratio"]))
        self.end += len(spectrogram) + SILENCE_FRAMES

    def piece(self, row: dict) -> int:
        """Index of a row's piece, whose strip is decoded at its first performance."""
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
