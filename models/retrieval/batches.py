"""The batches that training sees: examples in a seeded order, augmented; from memory, or streamed
from windows of shards where they do not fit."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from models import streaming
from models.retrieval import sampling
from pipeline.strips import Cropping

_ORDER, _AUGMENT = 0, 1  # streams of random numbers


class Batches(Dataset):
    """Training batches by number: (images (n, 1, 80, 100), excerpts (n, 1, 92, context)).

    Batch `number` follows from the seed and the number alone, so a training may be taken up at
    any batch. Each pass over the examples that lie inside visits every one of them once. For a
    DataLoader with batch_size=None and a range of numbers as its sampler.
    Raises ValueError where no example lies inside.
    """

    def __init__(
        self,
        examples: sampling.Examples,
        context: int,
        size: int,
        seed: int,
        augmentation: sampling.Augmentation,
        cropping: Cropping = "padded",
    ):
        self.examples = examples
        self.context = context
        self.size = size
        self.seed = seed
        self.augmentation = augmentation
        self.cropping: Cropping = cropping
        self.pool = np.flatnonzero(examples.inside(context))
        if not len(self.pool):
            raise ValueError(
                f"none of the {len(examples)} onsets of split {examples.split} lies inside for a "
                f"context of {context} frames; use longer pieces or a shorter context"
            )
        self.passes: dict[int, np.ndarray] = {}

    def order(self, number: int) -> np.ndarray:
        """Indices of the examples of a batch, (size,)."""
        positions = np.arange(number * self.size, (number + 1) * self.size)
        which, where = np.divmod(positions, len(self.pool))
        needed = np.unique(which).tolist()
        self.passes = {p: self.passes[p] if p in self.passes else self._pass(p) for p in needed}
        return np.concatenate([self.passes[p][where[which == p]] for p in needed])

    def fingerprint(self) -> str:
        """That of the examples."""
        return self.examples.fingerprint()

    def usable(self) -> int:
        """How many examples lie inside, each of which a pass visits."""
        return len(self.pool)

    def chosen(self, number: int) -> tuple[sampling.Examples, np.ndarray]:
        """The examples that a batch is drawn from, and its indices in them, (size,)."""
        return self.examples, self.order(number)

    def _pass(self, number: int) -> np.ndarray:
        return np.random.default_rng([self.seed, _ORDER, number]).permutation(self.pool)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        random = np.random.default_rng([self.seed, _AUGMENT, number])
        change = self.augmentation
        scale = random.uniform(*change.scale, self.size)
        up = random.integers(-change.shift_px, change.shift_px, self.size, endpoint=True)
        later = random.integers(-change.shift_frames, change.shift_frames, self.size, endpoint=True)
        examples, chosen = self.chosen(number)
        images = examples.snippet_batch(chosen, self.cropping, scale, up)
        excerpts = examples.excerpt_batch(chosen, self.context, later)
        return torch.from_numpy(images), torch.from_numpy(excerpts)


class StreamedBatches(Batches):
    """The same from windows of shards that do not fit in memory: each window is visited once in a
    pass, its examples in a random order; the last batch is filled up from the window's first."""

    def __init__(
        self,
        windows: streaming.Stream[sampling.Examples],
        context: int,
        size: int,
        seed: int,
        augmentation: sampling.Augmentation,
    ):
        self.windows = windows
        self.context = context
        self.size = size
        self.seed = seed
        self.augmentation = augmentation
        self.cropping: Cropping = "padded"

    def fingerprint(self) -> str:
        """That of the windows' examples."""
        return self.windows.fingerprint()

    def usable(self) -> int:
        """How many examples lie inside, each of which a pass visits."""
        return len(self.windows)

    def chosen(self, number: int) -> tuple[sampling.Examples, np.ndarray]:
        """The window of a batch, and the indices of the batch's examples in it, (size,)."""
        place = self.windows.find(number)
        examples = self.windows.read(place)
        pool = np.flatnonzero(examples.inside(self.context))
        random = np.random.default_rng([self.seed, _ORDER, place.run, place.window])
        positions = np.arange(place.batch * self.size, (place.batch + 1) * self.size)
        return examples, random.permutation(pool)[positions % len(pool)]


def training_batches(
    paths: Iterable[Path | str],
    context: int,
    size: int,
    seed: int,
    augmentation: sampling.Augmentation,
    memory_mb: int | None,
) -> Batches:
    """Batches of all that some shards hold; streamed where that needs more than `memory_mb`.

    Raises ValueError where the shards do not fit, or no example lies inside.
    """
    paths, limit = list(paths), memory_mb and memory_mb * 10**6
    if not streaming.too_large(paths, limit):
        return Batches(sampling.read(paths), context, size, seed, augmentation)

    def usable(examples: sampling.Examples) -> int:
        return int(examples.inside(context).sum())

    windows = streaming.Stream(
        paths, sampling.read_parts, usable, size=size, limit=limit, seed=seed
    )
    return StreamedBatches(windows, context, size, seed, augmentation)
