"""Which audio-sheet pairs an evaluation is made of (B 3.1, 3.3).

`fixed`: the same notes for every network and every tempo, so that nothing but the network or the
tempo differs. `2019`: as the authors' code chooses, an even grid over all that fit one context at
one tempo, which makes the pairs differ with both.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models.dataset import ROWS_AT_ONCE
from models.retrieval import sampling
from models.training import evenly
from pipeline import tables
from pipeline.constants import RETRIEVAL

Protocol = Literal["fixed", "2019"]
EVERY_CONTEXT = 0
NOTE = ["piece_id", "note_id"]  # what a pair is known by at every tempo
PIECES_NAMED = 3  # of those left out, in a message
_PER_ROW = ("piece_id", "split", "font", "tempo_ratio", "fps", "bins", "right")
_PER_ONSET = ("note_id", "frame", "x", "reason")


PAIRS = pa.schema(
    [
        tables.field("protocol", pa.string(), "how pairs were chosen: fixed or 2019"),
        tables.field(
            "context", pa.int32(), "networks it is for, by their excerpt; 0 is all", "frames"
        ),
        tables.SHARDS.field("tempo_ratio"),
        tables.SHARDS.field("font"),
        tables.field("pair", pa.int32(), "running number; in `fixed` the same note at every tempo"),
        tables.SHARDS.field("piece_id"),
        tables.field("note_id", pa.int32(), "of the piece"),
        tables.field("frame", pa.int32(), "first frame at or after the onset", "frames"),
        tables.field("x", pa.float32(), "centre of the onset's notehead in the strip", "px"),
    ]
)


def choose(
    shards: dict[str, list[Path]],
    out: Path,
    contexts: list[int],
    count: int = 10_000,
    protocols: list[Protocol] = ("fixed",),
) -> None:
    """Write the table `PAIRS` of at most `count` pairs for each tempo, ordered by piece and time.

    shards: files of one split by tempo ratio, all of one sound font; contexts: frames. Pairs have
    their snippet and excerpt inside strip and recording, in `fixed` even that of the longest
    context at every tempo. Whether a piece lacks at some tempo is told on stderr.
    Raises ValueError for shards of several splits, and for a tempo that has several fonts, a piece
    twice, other tempi, or no pair.
    """
    if unknown := set(protocols) - set(get_args(Protocol)):
        raise ValueError(
            f"protocol is {unknown.pop()}; it is one of {', '.join(get_args(Protocol))}"
        )
    pools = {tempo_ratio: _pool(files, tempo_ratio) for tempo_ratio, files in shards.items()}
    splits = sorted({split for pool in pools.values() for split in pool["split"].unique()})
    if len(splits) > 1:
        raise ValueError(f"shards of several splits, {', '.join(splits)}, are mixed")
    inside = {
        (tempo_ratio, context): _inside(pool, tempo_ratio, context)
        for tempo_ratio, pool in pools.items()
        for context in contexts
    }
    chosen = []
    if "fixed" in protocols:
        _tell_missing(pools)
        chosen += _fixed(
            {tempo_ratio: inside[tempo_ratio, max(contexts)] for tempo_ratio in pools},
            count,
            max(contexts),
        )
    if "2019" in protocols:
        chosen += [_grid(pool, count, context) for (_, context), pool in inside.items()]
    parts = [
        pa.Table.from_pandas(part[PAIRS.names], PAIRS, preserve_index=False) for part in chosen
    ]
    with tables.replacing(out) as temporary:
        pq.write_table(pa.concat_tables(parts), temporary, compression="zstd")


def _pool(files: list[Path], tempo_ratio: str) -> pd.DataFrame:
    """All onsets of the shards of one tempo, by piece and time, one row each."""
    rows = pd.DataFrame(row for path in files for row in _rows(path))
    if rows.empty:
        raise ValueError(
            f"tempo {tempo_ratio}: no performance in {', '.join(map(str, files)) or 'no file'}"
        )
    if len(fonts := sorted(rows["font"].unique())) > 1:
        raise ValueError(
            f"tempo {tempo_ratio}: several sound fonts, {', '.join(fonts)}; "
            "pairs are chosen for one"
        )
    if others := sorted(set(rows["tempo_ratio"]) - {float(np.float32(tempo_ratio))}):
        raise ValueError(
            f"tempo {tempo_ratio}: the shards hold tempo {others[0]:g}; name each by its own"
        )
    if len(twice := rows.loc[rows["piece_id"].duplicated(), "piece_id"]):
        raise ValueError(
            f"tempo {tempo_ratio}: {twice.iloc[0]} is performed twice; is a file given twice?"
        )
    pool = rows.explode(list(_PER_ONSET), ignore_index=True)
    pool = pool[pool["frame"].notna() & pool["reason"].isna()]
    pool = pool.astype({"note_id": int, "frame": int, "x": np.float32})
    return pool.sort_values(["piece_id", "frame"], ignore_index=True)


def _rows(path: Path) -> Iterator[dict]:
    """A shard's performances without their sound and images: `frames` is how long the sound is.

    Raises ValueError, naming the file, for another schema or other spectrogram settings.
    """
    tables.read(path, tables.SHARDS, columns=[])
    with pq.ParquetFile(path) as file:
        columns = [*_PER_ROW, *_PER_ONSET, "spectrogram"]
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
            lengths = batch.column("spectrogram").value_lengths().to_pylist()
            rows = tables.shard_rows(batch, path)
            for row, values in zip(rows, lengths, strict=True):
                try:
                    sampling.check_settings(row["fps"], row["bins"])
                    if len(row["right"]) != 1:
                        raise ValueError(f"{len(row['right'])} images where one strip is wanted")
                except ValueError as error:
                    raise ValueError(f"{path}: {row['piece_id']}: {error}") from None
                yield row | {"frames": values // RETRIEVAL.bins, "right": row["right"][0]}


def _inside(pool: pd.DataFrame, tempo_ratio: str, context: int) -> pd.DataFrame:
    """The onsets of a pool that have the whole context about them."""
    places = (pool[name].to_numpy() for name in ("frame", "frames", "x", "right"))
    inside = pool[sampling.inside(*places, context)]
    if inside.empty:
        raise ValueError(
            f"tempo {tempo_ratio}: no onset has {context} frames and a snippet about it; "
            "leave out this "
            "tempo or the networks of this context"
        )
    return inside


def _tell_missing(pools: dict[str, pd.DataFrame]) -> None:
    """One line on stderr where some pieces are not there at every tempo."""
    held = [set(pool["piece_id"]) for pool in pools.values()]
    if missing := sorted(set.union(*held) - set.intersection(*held)):
        more = ", ..." if len(missing) > PIECES_NAMED else ""
        named = ", ".join(missing[:PIECES_NAMED]) + more
        print(
            f"no pairs of pieces that some tempo lacks: {len(missing)} ({named})", file=sys.stderr
        )


def _fixed(pools: dict[str, pd.DataFrame], count: int, context: int) -> Iterator[pd.DataFrame]:
    """The same notes at every tempo: those that lie inside everywhere, evenly spread."""
    first, *others = pools.values()
    common = first[NOTE]
    for pool in others:
        common = common.merge(pool[NOTE], on=NOTE)
    if common.empty:
        raise ValueError(
            f"no note has {context} frames about it at every tempo, {', '.join(pools)}; choose "
            "fewer tempi or shorter contexts"
        )
    common = common.sort_values(NOTE, ignore_index=True)
    common = common.iloc[evenly(len(common), count)]
    common = common.assign(pair=np.arange(len(common)), protocol="fixed", context=EVERY_CONTEXT)
    return (common.merge(pool, on=NOTE, validate="1:1") for pool in pools.values())


def _grid(pool: pd.DataFrame, count: int, context: int) -> pd.DataFrame:
    """The authors' choice: evenly over the ordered pool of one context and one tempo."""
    places = np.linspace(0, len(pool) - 1, min(count, len(pool))).astype(int)
    chosen = pool.iloc[places]
    return chosen.assign(pair=np.arange(len(chosen)), protocol="2019", context=context)
