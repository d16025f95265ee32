"""Parquet files of a size that the Hugging Face hub takes and its viewer reads."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

FILE_BYTES = 1 << 29  # of rows in memory; the hub's own limit is 5 GB, half of one reads better
GROUP_BYTES = 1 << 25  # the viewer reads one group at a time
GROUP_ROWS = 100


def write(rows: Iterable[dict], schema: pa.Schema, folder: Path, name: str) -> tuple[int, int]:
    """Write rows as `<name>-00000-of-00003.parquet` and so on; no file if there is no row.

    Args:
        rows: Dicts by column name.
        schema: Of the files.
        folder: That they are written into.
        name: How the names of the files begin.

    Returns:
        How many rows there are, and their size in memory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    writer: pq.ParquetWriter | None = None
    count = total = in_file = 0
    try:
        shown = tqdm(rows, desc=f"{folder.name} {name}", unit="row", disable=None)
        for group in _groups(shown, schema):
            if writer is None or in_file + group.nbytes > FILE_BYTES:
                if writer:
                    writer.close()
                written.append(folder / f"{name}-{len(written):05}.part")
                writer = pq.ParquetWriter(
                    written[-1], schema, compression="zstd", write_page_index=True
                )
                in_file = 0
            writer.write_table(group)
            count += group.num_rows
            total += group.nbytes
            in_file += group.nbytes
    finally:
        if writer:
            writer.close()
    for number, path in enumerate(written):
        path.rename(folder / f"{name}-{number:05}-of-{len(written):05}.parquet")
    return count, total


def _groups(rows: Iterable[dict], schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables of some rows, each small enough to be read at once."""
    held: list[pa.Table] = []
    for row in rows:
        held.append(pa.Table.from_pylist([row], schema=schema))
        if len(held) == GROUP_ROWS or sum(table.nbytes for table in held) > GROUP_BYTES:
            yield pa.concat_tables(held).combine_chunks()
            held = []
    if held:
        yield pa.concat_tables(held).combine_chunks()
