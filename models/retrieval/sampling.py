"""Examples from Parquet shards, and how far augmentation may change them.

A shard's row is one performance of a piece. Strips and recordings are held once each; the window
of sheet and the excerpt of audio about an onset are cut when they are asked for.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from models import dataset
from pipeline.constants import (
    CONTEXTS,
    RETRIEVAL,
    SNIPPET_FACTOR,
    SNIPPET_HEIGHT_PX,
    SNIPPET_WIDTH_PX,
    STRETCH_WIDTH_PX,
    STRIP_HEIGHT_PX,
    WHITE,
)
from pipeline.images import grey
from pipeline.strips import Cropping

SPECTROGRAM_TYPE = np.float16  # half the memory; exact to 1/1000 of log10(1+|X|)
SILENCE_FRAMES = max(CONTEXTS.values())  # zeros before, between and after recordings
MARGIN_PX = 128  # white on either side of a strip: half a snippet, shrunk by up to a fifth
_FULL = SNIPPET_FACTOR**2 * WHITE  # sum of the pixels that become one white pixel
_PER_EXAMPLE = ("note_id", "frame", "x")


def _reach(scale: np.ndarray, shift: np.ndarray) -> str:
    """What keeps these scales and vertical shifts (px) from being cut; empty where nothing does."""
    up_down = (SNIPPET_HEIGHT_PX // 2 + np.abs(shift)) / scale
    if np.max(up_down, initial=0) > STRIP_HEIGHT_PX // 2:
        return f"the snippet leaves the strip's {STRIP_HEIGHT_PX} rows"
    if np.max(SNIPPET_WIDTH_PX // 2 / scale, initial=0) > MARGIN_PX:
        return f"the snippet leaves the strip's margins of {MARGIN_PX} px"
    return ""


@dataclass(frozen=True)
class Augmentation:
    """How far an example may be changed, every value in the range being as likely (B 3.1).

    Raises ValueError for a range that a strip's rows and margins cannot serve.
    """

    scale: tuple[float, float] = (0.95, 1.05)  # of height and width of the sheet alike
    shift_px: int = 5  # up or down, before the snippet is halved
    shift_frames: int = 1  # of the audio, earlier or later

    def __post_init__(self):
        low, high = self.scale
        if not 0 < low <= high or min(self.shift_px, self.shift_frames) < 0:
            raise ValueError(f"{self}: a range runs from low to high, a shift is not negative")
        reach = _reach(np.array(low), np.array(self.shift_px))
        if reach or self.shift_frames > SILENCE_FRAMES // 2:
            raise ValueError(f"{self}: {reach or 'the shift leaves the recording'}")


NO_AUGMENTATION = Augmentation(scale=(1.0, 1.0), shift_px=0, shift_frames=0)


@dataclass
class Examples:
    """All onsets of one split. Frames count from the start of their performance's recording.

    Per piece: `strips`, (200, 128 + width + 128) uint8, its strip with white to left and right,
    and `width` of the strip itself.
    Per performance: `start`, the row of `spectrogram` that is its frame 0, and its `frames`.
    `spectrogram`: (rows, 92), every recording with 168 frames of zeros before and after it.
    Per example, (examples,) each: the rest.
    """

    split: str
    pieces: list[str]  # piece_id by piece index
    strips: list[np.ndarray]
    width: np.ndarray  # px
    spectrogram: np.ndarray
    start: np.ndarray
    frames: np.ndarray
    font: list[str]  # by performance
    tempo_ratio: np.ndarray  # by performance
    piece: np.ndarray  # index into pieces
    performance: np.ndarray
    note_id: np.ndarray
    frame: np.ndarray
    x: np.ndarray  # px from the left end of the strip

    def __len__(self) -> int:
        return len(self.x)

    def fingerprint(self) -> str:
        """A digest that differs where the examples, their strips or their recordings do."""
        digest = hashlib.sha256(repr((self.split, self.pieces, self.font)).encode())
        per_example = [getattr(self, name) for name in ("piece", "performance", *_PER_EXAMPLE)]
        for value in (*self.strips, self.spectrogram, self.frames, self.tempo_ratio, *per_example):
            digest.update(np.ascontiguousarray(value))
        return digest.hexdigest()

    def memory(self) -> int:
        """Bytes of recordings and strips."""
        return self.spectrogram.nbytes + sum(strip.nbytes for strip in self.strips)

    def inside(self, context: int) -> np.ndarray:
        """Which examples have all of their snippet and excerpt, (examples,) bool; see `inside`."""
        frames, width = self.frames[self.performance], self.width[self.piece]
        return inside(self.frame, frames, self.x, width, context)

    def snippet_batch(
        self,
        examples: np.ndarray,
        cropping: Cropping = "padded",
        scale: np.ndarray | None = None,
        shift: np.ndarray | None = None,
    ) -> np.ndarray:
        """The sheet about n examples as the network wants it: (n, 1, 80, 100) float32, white 1.

        scale: (n,) sizes of the image, 1 as printed; shift: (n,) whole px that it is moved up.
        """
        pieces = self.piece[examples]
        columns = self._columns(pieces, self.x[examples], cropping)
        return self._snippets(pieces, columns, scale, shift)

    def snippets_at(self, pieces: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The sheet about n places x (px) of strips, cut as `padded`: (n, 1, 80, 100) float32.

        Raises ValueError for a place outside its strip.
        """
        return self._snippets(pieces, self._columns(pieces, x, "padded"), None, None)

    def excerpt_batch(
        self, examples: np.ndarray, context: int, shift: np.ndarray | None = None
    ) -> np.ndarray:
        """The audio about n examples: (n, 1, 92, context) float32, bins x frames.

        The onset is in column context // 2; shift: (n,) whole frames that it is cut later.
        """
        return self._excerpts(self.performance[examples], self.frame[examples], context, shift)

    def excerpts_at(self, performances: np.ndarray, frames: np.ndarray, context: int) -> np.ndarray:
        """The audio about n frames of recordings: (n, 1, 92, context) float32, zeros beyond.

        Raises ValueError for a frame outside its recording, or a context above 168 frames.
        """
        return self._excerpts(performances, frames, context, None)

    def onsets_within(self, examples: np.ndarray, context: int) -> np.ndarray:
        """How many onsets of the performance are up to context / 2 frames away, (n,), itself one.

        This is what Figure 4 of B calls the number of onsets.
        """
        apart = int(self.frames.max()) + context
        onsets = np.sort(self.performance * apart + self.frame)
        own = (self.performance * apart + self.frame)[examples]
        last = np.searchsorted(onsets, own + context // 2, side="right")
        return last - np.searchsorted(onsets, own - context // 2, side="left")

    def _columns(self, pieces: np.ndarray, x: np.ndarray, cropping: Cropping) -> np.ndarray:
        """Column of the strip in the middle of each snippet, as `pipeline.strips.snippet` has it.

        Raises ValueError, naming the piece, where there is none.
        """
        if cropping not in get_args(Cropping):
            raise ValueError(
                f"cropping is {cropping}; it is one of {', '.join(get_args(Cropping))}"
            )
        width = self.width[pieces]
        column = np.floor(x).astype(np.int64)
        if (outside := (column < 0) | (column >= width)).any():
            at = int(np.argmax(outside))
            raise ValueError(
                f"{self.pieces[pieces[at]]}: x is {x[at]}, outside a strip of {width[at]} px"
            )
        if cropping == "padded":
            return column
        if (narrow := width <= SNIPPET_WIDTH_PX).any():
            at = int(np.argmax(narrow))
            raise ValueError(
                f"{self.pieces[pieces[at]]}: a strip of {width[at]} px is too narrow for a "
                "snippet of 2019"
            )
        stretch = np.minimum(STRETCH_WIDTH_PX, width)
        left = np.clip(column - STRETCH_WIDTH_PX // 2, 0, width - stretch)
        return left + stretch // 2

    def _snippets(
        self,
        pieces: np.ndarray,
        columns: np.ndarray,
        scale: np.ndarray | None,
        shift: np.ndarray | None,
    ) -> np.ndarray:
        """Windows about columns of strips, resized by nearest neighbour, then halved.

        Pixel (i, j) of a window is the strip's pixel nearest to row 100 + (i - 80 + shift) / scale
        and column c + (j - 100) / scale. Two rows become one, as 16-bit sums, before columns are
        picked, which halves the dear part: picking single numbers.
        """
        count = len(columns)
        scale = np.ones(count) if scale is None else scale
        shift = np.zeros(count, np.int64) if shift is None else shift
        if reach := _reach(scale, shift):
            raise ValueError(reach)
        rows = STRIP_HEIGHT_PX // 2 + _nearest(SNIPPET_HEIGHT_PX, scale, shift)
        across = _nearest(SNIPPET_WIDTH_PX, scale, np.zeros(count, np.int64))
        first = MARGIN_PX + columns + across[:, 0]
        across -= across[:, :1]
        height, width = SNIPPET_HEIGHT_PX // 2, SNIPPET_WIDTH_PX // 2
        sums = np.empty((count, 1, height, width), np.uint16)
        for index, (piece, left) in enumerate(zip(pieces.tolist(), first.tolist(), strict=True)):
            strip = self.strips[piece][:, left : left + across[index, -1] + 1]
            picked = strip[rows[index]]
            pairs = np.add(picked[0::2], picked[1::2], dtype=np.uint16)
            picked = pairs.take(across[index], axis=1)
            np.add(picked[:, 0::2], picked[:, 1::2], out=sums[index, 0])
        return np.divide(sums, _FULL, dtype=np.float32)

    def _excerpts(
        self,
        performances: np.ndarray,
        frames: np.ndarray,
        context: int,
        shift: np.ndarray | None,
    ) -> np.ndarray:
        length = self.frames[performances]
        if (outside := (frames < 0) | (frames >= length)).any():
            at = int(np.argmax(outside))
            raise ValueError(f"frame {frames[at]} is outside a recording of {length[at]} frames")
        if context > SILENCE_FRAMES:
            raise ValueError(f"a context of {context} frames; {SILENCE_FRAMES} is the longest")
        first = self.start[performances] + frames - context // 2
        first = first if shift is None else first + shift
        cut = np.empty((len(frames), 1, RETRIEVAL.bins, context), SPECTROGRAM_TYPE)
        for index, row in enumerate(first.tolist()):
            cut[index, 0] = self.spectrogram[row : row + context].T
        return torch.from_numpy(cut).float().numpy()  # several times as fast as astype


def inside(
    frame: np.ndarray, frames: np.ndarray, x: np.ndarray, width: np.ndarray, context: int
) -> np.ndarray:
    """Whether an onset has all of its snippet and excerpt: the rule of B's experiments.

    frame: of the onset, in a recording of `frames`; x: of the onset (px), in a strip of `width`.
    Like theirs it gives away an excerpt that would end with the recording's last frame.
    """
    first, half = frame - context // 2, SNIPPET_WIDTH_PX // 2
    return (first >= 0) & (first + context < frames) & (x - half >= 0) & (x + half < width)


def _nearest(length: int, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Which pixel, from the middle, each of `length` pixels of a resized window shows, (n, length).

    scale, shift: (n,). Halves are rounded up.
    """
    position = np.arange(length) - length // 2 + shift[:, None]
    return np.floor(position / scale[:, None] + 0.5).astype(np.int64)


def check_settings(fps: float, bins: int) -> None:
    """Raise ValueError where a row's spectrogram is not made as the networks want it."""
    if (fps, bins) != (RETRIEVAL.fps, RETRIEVAL.bins):
        raise ValueError(
            f"spectrogram of {fps} frames a second and {bins} bins; the network wants "
            f"{RETRIEVAL.fps} and {RETRIEVAL.bins}"
        )


def read(paths: Iterable[Path | str]) -> Examples:
    """Read the shards of one split; every onset whose `reason` is null becomes an example.

    Raises ValueError, naming the file and the piece, for another schema, other spectrogram
    settings, several splits, a strip that is missing, broken, of another height, or not that of
    the piece's other performances, an onset outside its recording or strip, or no example at all.
    """
    return read_parts([dataset.whole(path) for path in paths])


def read_parts(parts: list[dataset.Part]) -> Examples:
    """Read parts of the shards of one split; see `read`."""
    return _Reader(parts).read()


class _Reader:
    """Gathers arrays row by row; `read` joins them."""

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
        bound = sum(dataset.values(part, "spectrogram") // RETRIEVAL.bins for part in parts)
        gaps = SILENCE_FRAMES * (1 + sum(map(dataset.length, parts)))
        self.spectrogram = np.zeros((bound + gaps, RETRIEVAL.bins), SPECTROGRAM_TYPE)
        self.end = SILENCE_FRAMES  # first free row

    def read(self) -> Examples:
        for part in self.parts:
            for row in dataset.rows(part):
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
        """Take one performance in."""
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
        """Index of a row's piece, whose strip is decoded the first time that it is performed."""
        if len(row["images"]) != 1:
            raise ValueError(f"{len(row['images'])} images where one strip is wanted")
        name, digest = row["piece_id"], hashlib.sha256(row["images"][0]).digest()
        if name not in self.pieces:
            strip = _strip(row["images"][0])
            if row["right"] != [strip.shape[1]]:
                raise ValueError(f"right is {row['right']}, but the strip has {strip.shape[1]} px")
            margins = ((0, 0), (MARGIN_PX, MARGIN_PX))
            self.index[name] = len(self.strips)
            self.strips.append(np.pad(strip, margins, constant_values=WHITE))
        elif self.pieces[name] != digest:
            raise ValueError("another strip than in a row before; shards of two runs are mixed")
        self.pieces[name] = digest
        return self.index[name]


def _strip(png: bytes) -> np.ndarray:
    """A strip's pixels, (200, width) uint8. Raises ValueError for anything else."""
    strip = grey(png)
    if len(strip) != STRIP_HEIGHT_PX:
        raise ValueError(f"the strip is {len(strip)} px high, not {STRIP_HEIGHT_PX}")
    return strip
