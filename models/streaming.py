"""Training data that does not fit in memory: shards read again and again, a window at a time.

A window is as many row groups as a limit of memory allows, drawn anew for every pass from all
shards; its examples are shuffled together. So a batch mixes the pieces of a window, and windows
differ from pass to pass. What batch `number` holds follows from the seed and the number alone.
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

_WINDOWS = 2  # stream of random numbers; 0 and 1 are order and augmentation


class Examples(Protocol):
    """What a window is read into."""

    def fingerprint(self) -> str: ...

    def memory(self) -> int: ...


T = TypeVar("T", bound=Examples)


@dataclass(frozen=True)
class Unit:
    """One row group of a shard."""

    part: dataset.Part
    examples: int  # that a training can use
    memory: int  # bytes
    digest: str


@dataclass(frozen=True)
class Place:
    """Where a batch is: the pass, the window in it, and the batch's number in the window."""

    run: int
    window: int
    batch: int
    units: tuple[Unit, ...]


class Stream(Generic[T]):
    """Windows of shards: `find` tells where a batch lies, `read` brings its window.

    paths: Parquet files of one split; read: a function that reads some parts of them; usable: how
    many of what it has read a training can use; size: examples in a batch; limit: bytes that a
    window may have. Everything is read once at the start, a row group at a time, which checks it.
    Raises ValueError, naming the file, where it does not serve, or a row group exceeds the limit.
    """

    def __init__(
        self,
        paths: Iterable[Path | str],
        read: Callable[[list[dataset.Part]], T],
        usable: Callable[[T], int],
        *,
        size: int,
        limit: int,
        seed: int,
    ):
        self._read, self.size, self.limit, self.seed = read, size, limit, seed
        whole = [dataset.whole(path) for path in paths]
        parts = [(path, [group]) for path, groups in whole for group in groups]
        self.units = [
            unit
            for part in tqdm(parts, desc="look through shards", unit="group", disable=None)
            if (unit := self._unit(part, usable))
        ]
        if not self.units:
            raise ValueError("no examples in the shards")
        self._passes: list[list[tuple[Unit, ...]]] = []
        self._held: tuple[tuple[int, int], T] | None = None

    def _unit(self, part: dataset.Part, usable: Callable[[T], int]) -> Unit | None:
        if not dataset.examples(part):
            return None
        found = self._read([part])
        unit = Unit(part, usable(found), found.memory(), found.fingerprint())
        if unit.memory > self.limit:
            raise ValueError(
                f"{part[0]}: a row group takes {unit.memory / 1e6:,.0f} MB, more than the "
                f"{self.limit / 1e6:,.0f} MB that memory_mb in the config allows"
            )
        return unit if unit.examples else None

    def __len__(self) -> int:
        return sum(unit.examples for unit in self.units)

    def fingerprint(self) -> str:
        """A digest that differs where the examples or the limit do."""
        text = repr((self.limit, [unit.digest for unit in self.units]))
        return hashlib.sha256(text.encode()).hexdigest()

    def windows(self, run: int) -> list[tuple[Unit, ...]]:
        """The windows of a pass: every row group once, in an order that follows from the seed."""
        order = np.random.default_rng([self.seed, _WINDOWS, run]).permutation(len(self.units))
        found: list[list[Unit]] = [[]]
        for unit in (self.units[index] for index in order):
            if found[-1] and sum(u.memory for u in (*found[-1], unit)) > self.limit:
                found.append([])
            found[-1].append(unit)
        return [tuple(window) for window in found]

    def batches(self, window: tuple[Unit, ...]) -> int:
        """How many batches are drawn from a window: as many as its examples make, at least one."""
        return max(1, round(sum(unit.examples for unit in window) / self.size))

    def find(self, number: int) -> Place:
        """The place of a batch, counted from 0 over all passes."""
        for run in count():
            if run == len(self._passes):
                self._passes.append(self.windows(run))
            for index, window in enumerate(self._passes[run]):
                if number < (batches := self.batches(window)):
                    return Place(run, index, number, window)
                number -= batches
        raise AssertionError  # passes never end

    def read(self, place: Place) -> T:
        """The examples of a place's window; the last one that was read is held."""
        key = (place.run, place.window)
        if self._held is None or self._held[0] != key:
            self._held = None  # before the next is read
            self._held = (key, self._read([unit.part for unit in place.units]))
        return self._held[1]


def too_large(paths: Iterable[Path | str], limit: int | None) -> bool:
    """Whether the recordings and images of some shards may need more than `limit` bytes."""
    return limit is not None and sum(dataset.memory(Path(path)) for path in paths) > limit
