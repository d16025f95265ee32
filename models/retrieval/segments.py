"""Training batches of segments: a part of a strip, its sound, and onsets that lie in both.

The embedding network passes over a segment once and reads off the vectors of all its onsets
(`token_network`), which costs a fraction of passing over a snippet and an excerpt for each, and
gives every onset the hardest candidates beside it: other onsets of the same passage. The vectors
are those of the onsets' own snippets and excerpts.
"""

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models import batches, streaming
from models.retrieval.reading import read_parts
from models.retrieval.sampling import Augmentation, Examples, inside
from pipeline.constants import (
    CONTEXTS,
    RETRIEVAL,
    SNIPPET_FACTOR,
    SNIPPET_WIDTH_PX,
)

CONTEXT = CONTEXTS["LC"]  # frames that an onset needs about it
SEGMENT_WIDTH_PX = 1200  # six snippets
SEGMENT_FRAMES = 408  # 12 s, in which onsets may lie, and half a context on either side
_ORDER, _AUGMENT = 0, 1  # streams of random numbers


@dataclass(frozen=True)
class Segments:
    """Some segments and where their onsets lie, in the units of a segment's image and sound."""

    anchor: np.ndarray  # (segments,) example around which the segment is cut
    onsets: np.ndarray  # (segments, onsets) examples; those that are not `real` repeat the anchor
    real: np.ndarray  # (segments, onsets)
    left: np.ndarray  # (segments,) where the anchor lies: px from the middle of the image
    before: np.ndarray  # (segments,) frames of the segment's sound up to the anchor
    scale: np.ndarray  # (segments,) size of the image
    up: np.ndarray  # (segments,) px that the image is moved up
    tempo: np.ndarray  # (segments,) how many times as fast the sound becomes


class SegmentBatches(batches.Batches[Examples]):
    """Batches of segments of random pieces; from a given batch on, several of each piece.

    Early on more pieces teach more; later most errors lie within the right piece.

    A batch holds images (segments, 1, 80, 600), sounds (segments, 1, 92, 408), and of shape
    (segments, onsets) each the onsets' positions in both (halved px and frames from the first),
    which of the onsets are real, and a number for each that only the same onset of the same piece
    has.
    """

    def __init__(
        self,
        source: Examples | streaming.Stream[Examples],
        segments: int,
        onsets: int,
        seed: int,
        augmentation: Augmentation,
        tempo: tuple[float, float],
        share: tuple[int, int] = (0, 1),
        segments_of_piece: int = 1,
        grouped_from: int = 0,
    ):
        """Set up the batches.

        Args:
            source, seed, share: as for `models.batches.Batches`.
            segments: of a batch, on all devices together.
            onsets: of a segment, at most.
            augmentation: ranges of the random changes of a pair.
            tempo: lowest and highest factor of the speed of the sound, drawn evenly on a
                logarithmic scale.
            segments_of_piece: segments of a batch that are of the same piece, from batch
                `grouped_from` on; with 1 pieces are drawn at random.

        Raises:
            ValueError: if no example has a complete snippet and excerpt.
        """
        self.onsets, self.augmentation, self.tempo = onsets, augmentation, tempo
        self.segments_of_piece, self.grouped_from = segments_of_piece, grouped_from
        super().__init__(source, segments, seed, share)

    def shuffled(self, examples: Examples, key: tuple[int, ...]) -> np.ndarray:
        """All examples with a complete snippet and excerpt, in random order."""
        usable = np.flatnonzero(examples.inside(CONTEXT))
        if not len(usable):
            raise ValueError(
                f"none of the {len(examples)} onsets of split {examples.split} lies inside for a "
                f"context of {CONTEXT} frames; use longer pieces"
            )
        return np.random.default_rng([self.seed, _ORDER, *key]).permutation(usable)

    def tensors(self, examples: Examples, chosen: np.ndarray, number: int) -> tuple[Tensor, ...]:
        """This device's share of a batch."""
        random = np.random.default_rng([self.seed, _AUGMENT, number])
        if self.segments_of_piece > 1 and number >= self.grouped_from:
            chosen = grouped_by_piece(examples, chosen, self.segments_of_piece, random)
        whole = draw(examples, chosen, self.onsets, self.augmentation, self.tempo, random)
        names = [field.name for field in fields(whole)]
        segments = Segments(**{name: self.split(getattr(whole, name)) for name in names})
        most = self.augmentation.shift_frames
        later = self.split(random.integers(-most, most, whole.real.shape, endpoint=True))
        images, sounds, x, frames, real = map(torch.from_numpy, cut(examples, segments, later))
        same = torch.from_numpy(identities(examples, segments.onsets))
        return images, sounds, x.float(), frames.float(), real, same


