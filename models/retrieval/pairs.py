"""Choose the audio-sheet pairs of an evaluation (B 3.1, 3.3).

`fixed`: the same notes for every network and every tempo, so that nothing but the network or the
tempo differs. `2019`: as the authors' code chooses, an even grid over all that fit one context at
one tempo, which makes the pairs differ with both.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models.dataset import ROWS_PER_READ, evenly_spaced
from models.reading import check_settings
from models.retrieval import sampling
from pipeline import tables
from pipeline.constants import RETRIEVAL
from pipeline.replacing import replacing
from pipeline.shard_rows import checked_rows

Protocol = Literal["fixed", "2019"]
DEFAULT_PROTOCOLS: list[Protocol] = ["fixed"]
EVERY_CONTEXT = 0
NOTE = ["piece_id", "note_id"]  # identifies a pair at every tempo
PIECES_NAMED = 3  # of those missing, in a message
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
    shards: list[Path],
    out: Path,
    contexts: list[int],
    *,
    count: int = 10_000,
    protocols: list[Protocol] = DEFAULT_PROTOCOLS,
) -> None:
    """Choose the audio-sheet pairs of an evaluation, and write them ordered by piece and time.

    All pairs have a complete snippet and excerpt; in `fixed` even that of the longest context at
    every tempo. Pieces that are missing at some tempo are reported.

    Args:
        shards: Parquet shards of one split and one sound font, at any number of tempi.
        out: Parquet table to write.
        contexts: frames of the excerpts that networks take.
        count: pairs for each tempo, at most.
        protocols: how pairs are chosen, `fixed` or `2019`.

    Raises:
        ValueError: if the shards are of several splits, a tempo has several fonts, the same piece
            twice, or no pair.
    """
    if unknown := set(protocols) - set(get_args(Protocol)):
        raise ValueError(f"protocol {unknown.pop()}; it is one of {', '.join(get_args(Protocol))}")
    pools = {
        tempo_ratio: _pool(paths, tempo_ratio)
        for tempo_ratio, paths in group_by_tempo(shards).items()
    }
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
        _report_missing(pools)
        longest = max(contexts)
        chosen += _fixed({ratio: inside[ratio, longest] for ratio in pools}, count, longest)
    if "2019" in protocols:
        chosen += [_grid(pool, count, context) for (_, context), pool in inside.items()]
    parts = [
        pa.Table.from_pandas(part[PAIRS.names], PAIRS, preserve_index=False) for part in chosen
    ]
    with replacing(out) as temporary:
        pq.write_table(pa.concat_tables(parts), temporary, compression="zstd")


def group_by_tempo(shards: Iterable[Path]) -> dict[float, list[Path]]:
    """Shards by the tempo ratio that their performances are played at; empty ones are left out.

    Raises:
        ValueError: if a file is not a shard, has several tempi or none, or all are empty.
    """
    groups: dict[float, list[Path]] = {}
    for path in shards:
        tables.read(path, tables.SHARDS, columns=[])
        ratios = pq.read_table(path, columns=["tempo_ratio"])["tempo_ratio"].unique().to_pylist()
        if None in ratios:
            raise ValueError(
                f"{path}: performances by people, which have no tempo ratio; 'retrieval conditions'"
                " compares them with others"
            )
        if len(ratios) > 1:
            raise ValueError(f"{path}: performances at several tempi, {ratios[0]:g} and others")
        for ratio in ratios:
            groups.setdefault(ratio, []).append(Path(path))
    if not groups:
        raise ValueError(f"no performance in {', '.join(map(str, shards)) or 'no file'}")
    return groups


def _pool(paths: list[Path], tempo_ratio: float) -> pd.DataFrame:
    """All onsets of the shards of one tempo, by piece and time, one row each."""
    rows = pd.DataFrame(row for path in paths for row in _performances(path))
    if len(fonts := sorted(rows["font"].unique())) > 1:
        raise ValueError(
            f"tempo {tempo_ratio:g}: several sound fonts, {', '.join(fonts)}; "
            "pairs are chosen for one"
        )
    if len(twice := rows.loc[rows["piece_id"].duplicated(), "piece_id"]):
        raise ValueError(
            f"tempo {tempo_ratio:g}: {twice.iloc[0]} is performed twice; is a file given twice?"
        )
    pool = rows.explode(list(_PER_ONSET), ignore_index=True)
    pool = pool[pool["frame"].notna() & pool["reason"].isna()]
    pool = pool.astype({"note_id": int, "frame": int, "x": np.float32})
    return pool.sort_values(["piece_id", "frame"], ignore_index=True)


def _performances(path: Path) -> Iterator[dict]:
    """A shard's performances without sound and images; `frames` is the length of the sound.

    Raises ValueError, naming the file, if its spectrogram settings differ from the networks'.
    """
    with pq.ParquetFile(path) as file:
        columns = [*_PER_ROW, *_PER_ONSET, "spectrogram"]
        for batch in file.iter_batches(ROWS_PER_READ, columns=columns):
            lengths = batch.column("spectrogram").value_lengths().to_pylist()
            rows = checked_rows(batch, path)
            for row, values in zip(rows, lengths, strict=True):
                try:
                    check_settings(row["fps"], row["bins"], RETRIEVAL)
                    if len(row["right"]) != 1:
                        raise ValueError(f"{len(row['right'])} images instead of one strip")
                except ValueError as error:
                    raise ValueError(f"{path}: {row['piece_id']}: {error}") from None
                yield row | {"frames": values // RETRIEVAL.bins, "right": row["right"][0]}


def _inside(pool: pd.DataFrame, tempo_ratio: float, context: int) -> pd.DataFrame:
    """The onsets of a pool that have a complete snippet and excerpt."""
    columns = (pool[name].to_numpy() for name in ("frame", "frames", "x", "right"))
    inside = pool[sampling.inside(*columns, context)]
    if inside.empty:
        raise ValueError(
            f"tempo {tempo_ratio:g}: no onset has {context} frames and a snippet around it; "
            "leave out this tempo or the networks of this context"
        )
    return inside


def _report_missing(pools: dict[float, pd.DataFrame]) -> None:
    """Print to stderr which pieces are missing at some tempo."""
    held = [set(pool["piece_id"]) for pool in pools.values()]
    if missing := sorted(set.union(*held) - set.intersection(*held)):
        more = ", ..." if len(missing) > PIECES_NAMED else ""
        named = ", ".join(missing[:PIECES_NAMED]) + more
        print(
            f"no pairs of pieces that are missing at some tempo: {len(missing)} ({named})",
            file=sys.stderr,
        )


def _fixed(pools: dict[float, pd.DataFrame], count: int, context: int) -> Iterator[pd.DataFrame]:
    """The same notes at every tempo: those complete at all of them, evenly spaced."""
    first, *others = pools.values()
    common = first[NOTE]
    for pool in others:
        common = common.merge(pool[NOTE], on=NOTE)
    if common.empty:
        raise ValueError(
            f"no note has {context} frames around it at every tempo; choose "
            "fewer tempi or shorter contexts"
        )
    common = common.sort_values(NOTE, ignore_index=True)
    common = common.iloc[evenly_spaced(len(common), count)]
    common = common.assign(pair=np.arange(len(common)), protocol="fixed", context=EVERY_CONTEXT)
    return (common.merge(pool, on=NOTE, validate="1:1") for pool in pools.values())


def _grid(pool: pd.DataFrame, count: int, context: int) -> pd.DataFrame:
    """The authors' choice: evenly over the ordered pool of one context and one tempo."""
    rows = np.linspace(0, len(pool) - 1, min(count, len(pool))).astype(int)
    chosen = pool.iloc[rows]
    return chosen.assign(pair=np.arange(len(chosen)), protocol="2019", context=context)
