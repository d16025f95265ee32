"""Read training examples from Parquet shards: what the readers of both systems do alike.

A shard's row is one performance of a piece.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from models import dataset
from pipeline.constants import SpectrogramSettings

T = TypeVar("T")


def check_settings(fps: float, bins: int, settings: SpectrogramSettings) -> None:
    """Raise ValueError if a row's spectrogram has other settings than the networks take."""
    if (fps, bins) != (settings.fps, settings.bins):
        raise ValueError(
            f"spectrogram of {fps} frames a second and {bins} bins; the network takes "
            f"{settings.fps} and {settings.bins}"
        )


class Reader(ABC, Generic[T]):
    """Collects arrays row by row; `read` joins them.

    A subclass finds what the onsets are printed on, and makes the examples of its system.
    """

    settings: ClassVar[SpectrogramSettings]
    gap: ClassVar[int]  # frames of silence before, between and after recordings
    per_example: ClassVar[tuple[str, ...]]  # columns with a value for each onset

    def __init__(self, parts: list[dataset.Part]):
        self.parts = parts
        self.splits: set[str] = set()
        # start, frames, font, tempo_ratio
        self.performances: list[tuple[int, int, str, float]] = []
        self.examples: list[dict[str, np.ndarray]] = []
        # Untouched pages of zeros cost no memory, so an upper bound will do.
        bins = self.settings.bins
        bound = sum(dataset.count_values(part, "spectrogram") // bins for part in parts)
        gaps = self.gap * (1 + sum(map(dataset.count_rows, parts)))
        self.spectrogram = np.zeros((bound + gaps, bins), dataset.SPECTROGRAM_TYPE)
        self.end = self.gap  # first free row

    @abstractmethod
    def printed(self, row: dict, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Further columns of a performance's examples, which say what they are printed on.

        Raises:
            ValueError: if the images of the row are not valid.
        """

    @abstractmethod
    def joined(self, **shared: Any) -> T:
        """The examples, of what was read.

        Args:
            shared: split, spectrogram, start, font and tempo_ratio of `Examples`, and a column of
                all examples for each of `per_example`, `performance` and what `printed` gave.
        """

    def read(self) -> T:
        """Read all parts.

        Raises:
            ValueError: naming the file and the piece, if a row is not valid; if there is no
                example.
        """
        for part in self.parts:
            for row in dataset.shard_rows(part):
                try:
                    self.add(row)
                except ValueError as error:
                    raise ValueError(f"{part[0]}: {row['piece_id']}: {error}") from None
        if not self.examples:
            names = ", ".join(str(path) for path, _ in self.parts) or "no file given"
            raise ValueError(f"no examples in the shards ({names})")
        start, _, font, tempo_ratio = zip(*self.performances, strict=True)
        columns = {
            name: np.concatenate([part[name] for part in self.examples])
            for name in self.examples[0]
        }
        return self.joined(
            split=self.splits.pop(),
            spectrogram=self.spectrogram[: self.end],
            start=np.array(start),
            font=list(font),
            tempo_ratio=np.array(tempo_ratio, np.float32),
            **columns,
        )

    def add(self, row: dict) -> None:
        """Add one performance; every onset whose `reason` is null becomes an example."""
        self.splits.add(row["split"])
        if len(self.splits) > 1:
            raise ValueError(f"shards of several splits, {sorted(self.splits)}, are mixed")
        check_settings(row["fps"], row["bins"], self.settings)
        kept = [index for index, reason in enumerate(row["reason"]) if reason is None]
        if not kept:
            return
        columns = {
            name: np.array([row[name][index] for index in kept]) for name in self.per_example
        }
        sound = row["spectrogram"].reshape(-1, self.settings.bins)
        if columns["frame"].min() < 0 or columns["frame"].max() >= len(sound):
            raise ValueError(f"an onset lies outside the recording of {len(sound)} frames")
        columns |= self.printed(row, columns)
        columns["performance"] = np.full(len(kept), len(self.performances))
        self.examples.append(columns)
        self.spectrogram[self.end : self.end + len(sound)] = sound
        self.performances.append((self.end, len(sound), row["font"], row["tempo_ratio"]))
        self.end += len(sound) + self.gap
