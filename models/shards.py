"""Reading shards a few rows at a time."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from pipeline import tables

ROWS_AT_ONCE = 8  # performances decoded at a time while a shard is read


def values(path: Path, column: str) -> int:
    """How many values the lists of a column hold together, at most, from the file's footer."""
    metadata = pq.read_metadata(path)
    index = [metadata.schema.column(i).path.split(".")[0] for i in range(metadata.num_columns)]
    index = index.index(column)
    return sum(
        metadata.row_group(i).column(index).num_values for i in range(metadata.num_row_groups)
    )


def rows(path: Path) -> Iterator[dict]:
    """Rows of a shard, a few in memory at a time; the spectrogram stays a flat array."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=tables.SHARDS.names):
            spectrograms = batch.column("spectrogram")
            others = batch.drop_columns(["spectrogram"]).to_pylist()
            for index, row in enumerate(others):
                yield row | {"spectrogram": spectrograms[index].values.to_numpy()}
