"""Training data that do not fit in memory: shards read again and again, a window at a time.

A window is as many row groups as the memory limit allows, drawn anew from all shards in each pass;
its examples are shuffled together. So a batch mixes the pieces of a window, and windows differ
from pass to pass.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from tqdm import tqdm

from models import dataset

BYTES_PER_MB = 10**6
_WINDOWS = 2  # stream of random numbers; 0 and 1 are order and augmentation


class Examples(Protocol):
    """What training holds in memory."""

    def fingerprint(self) -> str: ...

    def memory(self) -> int: ...


T = TypeVar("T", bound=Examples)


@dataclass(frozen=True)
class RowGroup:
    """One row group of a shard."""

    part: dataset.Part
    examples: int  # that a training can use
    memory: int  # bytes
    digest: str


@dataclass(frozen=True)
class BatchPosition:
    """Where a batch is: the pass, the window in it, and the batch's number in the window."""

    pass_number: int
    window: int
    batch: int
    row_groups: tuple[RowGroup, ...]


class Stream(Generic[T]):
    """Windows of shards: `find` says in which window a batch lies, `read` reads that window."""

    def __init__(
        self,
        paths: Iterable[Path | str],
        read: Callable[[list[dataset.Part]], T],
        count_usable: Callable[[T], int],
        *,
        batch_size: int,
        memory_limit: int,
        seed: int,
    ):
        """Read all shards once, a row group at a time, which also checks them.

        Args:
            paths: Parquet files of one split.
            read: reads some parts of them.
            count_usable: how many of the examples that were read a training can use.
            batch_size: examples in a batch.
            memory_limit: bytes that a window may have.
            seed: of the windows.

        Raises:
            ValueError: if a file is not valid, a row group exceeds the limit, or there is no
                example.
        """
        self._read, self.batch_size = read, batch_size
        self.memory_limit, self.seed = memory_limit, seed
        shards = [dataset.whole(path) for path in paths]
        parts = [(path, [group]) for path, groups in shards for group in groups]
        self.row_groups = [
            group
            for part in tqdm(parts, desc="scan shards", unit="group", disable=None)
            if (group := self._scan(part, count_usable))
        ]
        if not self.row_groups:
            raise ValueError(
                f"no complete examples in {shards[0][0]} and the others; use more or longer pieces"
            )
        self._passes: list[list[tuple[RowGroup, ...]]] = []
        self._held: tuple[tuple[int, int], T] | None = None

    def _scan(self, part: dataset.Part, count_usable: Callable[[T], int]) -> RowGroup | None:
        if not dataset.count_examples(part):
            return None
        examples = self._read([part])
        group = RowGroup(part, count_usable(examples), examples.memory(), examples.fingerprint())
        if group.memory > self.memory_limit:
            raise ValueError(
                f"{part[0]}: a row group takes {group.memory / BYTES_PER_MB:,.0f} MB, more than "
                f"the {self.memory_limit / BYTES_PER_MB:,.0f} MB that memory_mb in the config "
                "allows"
            )
        return group if group.examples else None

    def __len__(self) -> int:
        return sum(group.examples for group in self.row_groups)

    def fingerprint(self) -> str:
        """A digest that differs if the examples or the limit do."""
        text = repr((self.memory_limit, [group.digest for group in self.row_groups]))
        return hashlib.sha256(text.encode()).hexdigest()

    def windows(self, pass_number: int) -> list[tuple[RowGroup, ...]]:
        """The windows of a pass: every row group once, in an order drawn by the seed."""
        random = np.random.default_rng([self.seed, _WINDOWS, pass_number])
        windows: list[list[RowGroup]] = [[]]
        for index in random.permutation(len(self.row_groups)):
            group = self.row_groups[index]
            memory = sum(other.memory for other in (*windows[-1], group))
            if windows[-1] and memory > self.memory_limit:
                windows.append([])
            windows[-1].append(group)
        return [tuple(window) for window in windows]

    def batches(self, window: tuple[RowGroup, ...]) -> int:
        """How many batches are drawn from a window: as many as its examples fill, at least one.

        The number is rounded, so the last one is filled up, or up to half a batch of the examples
        are left for another pass.
        """
        return max(1, round(sum(group.examples for group in window) / self.batch_size))

    def find(self, number: int) -> BatchPosition:
        """Where a batch is, counted from 0 over all passes."""
        for pass_number in count():
            if pass_number == len(self._passes):
                self._passes.append(self.windows(pass_number))
            for index, window in enumerate(self._passes[pass_number]):
                if number < (batches := self.batches(window)):
                    return BatchPosition(pass_number, index, number, window)
                number -= batches
        raise AssertionError  # passes never end

    def read(self, position: BatchPosition) -> T:
        """The examples of a batch's window; the last window that was read is kept in memory."""
        key = (position.pass_number, position.window)
        if self._held is None or self._held[0] != key:
            self._held = None  # frees its memory before the next is read
            self._held = (key, self._read([group.part for group in position.row_groups]))
        return self._held[1]


def in_memory_or_streamed(
    paths: Iterable[Path | str],
    read: Callable[[list[dataset.Part]], T],
    count_usable: Callable[[T], int],
    *,
    batch_size: int,
    seed: int,
    memory_mb: int | None,
) -> T | Stream[T]:
    """Read the examples of shards, or stream them if they need more than `memory_mb`.

    Args:
        paths: Parquet files of one split.
        read, count_usable, batch_size, seed: as for `Stream`.
        memory_mb: MB (10^6 bytes) that recordings and images may take; None for no limit.
    """
    paths = list(paths)
    if not too_large(paths, memory_mb):
        return read([dataset.whole(path) for path in paths])
    limit = memory_mb * BYTES_PER_MB
    return Stream(paths, read, count_usable, batch_size=batch_size, memory_limit=limit, seed=seed)


def too_large(paths: Iterable[Path | str], memory_mb: float | None) -> bool:
    """Whether the recordings and images of shards may need more than `memory_mb`, by footers."""
    if memory_mb is None:
        return False
    return sum(dataset.decoded_bytes(path) for path in paths) > memory_mb * BYTES_PER_MB
