"""Name pieces and printed positions as people do: title and composer, page, system and bar.

A shard knows ids and px alone. The tables that it was made from lie beside it in the folder of the
data set and know the rest; without them it stays unknown.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Place:
    """Where a note is printed; None is not known."""

    page: int | None = None  # from 0
    system: int | None = None  # of the piece, from 0
    bar: str | None = None


@dataclass(frozen=True)
class Piece:
    """What a piece is called; empty is not known."""

    title: str = ""
    composer: str = ""
    places: dict[int, Place] = field(default_factory=dict)  # by note_id


def pieces(shard: Path, wanted: set[str]) -> dict[str, Piece]:
    """What the tables of a data set know of some pieces of one of its shards.

    Args:
        shard: `DATA/shards/SPLIT/FONT-RATIO-CHUNK.parquet`.
        wanted: piece ids.

    Returns:
        Pieces by id; those that no table knows are missing.
    """
    folder, chunk = shard.resolve().parent.parent.parent, shard.stem.rpartition("-")[2]
    about = _rows(folder / f"pieces/{chunk}.parquet", ("title", "composer"), wanted)
    notes = _rows(folder / f"notes/{chunk}.parquet", ("note_id", "notehead_id"), wanted)
    heads = {
        (row["piece_id"], row["notehead_id"]): Place(row["image"], row["system"], row.get("bar"))
        for row in _rows(
            folder / f"noteheads/{chunk}.parquet", ("notehead_id", "image", "system", "bar"), wanted
        )
    }
    found = {row["piece_id"]: Piece(row["title"] or "", row["composer"] or "") for row in about}
    for note in notes:
        place = heads.get((note["piece_id"], note["notehead_id"]))
        if place and note["piece_id"] in found:
            found[note["piece_id"]].places[note["note_id"]] = place
    return found


def _rows(path: Path, columns: tuple[str, ...], wanted: set[str]) -> list[dict]:
    """Some columns of a table, of the wanted pieces; no rows if there is no such table."""
    if not path.is_file():
        return []
    there = [name for name in ("piece_id", *columns) if name in pq.read_schema(path).names]
    chosen = pc.field("piece_id").isin(pa.array(sorted(wanted), pa.string()))
    return pq.read_table(path, columns=there, filters=chosen).to_pylist()


def named(title: str, composer: str, piece_id: str) -> str:
    """A piece in words: "Minuet, by Christian Petzold"; its id if the title is not known."""
    return (title or piece_id) + (f", by {composer}" if composer else "")


def located(place: Place, x: float, width: int) -> str:
    """A position in words: "page 2, system 3, bar 12"; px of the strip if nothing is known."""
    if place.page is None or place.system is None:
        return f"{x:,.0f} px ({x / width:.0%} of it)"
    bar = f", bar {place.bar}" if place.bar else ""
    return f"page {place.page + 1}, system {place.system + 1}{bar}"
