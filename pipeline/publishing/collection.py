"""What others are given of a collection: rows with pages and sound inside, file after file."""

import posixpath
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import tables
from pipeline.constants import STAFF_HEIGHT_PX, STAFF_WIDTH_PX
from pipeline.describing import counts, croissant, features, last_run
from pipeline.reading import catalogue, licences
from pipeline.reading.recording_files import RECORDED, RECORDINGS

ABOUT = ("composer", "title", "lyricist", "licence", "source")  # of PIECES, in every row
NESTED = {"systems": tables.SYSTEMS, "noteheads": tables.NOTEHEADS, "notes": tables.NOTES}
RATIO_DECIMALS = 6  # that single precision holds
OF_RECORDINGS = re.compile(rf"/{RECORDINGS}[/-]{RECORDED}[/-]\d+\.parquet$")
KEY = ["piece_id", "font", "performer", "room"]  # tell performances apart, with the tempo ratio


@dataclass(frozen=True)
class Collection:
    """A collection as the last run left it, less its recordings of people.

    Attributes:
        folder: Its data.
        shard_files: The shards of that run; others may lie beside them.
        pieces: Rows of PIECES without score and melody, by piece id, of the pieces that go out.
        left_out: Why the others stay, by piece id.
        bins: Frequency bins of a frame.
    """

    folder: Path
    shard_files: list[Path]
    pieces: dict[str, dict]
    left_out: dict[str, str]
    bins: int

    def tables(self, name: str) -> list[Path]:
        """The files of a table, one a chunk, in order of name."""
        return last_run.files(self.folder, name)

    def has_recordings(self) -> bool:
        """Whether recordings of people are in it, which stay."""
        return (self.folder / "performances" / RECORDINGS).is_dir()

    def shards(self, split: str) -> list[Path]:
        """The shards of a split, in order of name."""
        return [path for path in self.shard_files if path.parent.name == split]

    def performance_tables(self) -> list[Path]:
        """The tables of performances that the shards were made of, in order of name."""
        names = {path.stem for path in self.shard_files}
        return sorted(
            path
            for path in (self.folder / "performances").glob("*/*/*.parquet")
            if f"{path.parent.parent.name}-{path.parent.name}-{path.stem}" in names
        )

    def layout(self) -> str:
        """What an image shows: staves or pages."""
        for path in self.tables("images"):
            for row in tables.read(path, tables.IMAGES, ["width", "height"])[:1].to_pylist():
                staff = {"width": STAFF_WIDTH_PX, "height": STAFF_HEIGHT_PX}
                return "staves" if row == staff else "pages"
        return "pages"


def read(folder: Path, allowed: list[str]) -> Collection:
    """Read which pieces of a collection go out.

    Args:
        folder: Data of the collection, as results/data/piano.
        allowed: Licences, word by word, that allow redistribution although they are not known.

    Raises:
        ValueError: If the folder holds no collection, chunks of two runs with different numbers of
            them, or no piece that may be handed on.
    """
    files = last_run.files(folder, "pieces")
    shards = _shards(folder)
    if not files or not shards:
        raise ValueError(
            f"{folder}: no pieces and shards in it; name the data of a collection, as"
            " results/data/piano, after a run"
        )
    columns = ["piece_id", "split", "reason", *ABOUT]
    rows = _without_folders(
        [row for path in files for row in tables.read(path, tables.PIECES, columns).to_pylist()]
    )
    kept_ids = (row["piece_id"] for row in rows if row["reason"] is None)
    for name, number in Counter(kept_ids).items():
        if number > 1:
            raise ValueError(
                f"{folder}/pieces: the piece {name} is in it {number} times; chunks of a run with"
                " another number of them are left: let the last run finish, or remove them"
            )
    kept = {row["piece_id"]: row for row in rows if row["reason"] is None}
    reasons = {name: licences.forbidden(row["licence"], allowed) for name, row in kept.items()}
    split_of = counts.splits(shards, tables.SHARDS)  # where works in common may have moved them
    pieces = {
        name: row | {"split": split_of.get(name, row["split"])}
        for name, row in kept.items()
        if reasons[name] is None
    }
    if not pieces:
        raise ValueError(f"{folder}: no piece of it may be handed on. {licences.RULE}")
    left_out = {name: reason for name, reason in reasons.items() if reason}
    return Collection(folder, shards, pieces, left_out, _bins(shards))


def _without_folders(rows: list[dict]) -> list[dict]:
    """Rows whose sources outside of the working folder are relative to the folder that has them
    all, and mere names if no folder has: where users keep their scores is nobody else's business.
    """
    outside = {
        row["source"]: posixpath.abspath(row["source"])
        for row in rows
        if row["source"] and posixpath.normpath(row["source"]).startswith(("/", "../"))
    }
    folder = posixpath.commonpath(map(posixpath.dirname, outside.values())) if outside else ""
    if folder.strip("/"):
        inner = {source: posixpath.relpath(path, folder) for source, path in outside.items()}
    else:
        inner = {source: posixpath.basename(path) for source, path in outside.items()}
    return [row | {"source": inner.get(row["source"], row["source"])} for row in rows]


