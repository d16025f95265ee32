"""Build and read an index: the embedded printed positions of a collection."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from models.dataset import shard_columns
from models.retrieval import printed
from models.retrieval.inference import DEFAULT_WEIGHTS, embed_strip, load_network, weights_path
from models.retrieval.reading import decode_strip
from models.retrieval.weights import AnyNetwork
from models.weights import digest
from pipeline import tables
from pipeline.constants import EMBEDDING
from pipeline.replacing import require_other, require_writable

if TYPE_CHECKING:
    from lightning.fabric import Fabric  # takes seconds to import

PIECES_PER_ROW_GROUP = 16
COLUMNS = ["piece_id", "title", "composer", "width", "x", "page", "system", "bar", "vectors"]


INDEX = pa.schema(
    [
        tables.SHARDS.field("piece_id"),
        tables.field("title", pa.string(), "of the piece; null if not known"),
        tables.field("composer", pa.string(), "of the piece; null if not known"),
        tables.field("strip", pa.binary(), "PNG, 8-bit grey, white 255"),
        tables.field("width", pa.int32(), "of the strip", "px"),
        tables.field(
            "x", pa.list_(pa.float32()), "printed positions with an onset, in order", "px"
        ),
        tables.field(
            "note_id",
            pa.list_(pa.int32()),
            "of the first onset printed there; null if only people play it",
        ),
        tables.field("page", pa.list_(pa.int32()), "image that shows the position; null: unknown"),
        tables.field("system", pa.list_(pa.int32()), "of the page, from 0; null if not known"),
        tables.field("bar", pa.list_(pa.string()), "number of the bar; null if not known"),
        tables.field(
            "vectors", pa.list_(pa.float32()), "unit vectors of the snippets, flat, 32 each"
        ),
    ]
)  # the schema's metadata names the model, the SHA-256 of its weights file, and the dimensions


# --- writing ---------------------------------------------------------------------------------
def index(
    shards: list[Path],
    out: Path,
    *,
    weights: Path | None = None,
    precision: str = "bf16-mixed",
) -> None:
    """Build an index for `query`: embed every printed position of the pieces in shards.

    A piece may be performed any number of times: its strip is taken from the first performance,
    its positions from all. Pieces are embedded one by one, so memory does not grow with their
    number (but for their positions, about a hundred bytes each).

    Args:
        shards: Parquet shards of strips.
        out: Parquet table to write, a row a piece; none of the files that are read.
        weights: safetensors file that a training or `refine` wrote; by default the package's.
        precision: `bf16-mixed` or `32-true`.

    Raises:
        ValueError: naming file and piece, if shards or weights are not valid.
    """
    weights = weights_path(weights or DEFAULT_WEIGHTS)
    shards, out = [Path(path) for path in shards], Path(out)
    require_writable(out)
    require_other(out, [*shards, weights])
    positions = _positions(shards)
    if not positions:
        names = ", ".join(map(str, shards)) or "no file given"
        raise ValueError(f"no onset in the shards ({names})")
    fabric, network = load_network(weights, precision)
    metadata = {
        "model": network.name,
        "weights": digest(weights),
        "dimensions": str(EMBEDDING),
    }
    rows = _indexed(fabric, network, shards, positions)
    tables.write(rows, INDEX.with_metadata(metadata), out, row_group=PIECES_PER_ROW_GROUP)


class _Onset(NamedTuple):
    """Keys that identify a printed position in the tables beside a shard."""

    note_id: int | None  # None if only people play it: they number what they play themselves
    moment: float | None  # quarters in the printed score, of what people play


def _positions(shards: list[Path]) -> dict[str, dict[float, _Onset]]:
    """The printed positions (px) of every piece, each with the first onset that is printed there.

    Reads neither spectrograms nor images.

    Raises:
        ValueError: naming file and piece, if the piece has another strip than in a shard before.
    """
    positions: dict[str, dict[float, _Onset]] = {}
    ends: dict[str, list[int]] = {}  # where the strips end
    for path in shards:
        columns = ["piece_id", "performer", "note_id", "moment", "x", "reason", "right"]
        for row in shard_columns(path, columns):
            if ends.setdefault(row["piece_id"], row["right"]) != row["right"]:
                raise ValueError(
                    f"{path}: {row['piece_id']}: another strip than in a shard before; "
                    "index the shards of one run at a time"
                )
            of_piece = positions.setdefault(row["piece_id"], {})
            moments = row["moment"] or [None] * len(row["x"])
            for x, note_id, moment, reason in zip(
                row["x"], row["note_id"], moments, row["reason"], strict=True
            ):
                if reason is None:
                    before = of_piece.get(x, _Onset(None, None))
                    if row["performer"] is not None:
                        of_piece[x] = before._replace(moment=moment)
                    elif before.note_id is None or note_id < before.note_id:
                        of_piece[x] = before._replace(note_id=note_id)
    return {piece: of_piece for piece, of_piece in positions.items() if of_piece}


def _indexed(
    fabric: "Fabric",
    network: AnyNetwork,
    shards: list[Path],
    positions: dict[str, dict[float, _Onset]],
) -> Iterator[dict]:
    """Rows of INDEX, one a piece, in the order of the shards."""
    left = dict(positions)
    with tqdm(total=len(positions), desc="index", unit="piece", disable=None) as progress:
        for path in shards:
            known = printed.pieces(path, set(left))
            for row in shard_columns(path, ["piece_id", "images"]):
                if (of_piece := left.pop(row["piece_id"], None)) is None:
                    continue
                try:
                    strip = _strip(row["images"])
                    x = np.array(sorted(of_piece))
                    vectors = embed_strip(fabric, network, strip, x)
                except ValueError as error:
                    raise ValueError(f"{path}: {row['piece_id']}: {error}") from None
                about = known.get(row["piece_id"], printed.Piece())
                onsets = [of_piece[position] for position in x.tolist()]
                places = [about.place(*onset) for onset in onsets]
                yield {
                    "piece_id": row["piece_id"],
                    "title": about.title or None,
                    "composer": about.composer or None,
                    "strip": row["images"][0],
                    "width": strip.shape[1],
                    "x": x,
                    "note_id": [onset.note_id for onset in onsets],
                    "page": [place.page for place in places],
                    "system": [place.system for place in places],
                    "bar": [place.bar for place in places],
                    "vectors": vectors.ravel(),
                }
                progress.update()


def _strip(images: list[bytes]) -> np.ndarray:
    """The strip (200, width) uint8 of a piece."""
    if len(images) != 1:
        raise ValueError(
            f"{len(images)} images instead of one strip; these are no shards of strips"
        )
    return decode_strip(images[0])


# --- reading ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Index:
    """An index in memory, without its strips."""

    # of each piece
    pieces: list[str]  # piece_id
    titles: list[str]  # empty if not known
    composers: list[str]
    widths: np.ndarray  # px, of its strip
    # of each printed position
    piece: np.ndarray  # index into `pieces`, ascending
    x: np.ndarray  # px
    vectors: np.ndarray  # (positions, 32) unit vectors
    places: list[printed.Place]


def read_index(path: Path, weights: Path = DEFAULT_WEIGHTS) -> Index:
    """Read an index.

    Args:
        path: Parquet table that `index` wrote.
        weights: of the network that it was built with.

    Raises:
        FileNotFoundError: if a file does not exist.
        ValueError: if the index is corrupt or was built with other weights.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such index; make one with `python -m partimento index`"
        )
    if not weights.is_file():
        raise FileNotFoundError(f"{weights}: no such weights; name them with --weights")
    with _named(path):
        table = tables.read(path, INDEX, COLUMNS)
    metadata = {
        key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()
    }
    if metadata.get("weights") != digest(weights):
        raise ValueError(
            f"{path}: built with other weights ({metadata.get('model', 'unknown')}) than "
            f"{weights}; name those with --weights, or build it again: "
            "partimento index SHARDS... "
            f"--weights {weights} --out {path}"
        )
    counts = table["x"].combine_chunks().value_lengths().to_numpy()
    vectors = table["vectors"].combine_chunks().flatten().to_numpy().reshape(-1, EMBEDDING)
    return Index(
        pieces=table["piece_id"].to_pylist(),
        titles=[title or "" for title in table["title"].to_pylist()],
        composers=[composer or "" for composer in table["composer"].to_pylist()],
        widths=table["width"].to_numpy(),
        piece=np.repeat(np.arange(len(counts)), counts),
        x=table["x"].combine_chunks().flatten().to_numpy(),
        vectors=np.array(vectors),  # a copy that can be written to
        places=[
            printed.Place(*place)
            for place in zip(
                *(_flat(table, name) for name in ("page", "system", "bar")), strict=True
            )
        ],
    )


def _flat(table: pa.Table, name: str) -> list:
    return table[name].combine_chunks().flatten().to_pylist()


@contextmanager
def _named(path: Path):
    """Have an index that cannot be read raise a ValueError that names it."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{path}: corrupt ({str(error).strip()}); build it again") from None


def read_strips(path: Path, pieces: set[str]) -> dict[str, np.ndarray]:
    """The strips (200, width) uint8 of some pieces of an index, by piece_id."""
    with _named(path):
        wanted = pq.read_table(
            path, columns=["piece_id", "strip"], filters=[("piece_id", "in", sorted(pieces))]
        )
    return {row["piece_id"]: _strip([row["strip"]]) for row in wanted.to_pylist()}
