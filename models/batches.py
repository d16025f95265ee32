"""Training batches by number, from examples in memory or streamed from shards."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from models.streaming import Examples, Stream

T = TypeVar("T", bound=Examples)


class Batches(Dataset, ABC, Generic[T]):
    """Training batches, each of which follows from the seed and its number alone.

    So a training may continue at any batch. With examples in memory, the passes over all of them
    are joined end to end and divided into batches. With a stream, each window is visited once in a
    pass of the shards, and its last batch is filled up from the window's first examples.

    For a DataLoader with `batch_size=None` and a range of numbers as its sampler.
    """

    def __init__(
        self, source: T | Stream[T], batch_size: int, seed: int, share: tuple[int, int] = (0, 1)
    ):
        """Set up the batches.

        Args:
            source: examples in memory, or a stream of windows of them.
            batch_size: examples in a batch, on all devices together.
            seed: of the order.
            share: rank of this device, and number of devices that share a batch.
        """
        self.source, self.batch_size, self.seed, self.share = source, batch_size, seed, share
        self._passes: dict[int, np.ndarray] = {}
        self._usable = 0
        if not isinstance(source, Stream):
            self._passes[0] = self.shuffled(source, (0,))
            self._usable = len(self._passes[0])

    @abstractmethod
    def shuffled(self, examples: T, key: tuple[int, ...]) -> np.ndarray:
        """Indices of all usable examples in random order, drawn by the seed and a key.

        Args:
            examples: those in memory, or of a window.
            key: number of the pass, and of the window if there are several.
        """

    @abstractmethod
    def tensors(self, examples: T, chosen: np.ndarray, number: int) -> tuple[Tensor, ...]:
        """This device's share of batch `number`; `chosen` are the indices of the whole batch."""

    def usable(self) -> int:
        """How many examples a pass visits."""
        return len(self.source) if isinstance(self.source, Stream) else self._usable

    def fingerprint(self) -> str:
        """A digest that differs if the examples do."""
        return self.source.fingerprint()

    def chosen(self, number: int) -> tuple[T, np.ndarray]:
        """The examples that a batch is drawn from, and its indices in them, (batch_size,)."""
        if not isinstance(self.source, Stream):
            return self.source, self._from_memory(number)
        at = self.source.find(number)
        examples = self.source.read(at)
        order = self.shuffled(examples, (at.pass_number, at.window))
        positions = np.arange(at.batch * self.batch_size, (at.batch + 1) * self.batch_size)
        return examples, order[positions % len(order)]

    def _from_memory(self, number: int) -> np.ndarray:
        positions = np.arange(number * self.batch_size, (number + 1) * self.batch_size)
        passes, within = np.divmod(positions, self._usable)
        needed = np.unique(passes).tolist()
        self._passes = {
            key: self._passes[key] if key in self._passes else self.shuffled(self.source, (key,))
            for key in needed
        }
        return np.concatenate([self._passes[key][within[passes == key]] for key in needed])

    def split(self, values: np.ndarray) -> np.ndarray:
        """This device's share of an array (batch_size, ...)."""
        rank, devices = self.share
        return np.array_split(values, devices)[rank]

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        examples, chosen = self.chosen(number)
        return self.tensors(examples, chosen, number)
