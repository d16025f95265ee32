"""Find the tables that the last run of a collection wrote.

A run deletes nothing: if it has fewer chunks than the one before, files of that one lie beside its
own, and the same pieces are in both.
"""

from pathlib import Path, PurePath

from pipeline.describing import croissant


def files(data: Path, table: str) -> list[Path]:
    """The files of a table that are of the last run, one a chunk, sorted by name.

    The Croissant description, which a run writes at its end, lists the shards of all its chunks.
    What is younger than the description is of a run that goes on. Without a description all files
    count.

    Args:
        data: Data of a collection, as results/data/piano.
        table: Its name, as `pieces` or `notes`.
    """
    found = sorted((data / table).glob("[!.]*.parquet"))
    description = data / "croissant.json"
    listed = croissant.listed(description)
    if not listed:
        return found
    chunks = {PurePath(shard).stem.rpartition("-")[2] for shard in listed}
    written = description.stat().st_mtime_ns
    return [path for path in found if path.stem in chunks or path.stat().st_mtime_ns > written]
