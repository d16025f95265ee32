"""Shards as a data set for PyTorch."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from torch.utils.data import Dataset

from pipeline import images, tables

PER_ONSET = ("note_id", "onset_s", "frame", "image", "x", "pitch")


class Shards(Dataset):
    """The performances in some shards, in order.

    An item is a dict of one performance:

    - `piece_id`, `split`, `font`, `tempo_ratio`, `fps`,
    - `spectrogram`: (frames, bins) float32,
    - `images`: the staves of a tune, or one strip: (height, width) uint8 each, white is 255,
    - `note_id`, `onset_s`, `frame`, `image`, `x` (px), `pitch`: (onsets,), of those
      with a notehead.

    Neighbours lie together in a file, so reading in order is fastest. For a `DataLoader`, give a
    `collate_fn` of your own: performances differ in length.
    """

    def __init__(self, paths: Iterable[Path | str]):
        """Open shards.

        Args:
            paths: Parquet files.

        Raises:
            ValueError: If a file is no shard, or there is no performance in any.
        """
        self.groups: list[tuple[Path, int]] = []  # a file and a row group, for each performance
        self.rows: list[int] = []  # in its row group
        for path in map(Path, paths):
            tables.read(path, tables.SHARDS, columns=[])
            metadata = pq.read_metadata(path)
            for group in range(metadata.num_row_groups):
                count = metadata.row_group(group).num_rows
                self.groups += [(path, group)] * count
                self.rows += range(count)
        if not self.rows:
            raise ValueError("no performance in the shards")
        self._read: tuple[tuple[Path, int], list[dict]] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict:
        path, group = self.groups[number]
        if self._read is None or self._read[0] != (path, group):
            table = pq.ParquetFile(path).read_row_group(group, columns=tables.SHARDS.names)
            self._read = (path, group), table.to_pylist()
        return _item(self._read[1][self.rows[number]])


def _item(row: dict) -> dict:
    shape = -1, row["bins"]
    known = np.array([x is not None for x in row["x"]], bool)
    pictures = [torch.tensor(images.grey(png)) for png in row["images"]]
    return {
        **{name: row[name] for name in ("piece_id", "split", "font", "tempo_ratio", "fps")},
        "spectrogram": torch.tensor(row["spectrogram"], dtype=torch.float32).reshape(shape),
        "images": pictures,
        **{name: torch.from_numpy(_array(row[name], name)[known]) for name in PER_ONSET},
    }


def _array(values: list, name: str) -> np.ndarray:
    """The values of a column's row, typed as its schema has them; 0 if missing."""
    kind = tables.SHARDS.field(name).type.value_type.to_pandas_dtype()
    return np.array([0 if value is None else value for value in values], kind)