def grouped_by_piece(
    examples: Examples, chosen: np.ndarray, size: int, random: np.random.Generator
) -> np.ndarray:
    """Examples in groups of `size` of one piece each, as many as were chosen: (n,).

    The first of the chosen ones (n,) begin a group each. The others of a group are drawn, with
    replacement, from all performances of its piece that are held.
    """
    firsts = chosen[: math.ceil(len(chosen) / size)]
    groups = [
        [first, *random.choice(_usable_of_piece(examples, examples.piece[first]), size - 1)]
        for first in firsts
    ]
    return np.concatenate(groups)[: len(chosen)]


def _usable_of_piece(examples: Examples, piece: int) -> np.ndarray:
    """All examples of a piece that have a complete snippet and excerpt."""
    every = np.flatnonzero(examples.piece == piece)
    frames = examples.frames[examples.performance[every]]
    x, width = examples.x[every], examples.width[piece]
    return every[inside(examples.frame[every], frames, x, width, CONTEXT)]


def identities(examples: Examples, onsets: np.ndarray) -> np.ndarray:
    """A number of each example that only the same place of the same piece has: int64, as shape."""
    pieces, index = np.unique(examples.piece[onsets], return_inverse=True)
    names = np.array([zlib.crc32(examples.pieces[piece].encode()) for piece in pieces], np.int64)
    return names[index.reshape(onsets.shape)] << 32 | examples.x[onsets].astype(np.int64)


