"""Name pieces and printed positions as people do: title and composer, page, system and bar.

A shard knows ids and px alone. The tables that it was made from lie beside it in the folder of the
data set and know the rest; without them it stays unknown.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Place:
    """Where a note is printed; None is not known."""

    page: int | None = None  # from 0
    system: int | None = None  # of the page, from 0
    bar: str | None = None


@dataclass(frozen=True)
class Piece:
    """What a piece is called; empty is not known."""

    title: str = ""
    composer: str = ""
    notes: dict[int, Place] = field(default_factory=dict)  # by note_id
    moments: dict[float, Place] = field(default_factory=dict)  # by quarters in the printed score

    def place(self, note_id: int | None, moment: float | None) -> Place:
        """Where an onset is printed, by its note if that is known, else by its moment."""
        place = self.notes.get(note_id) if note_id is not None else None
        if place is None and moment is not None:
            place = self.moments.get(np.float32(moment).item())
        return place or Place()


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
    columns = ("notehead_id", "image", "system", "bar", "moment")
    heads = {
        (row["piece_id"], row["notehead_id"]): row
        for row in _rows(folder / f"noteheads/{chunk}.parquet", columns, wanted)
    }
    first: dict[tuple[str, int], int] = {}  # system of each page; those of a piece are numbered on
    for row in _rows(folder / f"systems/{chunk}.parquet", ("system", "image"), wanted):
        page = row["piece_id"], row["image"]
        first[page] = min(first.get(page, row["system"]), row["system"])
    found = {row["piece_id"]: Piece(row["title"] or "", row["composer"] or "") for row in about}
    for note in notes:
        head, piece = (
            heads.get((note["piece_id"], note["notehead_id"])),
            found.get(note["piece_id"]),
        )
        if head and piece:
            system = head["system"] - first.get((head["piece_id"], head["image"]), 0)
            place = Place(head["image"], system, head.get("bar"))
            piece.notes[note["note_id"]] = place
            if head.get("moment") is not None:
                moment = np.float32(head["moment"]).item()  # as a shard has it
                if piece.moments.setdefault(moment, place) != place:
                    piece.moments[moment] = Place()  # a grace note before a bar line, say
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
