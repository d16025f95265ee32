"""Which score is this: a collection made searchable, and a recording sought in it.

`index` embeds every printed place of a collection once. `query` cuts windows out of a recording
and finds the places whose vectors lie nearest to theirs. Each window votes for the pieces of its
nearest places, as in `identify`; the best single matches are drawn side by side.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from lightning.fabric import Fabric
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from models import canvas
from models.retrieval import audio, search
from models.retrieval.identify import (
    NEIGHBOURS,
    audio_vectors,
    batches,
    ready,
    sheet_vectors,
    votes,
)
from models.retrieval.network import Network, digest
from models.shards import ROWS_AT_ONCE
from pipeline import tables
from pipeline.constants import (
    EMBEDDING,
    RETRIEVAL,
    SNIPPET_FACTOR,
    SNIPPET_HEIGHT_PX,
    SNIPPET_WIDTH_PX,
    STRIP_HEIGHT_PX,
    WHITE,
)
from pipeline.strips import snippet

DEFAULT_WEIGHTS = Path(__file__).parents[1] / "weights" / "retrieval.safetensors"
WINDOWS = 100  # of a recording, at most
STEP_FRAMES = 10  # between windows of a short recording, 0.5 s
PIECES_AT_ONCE = 16  # written together
WIDTH_IN, ROW_IN = 7.0, 2.0  # of the picture, and of a match in it
LONGEST_NAME = 60  # letters over a match


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


# --- index -----------------------------------------------------------------------------------
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
                for row in batch.to_pylist():
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
    try:
        with Image.open(io.BytesIO(images[0])) as picture:
            strip = np.array(picture.convert("L"))
    except UnidentifiedImageError:
        raise ValueError("the strip is no image; make the shard again") from None
    if len(strip) != STRIP_HEIGHT_PX:
        raise ValueError(f"the strip is {len(strip)} px high, not {STRIP_HEIGHT_PX}")
    return strip


def _images(strip: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Snippets about the places x (n,), px, as the network sees them: (n, 1, 80, 100) float32."""
    whole = np.stack([snippet(strip, place) for place in x]).astype(np.float32)
    rows, columns = SNIPPET_HEIGHT_PX // SNIPPET_FACTOR, SNIPPET_WIDTH_PX // SNIPPET_FACTOR
    halved = whole.reshape(len(x), 1, rows, SNIPPET_FACTOR, columns, SNIPPET_FACTOR)
    return halved.mean(axis=(3, 5)) / WHITE


# --- query -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Collection:
    """An index in memory, without its strips. Per place, (places,) each: piece, x."""

    pieces: list[str]
    widths: np.ndarray  # px, of each piece's strip
    piece: np.ndarray  # index into pieces
    x: np.ndarray  # px
    vectors: np.ndarray  # (places, 32)


@dataclass(frozen=True)
class Match:
    """A window of the recording, and the place that it was found at."""

    score: float  # cosine
    piece: int
    x: float  # px
    window: int


def query(
    recording: Path,
    *,
    index: Path,
    weights: Path | None = None,
    at: float | None = None,
    top: int = 5,
    out: Path | None = None,
) -> None:
    """Find the score of a recording: print the best pieces and places, and draw them.

    recording: any sound file; index: what the command `index` wrote; weights: of the network that
    the index was built with, by default those that come with the package; at: the second about
    which to listen, by default up to 100 windows over the whole recording; top: how many pieces
    and places to show; out: the picture, by default `<recording>-matches.png` in this folder.

    Raises FileNotFoundError, or ValueError that names the file and the remedy.
    """
    if top < 1:
        raise ValueError(f"--top is {top}; ask for one or more")
    out = Path(out or f"{recording.stem}-matches.png")
    weights = Path(weights or DEFAULT_WEIGHTS)
    collection = read(index, weights)
    fabric, module = ready(weights, "32-true", "auto")
    frames, excerpts = listen(recording, module.context, at)
    vectors = audio_vectors(
        fabric, module, batches(lambda own: excerpts[own], np.arange(len(excerpts)))
    )
    scores, places = search.nearest(
        vectors, collection.vectors, min(NEIGHBOURS, len(collection.vectors))
    )
    counts = votes(collection.piece[places], len(collection.pieces))
    found = matches(scores, places, collection.piece, collection.x, top)
    _print(collection, counts, found, frames, places.size, top)
    _draw(index, collection, found, frames, excerpts, _attention(fabric, module, excerpts), out)
    print(f"\npicture: {out}")


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


