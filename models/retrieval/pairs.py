"""Which audio-sheet pairs an evaluation is made of (B 3.1, 3.3).

`fixed`: the same notes for every network and every tempo, so that nothing but the network or the
tempo differs. `2019`: as the authors' code chooses, an even grid over all that fit one context at
one tempo, which makes the pairs differ with both.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from models.loop import evenly
from models.retrieval import sampling
from pipeline import tables

Protocol = Literal["fixed", "2019"]
EVERY_CONTEXT = 0


def _field(name: str, kind: pa.DataType, description: str, unit: str = "") -> pa.Field:
    return pa.field(name, kind, metadata={"description": description, "unit": unit})


PAIRS = pa.schema(
    [
        _field("protocol", pa.string(), "how pairs were chosen: fixed or 2019"),
        _field("context", pa.int32(), "networks it is for, by their excerpt; 0 is all", "frames"),
        tables.SHARDS.field("rho"),
        tables.SHARDS.field("font"),
        _field("pair", pa.int32(), "running number; in `fixed` the same note at every tempo"),
        tables.SHARDS.field("piece_id"),
        _field("note_id", pa.int32(), "of the piece"),
        _field("frame", pa.int32(), "first frame at or after the onset", "frames"),
        _field("x", pa.float32(), "centre of the onset's notehead in the strip", "px"),
    ]
)


def choose(
    shards: dict[str, list[Path]],
    out: Path,
    contexts: list[int],
    count: int = 10_000,
    protocols: list[Protocol] = ("fixed",),
) -> None:
    """Write the table `PAIRS` of at most `count` pairs for each tempo.

    shards: files of one split by tempo ratio, of one sound font; contexts: frames. Pairs have the whole excerpt of
    their context inside the recording, in `fixed` that of the longest one at every tempo.
    Raises ValueError where a tempo has several fonts, or no pair is left.
    """
    pools = [_pool(files, rho, contexts) for rho, files in shards.items()]
    tables_ = [pa.Table.from_pylist([], schema=PAIRS)]
    if "fixed" in protocols:
        tables_ += _fixed(pools, count, max(contexts))
    if "2019" in protocols:
        tables_ += [_grid(pool, count, context) for pool in pools for context in contexts]
    tables.write(pa.concat_tables(tables_).to_pylist(), PAIRS, out, row_group=2**16)


def _pool(files: list[Path], rho: str, contexts: list[int]) -> pd.DataFrame:
    """All onsets at one tempo by piece and time; a column for each context says who is inside."""
    data = sampling.read(files)
    if len(set(data.font)) > 1:
        raise ValueError(f"tempo {rho}: several sound fonts, {', '.join(sorted(set(data.font)))}")
    performed = np.bincount(data.piece[np.unique(data.performance, return_index=True)[1]])
    if performed.max() > 1:
        raise ValueError(f"tempo {rho}: {data.pieces[performed.argmax()]} is performed twice")
    pool = pd.DataFrame(
        {
            "rho": data.rho[data.performance],
            "font": np.array(data.font, object)[data.performance],
            "piece_id": np.array(data.pieces, object)[data.piece],
            "note_id": data.note_id,
            "frame": data.frame,
            "x": data.x,
            **{context: data.inside(context) for context in contexts},
        }
    )
    for context in contexts:
        if not pool[context].any():
            raise ValueError(f"tempo {rho}: no onset has {context} frames about it")
    return pool.sort_values(["piece_id", "frame"], kind="stable", ignore_index=True)


def _fixed(pools: list[pd.DataFrame], count: int, context: int) -> list[pa.Table]:
    """The same notes at every tempo: those inside the longest context everywhere."""
    keys = ["piece_id", "note_id"]
    common = pools[0].loc[pools[0][context], keys]
    for pool in pools[1:]:
        common = common.merge(pool.loc[pool[context], keys], on=keys)
    if common.empty:
        raise ValueError(f"no onset has {context} frames about it at every tempo")
    common = common.sort_values(keys, ignore_index=True)
    chosen = common.iloc[evenly(len(common), count)].reset_index(drop=True)
    chosen["pair"] = np.arange(len(chosen))
    return [_table(chosen.merge(pool, on=keys), "fixed", EVERY_CONTEXT) for pool in pools]


def _grid(pool: pd.DataFrame, count: int, context: int) -> pa.Table:
    """The authors' choice: evenly over the ordered pool of one context and one tempo."""
    inside = pool[pool[context]]
    places = np.linspace(0, len(inside) - 1, min(count, len(inside))).astype(int)
    chosen = inside.iloc[places].assign(pair=np.arange(len(places)))
    return _table(chosen, "2019", context)


def _table(chosen: pd.DataFrame, protocol: str, context: int) -> pa.Table:
    chosen = chosen.assign(protocol=protocol, context=context)
    return pa.Table.from_pandas(chosen[PAIRS.names], schema=PAIRS, preserve_index=False)
