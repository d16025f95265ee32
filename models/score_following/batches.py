"""Training batches of score following, in which the notes of a staff share its image."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models import batches, streaming
from models.score_following.reading import read_parts
from models.score_following.sampling import Examples


class Batches(batches.Batches[Examples]):
    """Batches of notes: images, excerpts, index of each note's image, x; see `batch_tensors`."""

    def __init__(self, source, notes_per_staff: int, batch_size: int, seed: int, share=(0, 1)):
        """Set up the batches.

        Args:
            source, batch_size, seed, share: as for `models.batches.Batches`.
            notes_per_staff: about so many notes of a staff come together in a batch.
        """
        self.notes_per_staff = notes_per_staff
        super().__init__(source, batch_size, seed, share)

    def shuffled(self, examples: Examples, key: tuple[int, ...]) -> np.ndarray:
        """A random order in which few staves appear in a batch; see `group_by_staff`."""
        seeds = [self.seed, *key]
        if len(key) > 1:  # a window's order, drawn from one number made of all
            seeds = [int(np.random.SeedSequence(seeds).generate_state(1)[0]), 0]
        return group_by_staff(examples.staff, self.notes_per_staff, np.random.default_rng(seeds))

    def tensors(self, examples: Examples, chosen: np.ndarray, number: int) -> tuple[Tensor, ...]:
        """This device's share of a batch, see `batch_tensors`."""
        return batch_tensors(examples, self.split(chosen))


def group_by_staff(
    staff: np.ndarray, notes_per_staff: int, random: np.random.Generator
) -> np.ndarray:
    """A random order of examples in which notes of the same staff come in groups.

    The notes of a staff are shuffled and divided into groups, and the groups are shuffled, so that
    consecutive examples show few staves.

    Args:
        staff: (examples,) index of each example's staff.
        notes_per_staff: size of a group, about.
        random: source of the order.

    Returns:
        (examples,) indices, each once.
    """
    shuffled = random.permutation(len(staff))
    shuffled = shuffled[np.argsort(staff[shuffled], kind="stable")]
    _, first, count = np.unique(staff[shuffled], return_index=True, return_counts=True)
    within = np.arange(len(shuffled)) - np.repeat(first, count)
    groups = np.maximum(1, np.round(count / notes_per_staff).astype(int))
    offset = np.cumsum(groups) - groups
    group = np.repeat(offset, count) + within % np.repeat(groups, count)
    rank = random.permutation(groups.sum())
    return shuffled[np.argsort(rank[group], kind="stable")]


def batch_tensors(examples: Examples, chosen: np.ndarray) -> tuple[Tensor, ...]:
    """Inputs and target of the network for some notes.

    Args:
        examples: where they are taken from.
        chosen: (notes,) indices.

    Returns:
        images (staves, 1, 40, 390), excerpts (notes, 1, 136, 40), index of each note's image
        (notes,), and true position x (notes,) in px.
    """
    staves, image_index = np.unique(examples.staff[chosen], return_inverse=True)
    if len(staves) == 1:
        staves = staves.repeat(2)  # batch normalisation needs two
    arrays = (
        examples.image_batch(staves),
        examples.excerpt_batch(chosen),
        image_index,
        examples.x[chosen].astype(np.float32),
    )
    return tuple(map(torch.from_numpy, arrays))


def training_batches(
    paths: Iterable[Path | str],
    notes_per_staff: int,
    batch_size: int,
    seed: int,
    memory_mb: int | None,
    share: tuple[int, int] = (0, 1),
) -> Batches:
    """Batches of all examples in shards, streamed if they need more than `memory_mb`."""
    source = streaming.in_memory_or_streamed(
        paths, read_parts, len, batch_size=batch_size, seed=seed, memory_mb=memory_mb
    )
    return Batches(source, notes_per_staff, batch_size, seed, share)