def centres(count: int, context: int) -> np.ndarray:
    """Middle frames of the windows over a recording of `count` frames: (windows,) int64.

    Equally spaced, about half a second apart or so that there are WINDOWS, inside the recording;
    a single one where it is no longer than a window.
    """
    if count <= context:
        return np.array([count // 2])
    first, last = context // 2, count - context + context // 2
    windows = min(WINDOWS, 1 + (last - first) // STEP_FRAMES)
    if windows == 1:
        return np.array([count // 2])
    return np.rint(np.linspace(first, last, windows)).astype(np.int64)


def listen(recording: Path, context: int, at: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Windows of a recording, (n,) middle frames and (n, 1, 92, context) float32.

    With `at` the one about that second, else those of `centres`. Windows in which nothing sounds
    are left out. Raises ValueError where nothing is left, or `at` lies outside.
    """
    with audio.opened(recording) as sound:
        count = audio.count(sound)
        seconds = count / RETRIEVAL.fps
        if at is None:
            frames = centres(count, context)
        elif 0 <= at < seconds:
            frames = np.array([round(at * RETRIEVAL.fps)])
        else:
            raise ValueError(f"{recording}: {at:g} s is outside; it lasts {seconds:.1f} s")
        cut = [audio.stretch(sound, frame - context // 2, context) for frame in frames.tolist()]
    heard = np.array([audio.sounds(window) for window in cut])
    if not heard.any():
        where = "" if at is None else f" about {at:g} s"
        raise ValueError(f"{recording}: the recording is silent{where}; there is nothing to find")
    excerpts = np.stack(cut)[heard].transpose(0, 2, 1)[:, None]
    return frames[heard], np.ascontiguousarray(excerpts)


def matches(
    scores: np.ndarray, places: np.ndarray, piece: np.ndarray, x: np.ndarray, top: int
) -> list[Match]:
    """The best pairs of a window and a place, no two of which show the same notes.

    scores, places: (windows, k) cosines and rows of the index, as `search.nearest` gives them;
    piece, x: (places,) of the index. A place whose snippet shares more than half of its width
    with one that is taken already is passed over.
    """
    found: list[Match] = []
    for entry in np.argsort(-scores, axis=None, kind="stable"):
        window, column = np.unravel_index(entry, scores.shape)
        row = places[window, column]
        new = Match(float(scores[window, column]), int(piece[row]), float(x[row]), int(window))
        if all(
            new.piece != old.piece or abs(new.x - old.x) > SNIPPET_WIDTH_PX / 2 for old in found
        ):
            found.append(new)
        if len(found) == top:
            break
    return found


# --- result ----------------------------------------------------------------------------------
def _seconds(frame: int) -> float:
    return frame / RETRIEVAL.fps


def _print(
    collection: Collection,
    counts: np.ndarray,
    found: list[Match],
    frames: np.ndarray,
    cast: int,
    top: int,
) -> None:
    """The best pieces by votes, and the best places by cosine."""
    print(
        f"sought in {len(collection.pieces):,} pieces with {len(collection.x):,} places, ", end=""
    )
    print(f"listened at {len(frames)} place{'s' * (len(frames) > 1)}")
    print("\nvotes   piece")
    for piece in np.argsort(-counts, kind="stable")[:top]:
        if counts[piece]:
            print(f"{counts[piece] / cast:6.1%}  {collection.pieces[piece]}")
    print("\ncosine  heard at    printed at             piece")
    for match in found:
        width = collection.widths[match.piece]
        printed = f"{match.x:,.0f} px ({match.x / width:.0%} of it)"
        heard = f"{_seconds(frames[match.window]):,.1f} s"
        print(f"{match.score:6.3f}  {heard:>8}    {printed:<21}  {collection.pieces[match.piece]}")


@torch.inference_mode()
def _attention(fabric: Fabric, module: Network, excerpts: np.ndarray) -> np.ndarray | None:
    """Weights (n, T) of the frames of excerpts (n, 1, 92, T), None where the network has none."""
    if not module.attends:
        return None
    with fabric.autocast():
        return module.attention(fabric.to_device(torch.from_numpy(excerpts))).float().cpu().numpy()


def _strips(index: Path, pieces: set[str]) -> dict[str, np.ndarray]:
    """The strips of some pieces of an index."""
    with _whole(index):
        wanted = pq.read_table(
            index, columns=["piece_id", "strip"], filters=[("piece_id", "in", sorted(pieces))]
        )
    return {row["piece_id"]: _strip([row["strip"]]) for row in wanted.to_pylist()}


def _draw(
    index: Path,
    collection: Collection,
    found: list[Match],
    frames: np.ndarray,
    excerpts: np.ndarray,
    attention: np.ndarray | None,
    out: Path,
) -> None:
    """A row for each match: what was heard, with the attention to it, beside what is printed."""
    strips = _strips(index, {collection.pieces[match.piece] for match in found})
    with mpl.rc_context(canvas.STYLE):
        figure = canvas.new(WIDTH_IN, ROW_IN * len(found) + 0.3)
        rows = figure.subplots(len(found), 2, squeeze=False, width_ratios=[1.4, 1])
        for (sound, sheet), match in zip(rows, found, strict=True):
            name, at = collection.pieces[match.piece], _seconds(frames[match.window])
            _draw_sound(sound, excerpts[match.window, 0], at)
            if attention is not None:
                _draw_attention(sound, attention[match.window])
            title = f"{_short(name)}\nheard at {at:,.1f} s"
            sound.set_title(title, loc="left", parse_math=False)
            canvas.show(sheet, snippet(strips[name], match.x), cmap="gray", vmin=0, vmax=WHITE)
            sheet.set_title(f"printed at {match.x:,.0f} px\ncosine {match.score:.3f}", loc="left")
        rows[-1, 0].set_xlabel("time (s)")
        with tables.replacing(out) as temporary:
            figure.savefig(temporary, format="png", dpi=canvas.DPI, metadata=canvas.UNDATED[".png"])


def _draw_sound(axes, excerpt: np.ndarray, at: float) -> None:
    """An excerpt (bins, T) over the seconds of its recording, a line where its middle is."""
    bins, context = excerpt.shape
    begin = at - context // 2 / RETRIEVAL.fps
    axes.imshow(
        excerpt,
        origin="lower",
        aspect="auto",
        cmap="magma",
        extent=(begin, begin + context / RETRIEVAL.fps, 0, bins),
    )
    axes.axvline(at, color="white", linewidth=1, linestyle=":")
    axes.set(yticks=[], ylabel=f"{bins} bins")


def _draw_attention(axes, weights: np.ndarray) -> None:
    """Weights (T,) of the frames as steps over their excerpt; the dashed line is even attention."""
    left, right = axes.images[0].get_extent()[:2]
    edges = np.linspace(left, right, len(weights) + 1)
    own = axes.twinx()
    own.stairs(len(weights) * weights, edges, color="white", linewidth=1)
    own.axhline(1, color="white", linewidth=0.5, linestyle="--")
    own.set(xlim=(left, right), ylim=(0, None), ylabel="attention")
    own.spines[:].set_visible(False)


def _short(name: str) -> str:
    """The end of a long name, which tells pieces apart."""
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"
