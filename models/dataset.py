"""Parquet shards: their rows a few at a time, and their onsets."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import tables
from pipeline.shard_rows import checked_rows

ROWS_PER_READ = 8  # performances decoded at a time
SPECTROGRAM_TYPE = np.float16  # half the memory; exact to 1/1000 of log10(1+|X|)
PNG_INFLATION = 12  # bytes of a decoded strip for one of its PNG; ten was measured

Part = tuple[Path, list[int]]  # a shard and some of its row groups


def whole(path: Path | str) -> Part:
    """All row groups of a shard.

    Raises:
        ValueError: if the file is not Parquet with the columns of `tables.SHARDS`.
    """
    tables.read(path, tables.SHARDS, columns=[])
    return Path(path), list(range(pq.read_metadata(path).num_row_groups))


def shard_rows(part: Part) -> Iterator[dict]:
    """Rows of a shard, a few in memory at a time; the spectrogram stays a flat float32 array."""
    with pq.ParquetFile(part[0]) as file:
        columns = tables.SHARDS.names
        for batch in file.iter_batches(ROWS_PER_READ, columns=columns, row_groups=part[1]):
            spectrograms = batch.column("spectrogram")
            others = checked_rows(batch, part[0])
            for index, row in enumerate(others):
                yield row | {"spectrogram": spectrograms[index].values.to_numpy()}


def shard_columns(path: Path | str, columns: list[str]) -> Iterator[dict]:
    """Some columns of a shard's rows, a few in memory at a time.

    Raises:
        ValueError: if the file is not Parquet with the columns of `tables.SHARDS`.
    """
    whole(path)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_PER_READ, columns=columns):
            yield from checked_rows(batch, path)


def onset_positions(path: Path | str) -> np.ndarray:
    """Where the onsets that are training examples are printed: (examples,) px in their image."""
    return _onset_positions(whole(path)).to_numpy()


def count_examples(part: Part) -> int:
    """How many onsets are training examples, which are those without a reason against it."""
    return len(_onset_positions(part))


def _onset_positions(part: Part) -> pa.ChunkedArray:
    with pq.ParquetFile(part[0]) as file:
        table = file.read_row_groups(part[1], columns=["x", "reason"])
    return pc.filter(pc.list_flatten(table["x"]), pc.is_null(pc.list_flatten(table["reason"])))


# --- sizes, from the files' footers ------------------------------------------------------------
def count_rows(part: Part) -> int:
    """How many performances there are."""
    metadata = pq.read_metadata(part[0])
    return sum(metadata.row_group(group).num_rows for group in part[1])


def count_values(part: Part, column: str) -> int:
    """How many values the lists of a column hold together, at most."""
    return sum(_column_chunk(part, column, group).num_values for group in part[1])


def decoded_bytes(path: Path | str) -> int:
    """Memory that the recordings and images of a shard need once they are decoded, about."""
    part = whole(path)
    images = sum(_column_chunk(part, "images", group).total_uncompressed_size for group in part[1])
    return (
        np.dtype(SPECTROGRAM_TYPE).itemsize * count_values(part, "spectrogram")
        + PNG_INFLATION * images
    )


def _column_chunk(part: Part, column: str, group: int):
    metadata = pq.read_metadata(part[0])
    names = [metadata.schema.column(i).path.split(".")[0] for i in range(metadata.num_columns)]
    return metadata.row_group(group).column(names.index(column))


# --- choices -----------------------------------------------------------------------------------
def evenly_spaced(count: int, at_most: int | None) -> np.ndarray:
    """Indices of `at_most` of `count` elements, evenly spaced; all if there are fewer."""
    if at_most is None or count <= at_most:
        return np.arange(count)
    return np.arange(at_most) * count // at_most
