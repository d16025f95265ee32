"""Training examples of retrieval, in memory: strips, recordings and onsets, and their augmentation.

Strips and recordings are held once each; the snippet of the sheet and the excerpt of the audio
around an onset are cropped on demand.
"""

import hashlib
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch

from models.dataset import SPECTROGRAM_TYPE
from pipeline.constants import (
    CONTEXTS,
    CROP_WIDTH_PX,
    RETRIEVAL,
    SNIPPET_FACTOR,
    SNIPPET_HEIGHT_PX,
    SNIPPET_WIDTH_PX,
    STRIP_HEIGHT_PX,
    WHITE,
)
from pipeline.strips import Cropping

SILENCE_FRAMES = max(CONTEXTS.values())  # zeros before, between and after recordings
MARGIN_PX = 128  # white on either side of a strip: half a snippet, shrunk by up to a fifth
_FULL = SNIPPET_FACTOR**2 * WHITE  # sum of the pixels that become one white pixel
_PER_EXAMPLE = ("note_id", "frame", "x")


def _reach(scale: np.ndarray, shift: np.ndarray) -> str:
    """Why scales and vertical shifts (px) leave the strip; empty if they do not."""
    half_height = (SNIPPET_HEIGHT_PX // 2 + np.abs(shift)) / scale
    if np.max(half_height, initial=0) > STRIP_HEIGHT_PX // 2:
        return f"the snippet leaves the strip's {STRIP_HEIGHT_PX} rows"
    if np.max(SNIPPET_WIDTH_PX // 2 / scale, initial=0) > MARGIN_PX:
        return f"the snippet leaves the strip's margins of {MARGIN_PX} px"
    return ""


@dataclass(frozen=True)
class Augmentation:
    """Ranges of a training example's random changes, uniform (B 3.1); the authors' by default.

    Args:
        scale: lowest and highest size of the sheet image, 1 as printed.
        shift_px: the snippet is shifted up or down by up to so many px, before it is halved.
        shift_frames: the excerpt is shifted to and fro by up to so many frames.

    Raises:
        ValueError: if a range needs more than a strip's rows and margins.
    """

    scale: tuple[float, float] = (0.95, 1.05)
    shift_px: int = 5
    shift_frames: int = 1

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
    """All examples of one split; frames count from the start of a performance's recording."""

    split: str
    # of each piece
    pieces: list[str]  # piece_id
    strips: list[np.ndarray]  # (200, 128 + width + 128) uint8, white on either side
    width: np.ndarray  # px, of the strip itself
    # of each performance
    spectrogram: np.ndarray  # (rows, 92), all recordings, with 168 frames of zeros around each
    start: np.ndarray  # row of `spectrogram` that is frame 0
    frames: np.ndarray  # length
    font: list[str]
    tempo_ratio: np.ndarray
    # of each example
    piece: np.ndarray  # index into `pieces`
    performance: np.ndarray  # index into `start`
    note_id: np.ndarray
    onset_s: np.ndarray  # from the beginning of the recording
    frame: np.ndarray  # first one at or after the onset
    x: np.ndarray  # px from the left end of the strip

    def __len__(self) -> int:
        return len(self.x)

    def fingerprint(self) -> str:
        """A digest that differs if the examples, as training sees them, or their music do."""
        digest = hashlib.sha256(repr((self.split, self.pieces, self.font)).encode())
        per_example = [getattr(self, name) for name in ("piece", "performance", *_PER_EXAMPLE)]
        for value in (*self.strips, self.spectrogram, self.frames, self.tempo_ratio, *per_example):
            digest.update(np.ascontiguousarray(value))
        return digest.hexdigest()

    def memory(self) -> int:
        """Bytes that recordings and strips take."""
        return self.spectrogram.nbytes + sum(strip.nbytes for strip in self.strips)

    def inside(self, context: int) -> np.ndarray:
        """Which examples have a complete snippet and excerpt: (examples,) bool; see `inside`."""
        frames, width = self.frames[self.performance], self.width[self.piece]
        return inside(self.frame, frames, self.x, width, context)

    def strip(self, piece: int) -> np.ndarray:
        """The strip of a piece: (height, width) uint8."""
        return self.strips[piece][:, MARGIN_PX:-MARGIN_PX]

    def recording(self, performance: int) -> np.ndarray:
        """The spectrogram of a performance: (frames, 92) float32."""
        start = self.start[performance]
        return self.spectrogram[start : start + self.frames[performance]].astype(np.float32)

    def snippet_batch(
        self,
        examples: np.ndarray,
        cropping: Cropping = "padded",
        scale: np.ndarray | None = None,
        shift: np.ndarray | None = None,
    ) -> np.ndarray:
        """Snippets around examples, as the network takes them.

        Args:
            examples: (n,) indices.
            cropping: near the ends of a strip, see `pipeline.strips.snippet`.
            scale: (n,) sizes of the image, 1 as printed.
            shift: (n,) whole px that the image is moved up.

        Returns:
            (n, 1, 80, 100) float32, white 1 and ink 0.
        """
        pieces = self.piece[examples]
        columns = self._columns(pieces, self.x[examples], cropping)
        return self._snippets(pieces, columns, scale, shift)

    def snippets_at(self, pieces: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Snippets around any positions of strips, cropped as `padded`.

        Args:
            pieces: (n,) indices.
            x: (n,) px from the left end of the strip.

        Returns:
            (n, 1, 80, 100) float32, white 1 and ink 0.

        Raises:
            ValueError: if a position is outside its strip.
        """
        return self._snippets(pieces, self._columns(pieces, x, "padded"), None, None)

    def excerpt_batch(
        self, examples: np.ndarray, context: int, shift: np.ndarray | None = None
    ) -> np.ndarray:
        """Excerpts around examples, as the network takes them; the onset is in column context // 2.

        Args:
            examples: (n,) indices.
            context: frames of an excerpt.
            shift: (n,) whole frames that the excerpt begins later.

        Returns:
            (n, 1, 92, context) float32, bins x frames.
        """
        return self._excerpts(self.performance[examples], self.frame[examples], context, shift)

    def onsets_within(self, examples: np.ndarray, context: int) -> np.ndarray:
        """Number of onsets up to context / 2 frames away, each example's own included (B Fig. 4).

        Args:
            examples: (n,) indices.
            context: frames of an excerpt.

        Returns:
            (n,) int64.
        """
        apart = int(self.frames.max()) + context
        onsets = np.sort(self.performance * apart + self.frame)
        chosen = (self.performance * apart + self.frame)[examples]
        last = np.searchsorted(onsets, chosen + context // 2, side="right")
        return last - np.searchsorted(onsets, chosen - context // 2, side="left")

    def _columns(self, pieces: np.ndarray, x: np.ndarray, cropping: Cropping) -> np.ndarray:
        """Column of the strip in the middle of each snippet, as in `pipeline.strips.snippet`.

        Raises ValueError, naming the piece, if a position is outside its strip.
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
        crop = np.minimum(CROP_WIDTH_PX, width)
        left = np.clip(column - CROP_WIDTH_PX // 2, 0, width - crop)
        return left + crop // 2

    def _snippets(
        self,
        pieces: np.ndarray,
        columns: np.ndarray,
        scale: np.ndarray | None,
        shift: np.ndarray | None,
    ) -> np.ndarray:
        """Windows of a snippet's width, of an image that is neither moved nor resized by default.

        Raises ValueError if they leave the strip and its margins.
        """
        scale = np.ones(len(columns)) if scale is None else scale
        shift = np.zeros(len(columns), np.int64) if shift is None else shift
        if reach := _reach(scale, shift):
            raise ValueError(reach)
        return self.windows(pieces, columns, SNIPPET_WIDTH_PX, scale, shift)

    def windows(
        self,
        pieces: np.ndarray,
        columns: np.ndarray,
        width: int,
        scale: np.ndarray,
        shift: np.ndarray,
    ) -> np.ndarray:
        """Windows around columns of strips, resized by nearest neighbour, then halved.

        Pixel (i, j) of a window is the strip's pixel nearest to row 100 + (i - 80 + shift) / scale
        and column c + (j - width / 2) / scale; beyond the strip it is white. Two rows become one,
        as 16-bit sums, before columns are picked, which halves the expensive part: picking single
        numbers.

        Args:
            pieces, columns: (n,) indices; `columns` count from the left end of the strip, px.
            width: of the windows, px.
            scale: (n,) sizes of the image, 1 as printed.
            shift: (n,) whole px that the image is moved up.

        Returns:
            (n, 1, 80, width / 2) float32, white 1 and ink 0.
        """
        count = len(columns)
        rows = STRIP_HEIGHT_PX // 2 + _nearest(SNIPPET_HEIGHT_PX, scale, shift)
        across = _nearest(width, scale, np.zeros(count, np.int64))
        across += MARGIN_PX + columns[:, None]
        sums = np.empty(
            (count, 1, SNIPPET_HEIGHT_PX // SNIPPET_FACTOR, width // SNIPPET_FACTOR), np.uint16
        )
        for index, piece in enumerate(pieces.tolist()):
            strip = self.strips[piece]
            chosen = across[index].clip(0, strip.shape[1] - 1)  # the margins are white
            picked = strip[:, chosen[0] : chosen[-1] + 1][rows[index]]
            pairs = np.add(picked[0::2], picked[1::2], dtype=np.uint16)
            picked = pairs.take(chosen - chosen[0], axis=1)
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
    """Whether onsets have a complete snippet and excerpt: the rule of B's experiments.

    Like theirs it excludes an excerpt that would end with the recording's last frame.

    Args:
        frame: (n,) of each onset.
        frames: (n,) length of its recording.
        x: (n,) px, of each onset.
        width: (n,) px, of its strip.
        context: frames of an excerpt.

    Returns:
        (n,) bool.
    """
    first, half = frame - context // 2, SNIPPET_WIDTH_PX // 2
    return (first >= 0) & (first + context < frames) & (x - half >= 0) & (x + half < width)


def _nearest(length: int, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Pixel, from the middle, that each of `length` pixels of a resized window shows: (n, length).

    scale, shift: (n,). Halves are rounded up.
    """
    position = np.arange(length) - length // 2 + shift[:, None]
    return np.floor(position / scale[:, None] + 0.5).astype(np.int64)