def _shards(folder: Path) -> list[Path]:
    """The shards that the last run listed in its description, less those of recordings."""
    files = sorted((folder / "shards").glob("*/*.parquet"))
    files = [path for path in files if not path.name.startswith(".")]
    known = croissant.listed(folder / "croissant.json")
    if known is not None:
        ours = [path for path in files if path.relative_to(folder).as_posix() in known]
        if others := sorted(set(files) - set(ours)):
            print(
                f"shards of runs with other settings stay: {len(others):,}, as {others[-1]}",
                file=sys.stderr,
            )
        files = ours
    return [path for path in files if not OF_RECORDINGS.search(path.as_posix())]


def _bins(shards: list[Path]) -> int:
    for path in shards:
        for row in tables.read(path, tables.SHARDS, ["bins"])[:1].to_pylist():
            return row["bins"]
    raise ValueError(f"{shards[0].parents[1]}: no performance in any shard")


# --- performances ------------------------------------------------------------------------------
def performances_schema(bins: int) -> pa.Schema:
    """SHARDS with what is known of the piece, and with sound and images as the hub shows them."""
    columns = []
    for column in tables.SHARDS:
        if column.name == "spectrogram":
            unit = column.metadata[b"unit"].decode()
            column = features.matrix("spectrogram", bins, "frames x bins", unit)
        elif column.name == "images":
            column = features.image("images", column.metadata[b"description"].decode())
        columns.append(column)
        if column.name == "piece_id":
            columns += [tables.PIECES.field(name) for name in ABOUT]
            columns.append(features.audio("audio", "FLAC; null if no recording was kept"))
    return features.with_metadata(pa.schema(columns))


def performances(collection: Collection, split: str) -> Iterator[dict]:
    """The rows of a split, in the order of its shards."""
    recordings = _recordings(collection)
    for path in collection.shards(split):
        for batch in pq.ParquetFile(path).iter_batches(1, columns=tables.SHARDS.names):
            if batch["piece_id"][0].as_py() not in collection.pieces:
                continue
            values = batch["spectrogram"][0].values.to_numpy()
            rest = [name for name in tables.SHARDS.names if name != "spectrogram"]
            (row,) = batch.select(rest).to_pylist()
            about = {name: collection.pieces[row["piece_id"]][name] for name in ABOUT}
            audio = recordings.get(_key(row))
            yield (
                row
                | about
                | {
                    "audio": {"bytes": audio.read_bytes(), "path": audio.name} if audio else None,
                    "spectrogram": list(np.reshape(values, (-1, collection.bins))),
                    "images": _images(row["piece_id"], row["images"]),
                }
            )


def _images(piece: str, pngs: list[bytes]) -> list[dict]:
    return [
        {"bytes": png, "path": f"{piece}-{number}.png"} for number, png in enumerate(pngs, start=1)
    ]


def _key(row: dict) -> tuple:
    """What tells a performance from all others."""
    ratio = row["tempo_ratio"]
    rounded = None if ratio is None else round(ratio, RATIO_DECIMALS)
    return rounded, *(row[name] for name in KEY)


def _recordings(collection: Collection) -> dict[tuple, Path]:
    """The recordings that were kept, by `_key`."""
    folder = collection.folder / "performances"
    found = {}
    for path in collection.performance_tables():
        audio = collection.folder / "audio" / path.relative_to(folder).with_suffix("")
        columns = [*KEY, "tempo_ratio", "audio"]
        for row in tables.read(path, tables.PERFORMANCES, columns).to_pylist():
            if row["audio"] and (audio / row["audio"]).is_file():
                found[_key(row)] = audio / row["audio"]
    return found


# --- scores ------------------------------------------------------------------------------------
def scores_schema() -> pa.Schema:
    """A piece a row: its pages, and what is printed and sounds, linked by `notehead_id`."""
    nested = [
        tables.field(
            name,
            pa.list_(pa.struct([column for column in schema if column.name != "piece_id"])),
            f"{name} of the piece; px of the image, seconds at tempo ratio 1",
        )
        for name, schema in NESTED.items()
    ]
    first = [tables.PIECES.field(name) for name in ("piece_id", "split", *ABOUT)]
    pages = features.image("pages", "pages, or the staves of a tune; grey")
    return features.with_metadata(pa.schema([*first, pages, *nested]))


def scores(collection: Collection, split: str) -> Iterator[dict]:
    """The rows of the pieces of a split that were engraved, in the order of the tables."""
    wanted = {name for name, row in collection.pieces.items() if row["split"] == split}
    for path in collection.tables("images"):
        pages = _by_piece(path, tables.IMAGES, wanted)
        parts = {
            name: _by_piece(collection.folder / name / path.name, schema, wanted)
            for name, schema in NESTED.items()
        }
        for piece, images in pages.items():
            row = {name: collection.pieces[piece][name] for name in ("piece_id", "split", *ABOUT)}
            row["pages"] = _images(piece, [image["png"] for image in images])
            yield row | {name: found.get(piece, []) for name, found in parts.items()}


def _by_piece(path: Path, schema: pa.Schema, wanted: set[str]) -> dict[str, list[dict]]:
    """The rows of those pieces that are wanted, by piece id."""
    found: dict[str, list[dict]] = {}
    for row in tables.read(path, schema).to_pylist():
        piece = row.pop("piece_id")
        if piece in wanted:
            found.setdefault(piece, []).append(row)
    return found


def splits(collection: Collection) -> list[str]:
    """The splits that have pieces to hand on."""
    held = {row["split"] for row in collection.pieces.values()}
    return [split for split in catalogue.SPLITS if split in held]
