"""Training batches of retrieval: pairs of snippet and excerpt, augmented."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models import batches, streaming
from models.retrieval.reading import read_parts
from models.retrieval.sampling import Augmentation, Examples
from pipeline.strips import Cropping

_ORDER, _AUGMENT = 0, 1  # streams of random numbers


class Batches(batches.Batches[Examples]):
    """Batches of pairs: images (n, 1, 80, 100) and excerpts (n, 1, 92, context)."""

    def __init__(
        self,
        source: Examples | streaming.Stream[Examples],
        context: int,
        batch_size: int,
        seed: int,
        augmentation: Augmentation,
        cropping: Cropping = "padded",
        share: tuple[int, int] = (0, 1),
    ):
        """Set up the batches.

        Args:
            source, batch_size, seed, share: as for `models.batches.Batches`.
            context: frames of an excerpt.
            augmentation: ranges of random changes.
            cropping: of snippets near the ends of a strip.

        Raises:
            ValueError: if no example has a complete snippet and excerpt.
        """
        self.context, self.augmentation = context, augmentation
        self.cropping: Cropping = cropping
        super().__init__(source, batch_size, seed, share)

    def shuffled(self, examples: Examples, key: tuple[int, ...]) -> np.ndarray:
        """All examples with a complete snippet and excerpt, in random order."""
        inside = np.flatnonzero(examples.inside(self.context))
        if not len(inside):
            raise ValueError(
                f"none of the {len(examples)} onsets of split {examples.split} lies inside for a "
                f"context of {self.context} frames; use longer pieces or a shorter context"
            )
        return np.random.default_rng([self.seed, _ORDER, *key]).permutation(inside)

    def tensors(self, examples: Examples, chosen: np.ndarray, number: int) -> tuple[Tensor, ...]:
        """This device's share of a batch: images and excerpts."""
        random = np.random.default_rng([self.seed, _AUGMENT, number])
        ranges, count = self.augmentation, len(chosen)
        scale = random.uniform(*ranges.scale, count)
        up = random.integers(-ranges.shift_px, ranges.shift_px, count, endpoint=True)
        later = random.integers(-ranges.shift_frames, ranges.shift_frames, count, endpoint=True)
        chosen, scale, up, later = map(self.split, (chosen, scale, up, later))
        images = examples.snippet_batch(chosen, self.cropping, scale, up)
        excerpts = examples.excerpt_batch(chosen, self.context, later)
        return torch.from_numpy(images), torch.from_numpy(excerpts)


def training_batches(
    paths: Iterable[Path | str],
    context: int,
    batch_size: int,
    seed: int,
    augmentation: Augmentation,
    memory_mb: int | None,
    share: tuple[int, int] = (0, 1),
) -> Batches:
    """Batches of all examples in shards, streamed if they need more than `memory_mb`.

    Raises:
        ValueError: if the shards are not valid or no example has a complete snippet and excerpt.
    """

    def count_usable(examples: Examples) -> int:
        return int(examples.inside(context).sum())

    source = streaming.in_memory_or_streamed(
        paths, read_parts, count_usable, batch_size=batch_size, seed=seed, memory_mb=memory_mb
    )
    return Batches(source, context, batch_size, seed, augmentation, share=share)