def draw(
    examples: Examples,
    anchors: np.ndarray,
    onsets: int,
    augmentation: Augmentation,
    tempo: tuple[float, float],
    random: np.random.Generator,
) -> Segments:
    """Draw a segment about each anchor: where it begins, how it is changed, and its onsets.

    Onsets keep half a snippet to the ends of the image and half a context to those of the sound.
    The anchor is one of them.

    Args:
        examples: what is drawn from.
        anchors: (segments,) indices.
        onsets: of a segment, at most.
        augmentation: ranges of the image's changes.
        tempo: range of the sound's.
        random: draws.
    """
    count = len(anchors)
    scale = random.uniform(*augmentation.scale, count)
    up = random.integers(-augmentation.shift_px, augmentation.shift_px, count, endpoint=True)
    slow, fast = np.log(tempo)
    speed = np.exp(random.uniform(slow, fast, count))
    along = random.uniform(0, 1, count)  # the anchor's place between the ends
    left = (along - 0.5) * (SEGMENT_WIDTH_PX - SNIPPET_WIDTH_PX)
    before = np.rint(CONTEXT // 2 + along * (SEGMENT_FRAMES - CONTEXT))
    chosen = np.repeat(anchors[:, None], onsets, axis=1)
    real = np.zeros((count, onsets), bool)
    first = np.searchsorted(examples.performance, examples.performance[anchors])
    stop = np.searchsorted(examples.performance, examples.performance[anchors], side="right")
    for index in range(count):
        near = np.arange(first[index], stop[index])
        x, frame = _places(examples, near, anchors[index], scale[index], speed[index])
        x, frame = x + left[index], frame + before[index]
        complete = np.abs(x) <= (SEGMENT_WIDTH_PX - SNIPPET_WIDTH_PX) / 2
        complete &= (frame >= CONTEXT // 2) & (frame <= SEGMENT_FRAMES - CONTEXT // 2)
        complete &= near != anchors[index]
        others = random.permutation(near[complete])[: onsets - 1]
        chosen[index, 1 : 1 + len(others)] = others
        real[index, : 1 + len(others)] = True
    return Segments(anchors, chosen, real, left, before, scale, up, speed)


def cut(examples: Examples, segments: Segments, later: np.ndarray) -> tuple[np.ndarray, ...]:
    """Images, sounds, positions of the onsets in both, and which are real; see `SegmentBatches`.

    An onset's excerpt begins `later` frames (segments, onsets) later, if the segment has them.
    """
    anchors = segments.anchor
    # The image's middle is a whole column; what rounding moves the anchor by is kept in `x`.
    column = np.floor(examples.x[anchors]).astype(np.int64)
    middle = column - np.rint(segments.left / segments.scale).astype(np.int64)
    images = examples.windows(
        examples.piece[anchors], middle, SEGMENT_WIDTH_PX, segments.scale, segments.up
    )
    x = (np.floor(examples.x[segments.onsets]) - middle[:, None]) * segments.scale[:, None]
    frames = examples.frame[segments.onsets] - examples.frame[anchors][:, None]
    frames = segments.before[:, None] + frames / segments.tempo[:, None] + later
    frames = frames.clip(CONTEXT // 2, SEGMENT_FRAMES - CONTEXT // 2)
    sounds = play(
        examples,
        examples.performance[anchors],
        examples.frame[anchors],
        segments.before,
        SEGMENT_FRAMES,
        segments.tempo,
    )
    return images, sounds, (x + SEGMENT_WIDTH_PX / 2) / SNIPPET_FACTOR, frames, segments.real


def play(
    examples: Examples,
    performances: np.ndarray,
    frame: np.ndarray,
    before: np.ndarray,
    length: int,
    tempo: np.ndarray,
) -> np.ndarray:
    """Parts of recordings at other speeds, without interpolation.

    Up to the recording's own speed each frame is the nearest one of the recording, so that an
    attack stays within one frame. At higher speed each bin has its maximum over the frames from
    that one up to the next, so that no note is skipped.

    Args:
        examples: holds the recordings.
        performances: (n,) indices.
        frame: (n,) of the recording.
        before: (n,) frames of the part up to that one.
        length: frames of a part.
        tempo: (n,) how many times as fast.

    Returns:
        (n, 1, 92, length) float32, zeros beyond a recording's ends.
    """
    steps = (np.arange(length + 1) - before[:, None]) * tempo[:, None]
    rows = frame[:, None] + np.floor(steps + 0.5).astype(np.int64)
    # The rows next to a recording's ends are silent.
    rows = rows.clip(-1, examples.frames[performances][:, None])
    rows += examples.start[performances][:, None]
    sounds = np.empty((len(rows), 1, RETRIEVAL.bins, length), examples.spectrogram.dtype)
    for index, chosen in enumerate(rows):
        first, last = chosen[:-1], np.maximum(chosen[1:] - 1, chosen[:-1])
        loudest = examples.spectrogram[first]
        for later in range(1, math.ceil(tempo[index])):
            row = np.minimum(first + later, last)
            np.maximum(loudest, examples.spectrogram[row], out=loudest)
        sounds[index, 0] = loudest.T
    return torch.from_numpy(sounds).float().numpy()  # several times as fast as astype


def segment_batches(
    paths: Iterable[Path | str],
    segments: int,
    onsets: int,
    seed: int,
    augmentation: Augmentation,
    tempo: tuple[float, float],
    memory_mb: int | None,
    share: tuple[int, int] = (0, 1),
    segments_of_piece: int = 1,
    grouped_from: int = 0,
) -> SegmentBatches:
    """Batches of segments of all examples in shards, streamed if they need more than `memory_mb`.

    Args:
        paths: Parquet shards of one split.
        memory_mb: MB that recordings and images may take; None for no limit.
        segments, onsets, seed, augmentation, tempo, share, segments_of_piece, grouped_from: see
            `SegmentBatches`.

    Raises:
        ValueError: if the shards are not valid or no example has a complete snippet and excerpt.
    """

    def count_usable(examples: Examples) -> int:
        return int(examples.inside(CONTEXT).sum())

    source = streaming.in_memory_or_streamed(
        paths,
        read_parts,
        count_usable,
        batch_size=segments * onsets,  # how many a step learns from decides how long a window lasts
        seed=seed,
        memory_mb=memory_mb,
    )
    return SegmentBatches(
        source,
        segments,
        onsets,
        seed,
        augmentation,
        tempo,
        share,
        segments_of_piece,
        grouped_from,
    )


def _places(
    examples: Examples, near: np.ndarray, anchor: int, scale: float, tempo: float
) -> tuple[np.ndarray, np.ndarray]:
    """How far examples lie from an anchor of the same performance: px and frames of a segment."""
    x = (examples.x[near] - examples.x[anchor]) * scale
    return x, (examples.frame[near] - examples.frame[anchor]) / tempo
