"""Which score is this: a recording sought in an index.

Windows of the recording are brought to the level that the networks learned from, and laid along
each piece in their order: the piece that they fit best comes first. The best single matches of a
window and a printed place are drawn side by side.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from lightning.fabric import Fabric
from scipy.ndimage import maximum_filter1d

from models import plotting
from models.retrieval import audio, search
from models.retrieval.identify import NEIGHBOURS, audio_vectors, batches, ready
from models.retrieval.index import DEFAULT_WEIGHTS, Collection, read, strips
from models.retrieval.network import Network
from pipeline import tables
from pipeline.constants import RETRIEVAL, SNIPPET_WIDTH_PX, WHITE
from pipeline.strips import snippet

WINDOWS = 100  # of a recording, at most
STEP_FRAMES = 10  # between windows of a short recording, 0.5 s
PLACES_A_SECOND = 12  # that are played, at most: semiquavers at 180 crotchets a minute
WIDTH_IN, ROW_IN = 7.0, 2.0  # of the picture, and of a match in it
LONGEST_NAME = 60  # letters over a match


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
    fit = fits(vectors, frames, collection.vectors, collection.piece)
    found = matches(scores, places, collection.piece, collection.x, top)
    _print(collection, fit, found, frames, top)
    _draw(index, collection, found, frames, excerpts, _attention(fabric, module, excerpts), out)
    print(f"\npicture: {out}")


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
    are left out, the others brought to one level. Raises ValueError where nothing is left, or `at`
    lies outside.
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
    excerpts = np.stack(cut)
    heard = audio.heard(excerpts)
    if not heard.any():
        where = "" if at is None else f" about {at:g} s"
        raise ValueError(f"{recording}: the recording is silent{where}; there is nothing to find")
    excerpts = audio.levelled(excerpts[heard]).transpose(0, 2, 1)[:, None]
    return frames[heard], np.ascontiguousarray(excerpts)


def fits(
    windows: np.ndarray, frames: np.ndarray, entries: np.ndarray, piece: np.ndarray
) -> np.ndarray:
    """How well the windows, in their order, fit each piece: mean cosine, (pieces,) float32.

    windows: (n, 32) and entries: (places, 32), unit vectors; frames: (n,) of the windows; piece:
    (places,), from 0 and ascending, the piece that each entry belongs to, with its entries in
    their order. Every window lies on an entry, not before that of the window before it, nor
    further beyond than `PLACES_A_SECOND` allow. The way may begin and end anywhere in a piece, as
    a recording may be of a part; the best one counts.
    """
    starts = np.flatnonzero(np.diff(piece, prepend=-1))
    longest = int(np.diff(starts, append=len(piece)).max())
    seconds = np.diff(frames) / RETRIEVAL.fps
    reaches = np.minimum(np.ceil(PLACES_A_SECOND * seconds), longest).astype(int)
    # Before each piece lies a gap that no step gets across.
    rows = np.arange(len(piece)) + (piece + 1) * reaches.max(initial=1)
    best = np.full(rows[-1] + 1, -np.inf, np.float32)
    best[rows] = entries @ windows[0]
    for window, reach in zip(windows[1:], reaches.tolist(), strict=True):
        reached = maximum_filter1d(best, reach + 1, origin=reach // 2)
        best[rows] = reached[rows] + entries @ window
    return np.maximum.reduceat(best[rows], starts) / len(windows)


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
    fit: np.ndarray,
    found: list[Match],
    frames: np.ndarray,
    top: int,
) -> None:
    """The pieces that fit best, and the best places by cosine."""
    print(
        f"sought in {len(collection.pieces):,} pieces with {len(collection.x):,} places, ", end=""
    )
    print(f"listened at {len(frames)} place{'s' * (len(frames) > 1)}")
    print("\n   fit  piece")
    for piece in np.argsort(-fit, kind="stable")[:top]:
        print(f"{fit[piece]:6.3f}  {collection.pieces[piece]}")
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
    own_strips = strips(index, {collection.pieces[match.piece] for match in found})
    with mpl.rc_context(plotting.STYLE):
        figure = plotting.new(WIDTH_IN, ROW_IN * len(found) + 0.3)
        rows = figure.subplots(len(found), 2, squeeze=False, width_ratios=[1.4, 1])
        for (sound, sheet), match in zip(rows, found, strict=True):
            name, at = collection.pieces[match.piece], _seconds(frames[match.window])
            _draw_sound(sound, excerpts[match.window, 0], at)
            if attention is not None:
                _draw_attention(sound, attention[match.window])
            title = f"{_short(name)}\nheard at {at:,.1f} s"
            sound.set_title(title, loc="left", parse_math=False)
            plotting.show(
                sheet, snippet(own_strips[name], match.x), cmap="gray", vmin=0, vmax=WHITE
            )
            sheet.set_title(f"printed at {match.x:,.0f} px\ncosine {match.score:.3f}", loc="left")
        rows[-1, 0].set_xlabel("time (s)")
        with tables.replacing(out) as temporary:
            figure.savefig(
                temporary, format="png", dpi=plotting.DPI, metadata=plotting.UNDATED[".png"]
            )


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
