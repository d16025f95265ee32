"""A collection made searchable: every printed place of it, embedded once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from lightning.fabric import Fabric
from tqdm import tqdm

from models.dataset import ROWS_AT_ONCE
from models.retrieval.identify import batches, ready, sheet_vectors
from models.retrieval.network import Network, digest
from pipeline import tables
from pipeline.constants import (
    EMBEDDING,
    SNIPPET_FACTOR,
    SNIPPET_HEIGHT_PX,
    SNIPPET_WIDTH_PX,
    STRIP_HEIGHT_PX,
    WHITE,
)
from pipeline.images import grey
from pipeline.strips import snippet

DEFAULT_WEIGHTS = Path(__file__).parents[1] / "weights" / "retrieval.safetensors"
PIECES_AT_ONCE = 16  # written together


INDEX = pa.schema(
    [
        tables.SHARDS.field("piece_id"),
        tables.field("strip", pa.binary(), "PNG, 8-bit grey, white 255"),
        tables.field("width", pa.int32(), "of the strip", "px"),
        tables.field("x", pa.list_(pa.float32()), "printed places with an onset, in order", "px"),
        tables.field("note_id", pa.list_(pa.int32()), "first onset that is printed there"),
        tables.field(
            "vectors", pa.list_(pa.float32()), "unit vectors of the snippets, flat, 32 each"
        ),
    ]
)  # the schema's metadata names the model, the SHA-256 of its weights file, and the dimensions


# --- writing ---------------------------------------------------------------------------------
def index(
    shards: list[Path | str],
    out: Path | str,
    *,
    weights: Path | str | None = None,
    precision: str = "bf16-mixed",
    accelerator: str = "auto",
) -> None:
    """Embed every printed place of the pieces in the shards and write the table `INDEX` to `out`.

    A piece may be performed any number of times: its strip is taken from the first performance,
    its places from all. Pieces are embedded one by one, so memory does not grow with their number
    (but for their places, a few bytes each).
    weights: by default those that come with the package.
    Raises ValueError, naming file and piece, where shards or weights do not fit.
    """
    weights = Path(weights or DEFAULT_WEIGHTS)
    shards = [Path(path) for path in shards]
    places = _places(shards)
    if not places:
        names = ", ".join(map(str, shards)) or "no file given"
        raise ValueError(f"no onset in the shards ({names})")
    fabric, module = ready(weights, precision, accelerator)
    metadata = {
        "model": module.name,
        "weights": digest(weights),
        "dimensions": str(EMBEDDING),
    }
    rows = _indexed(fabric, module, shards, places)
    tables.write(rows, INDEX.with_metadata(metadata), out, row_group=PIECES_AT_ONCE)


def _places(shards: list[Path]) -> dict[str, dict[float, int]]:
    """The places (px) of every piece, each with the smallest note_id printed there.

    Reads neither spectrograms nor images.
    """
    places: dict[str, dict[float, int]] = {}
    for row in _rows(shards, ["piece_id", "note_id", "x", "reason"]):
        own = places.setdefault(row["piece_id"], {})
        for x, note_id, reason in zip(row["x"], row["note_id"], row["reason"], strict=True):
            if reason is None:
                own[x] = min(note_id, own.get(x, note_id))
    return {piece: own for piece, own in places.items() if own}


def _rows(shards: list[Path], columns: list[str]) -> Iterator[dict]:
    """Some columns of the shards, a few rows in memory at a time."""
    for path in shards:
        tables.read(path, tables.SHARDS, columns=[])
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
                for row in tables.shard_rows(batch, path):
                    yield row | {"path": path}


def _indexed(
    fabric: Fabric, module: Network, shards: list[Path], places: dict[str, dict[float, int]]
) -> Iterator[dict]:
    """Rows of INDEX, one a piece, in the order of the shards."""
    left = dict(places)
    with tqdm(total=len(places), desc="index", unit="piece", disable=None) as progress:
        for row in _rows(shards, ["piece_id", "images"]):
            own = left.pop(row["piece_id"], None)
            if own is None:
                continue
            try:
                strip = _strip(row["images"])
                x = np.array(sorted(own))
                images = batches(lambda part, strip=strip: _images(strip, part), x)
                found = sheet_vectors(fabric, module, images)
            except ValueError as error:
                raise ValueError(f"{row['path']}: {row['piece_id']}: {error}") from None
            yield {
                "piece_id": row["piece_id"],
                "strip": row["images"][0],
                "width": strip.shape[1],
                "x": x,
                "note_id": [own[place] for place in x.tolist()],
                "vectors": found.ravel(),
            }
            progress.update()


def _strip(images: list[bytes]) -> np.ndarray:
    """The strip (200, W) uint8 of a piece."""
    if len(images) != 1:
        raise ValueError(
            f"{len(images)} images instead of one strip; these are no shards of strips"
        )
    strip = grey(images[0])
    if len(strip) != STRIP_HEIGHT_PX:
        raise ValueError(f"the strip is {len(strip)} px high, not {STRIP_HEIGHT_PX}")
    return strip


def _images(strip: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Snippets about the places x (n,), px, as the network sees them: (n, 1, 80, 100) float32."""
    whole = np.stack([snippet(strip, place) for place in x]).astype(np.float32)
    rows, columns = SNIPPET_HEIGHT_PX // SNIPPET_FACTOR, SNIPPET_WIDTH_PX // SNIPPET_FACTOR
    halved = whole.reshape(len(x), 1, rows, SNIPPET_FACTOR, columns, SNIPPET_FACTOR)
    return halved.mean(axis=(3, 5)) / WHITE


# --- reading ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Collection:
    """An index in memory, without its strips. Per place, (places,) each: piece, x."""

    pieces: list[str]
    widths: np.ndarray  # px, of each piece's strip
    piece: np.ndarray  # index into pieces
    x: np.ndarray  # px
    vectors: np.ndarray  # (places, 32)


def read(path: Path, weights: Path) -> Collection:
    """The places and vectors of an index. ValueError where it is damaged or of other weights."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such index; make one with `python -m models index`")
    if not weights.is_file():
        raise FileNotFoundError(f"{weights}: no such weights; name them with --weights")
    with _whole(path):
        table = tables.read(path, INDEX, ["piece_id", "width", "x", "vectors"])
    metadata = {
        key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()
    }
    if metadata.get("weights") != digest(weights):
        raise ValueError(
            f"{path}: made with other weights ({metadata.get('model', 'unknown')}) than {weights}; "
            f"name those with --weights, or make it again: python -m models index --shards ... "
            f"--weights {weights} --out {path}"
        )
    counts = table["x"].combine_chunks().value_lengths().to_numpy()
    vectors = table["vectors"].combine_chunks().flatten().to_numpy().reshape(-1, EMBEDDING)
    return Collection(
        pieces=table["piece_id"].to_pylist(),
        widths=table["width"].to_numpy(),
        piece=np.repeat(np.arange(len(counts)), counts),
        x=table["x"].combine_chunks().flatten().to_numpy(),
        vectors=np.array(vectors),  # its own, as a view it could not be written to
    )


@contextmanager
def _whole(path: Path):
    """What cannot be read of an index inside the block is a ValueError that names it."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{path}: damaged ({str(error).strip()}); make it again") from None


def strips(path: Path, pieces: set[str]) -> dict[str, np.ndarray]:
    """The strips of some pieces of an index."""
    with _whole(path):
        wanted = pq.read_table(
            path, columns=["piece_id", "strip"], filters=[("piece_id", "in", sorted(pieces))]
        )
    return {row["piece_id"]: _strip([row["strip"]]) for row in wanted.to_pylist()}
