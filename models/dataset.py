"""Reading shards a few rows at a time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import tables

ROWS_AT_ONCE = 8  # performances decoded at a time while a shard is read
BYTES_A_VALUE = 2  # of a spectrogram in memory
INFLATION = 12  # of the PNG of a strip in a shard; ten was measured

Part = tuple[Path, list[int]]  # some row groups of a shard


def whole(path: Path | str) -> Part:
    """All of a shard. ValueError, naming the file, where it has another schema or is none."""
    tables.read(path, tables.SHARDS, columns=[])
    return Path(path), list(range(pq.read_metadata(path).num_row_groups))


def values(part: Part, column: str) -> int:
    """How many values the lists of a column hold together, at most, from the file's footer."""
    return sum(_chunk(part, column, group).num_values for group in part[1])


def _chunk(part: Part, column: str, group: int):
    metadata = pq.read_metadata(part[0])
    names = [metadata.schema.column(i).path.split(".")[0] for i in range(metadata.num_columns)]
    return metadata.row_group(group).column(names.index(column))


def length(part: Part) -> int:
    """Rows."""
    metadata = pq.read_metadata(part[0])
    return sum(metadata.row_group(group).num_rows for group in part[1])


def rows(part: Part) -> Iterator[dict]:
    """Rows of a shard, a few in memory at a time; the spectrogram stays a flat array."""
    with pq.ParquetFile(part[0]) as file:
        columns = tables.SHARDS.names
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns, row_groups=part[1]):
            spectrograms = batch.column("spectrogram")
            others = tables.shard_rows(batch, part[0])
            for index, row in enumerate(others):
                yield row | {"spectrogram": spectrograms[index].values.to_numpy()}


def examples(part: Part) -> int:
    """Onsets that may become examples: those without a reason against it."""
    return len(_places(part))


def places(path: Path | str) -> np.ndarray:
    """Where those onsets are printed, (examples,) px from the left of their image."""
    return _places(whole(path)).to_numpy()


def _places(part: Part) -> pa.ChunkedArray:
    with pq.ParquetFile(part[0]) as file:
        table = file.read_row_groups(part[1], columns=["x", "reason"])
    return pc.filter(pc.list_flatten(table["x"]), pc.is_null(pc.list_flatten(table["reason"])))


def memory(path: Path) -> int:
    """Bytes that the recordings and images of a shard need once they are decoded, about."""
    part = whole(path)
    images = sum(_chunk(part, "images", group).total_uncompressed_size for group in part[1])
    return BYTES_A_VALUE * values(part, "spectrogram") + INFLATION * images
