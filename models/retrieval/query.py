"""Find the score of a recording in an index.

Windows of the recording are brought to the level and the tuning of the training data and aligned,
in their order, to each piece (`sequence`); pieces are ranked by the score of that alignment, and
`answers` tells if the best of them fits at all. The best single matches of a window and a printed
position are drawn side by side.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.ticker import MaxNLocator

from models import plotting
from models.retrieval import answers, search
from models.retrieval.answers import Match
from models.retrieval.index import Index, read_index, read_strips
from models.retrieval.inference import (
    DEFAULT_WEIGHTS,
    embed_windows,
    load_network,
    weights_path,
)
from models.retrieval.weights import AnyNetwork
from models.retrieval.windows import recording_windows
from pipeline.constants import RETRIEVAL, SNIPPET_WIDTH_PX, WHITE
from pipeline.reading.pieces import printable
from pipeline.replacing import replacing, require_other, require_writable, unclaimed
from pipeline.strips import snippet

if TYPE_CHECKING:
    from lightning.fabric import Fabric  # takes seconds to import

NEIGHBOURS = 25  # entries of the index that each window is compared with
WIDTH_IN, ROW_IN = 7.0, 2.0  # of the picture, and of a match in it
TICKS = 5  # of a time axis, at most: labels beyond 100 s are wide
MOST_DRAWN = 20  # matches
MARK = "partimento query"  # in the first bytes of our pictures
LONGEST_NAME = 60  # letters over a match


def query(
    recording: Path,
    *,
    index: Path,
    weights: Path | None = None,
    at: float | None = None,
    top: int = 5,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Find the score of a recording: say which piece it is, or that none fits, and draw matches.

    Args:
        recording: any sound file.
        index: Parquet table that the command `index` wrote.
        weights: safetensors file of the network that the index was built with; by default the
            package's.
        at: second around which to listen; by default up to 100 windows over the whole recording.
        top: how many pieces and positions to show; the picture has the best twenty.
        out: the picture, PNG; by default `<recording>-matches.png` in this folder, unless that is a
            picture of something else.
        json: print the answer as JSON, for programs.

    Raises:
        FileNotFoundError: if a file does not exist.
        ValueError: naming the file and the remedy, if one is not valid.
    """
    if top < 1:
        raise ValueError(f"--top is {top}; ask for one or more")
    weights = weights_path(weights or DEFAULT_WEIGHTS)
    out = Path(out or unclaimed(Path(f"{recording.stem}-matches.png"), MARK.encode(), "picture"))
    _check_picture(out, [recording, index, weights])
    collection = read_index(index, weights)
    fabric, network = load_network(weights)
    frames, excerpts = recording_windows(recording, network.context, at)
    vectors = embed_windows(fabric, network, excerpts)
    matches = best_matches(vectors, collection, top)
    answer = answers.answer(collection, vectors, frames, top, answers.calibration(weights))
    answer["matches"] = answers.matches(collection, matches, frames)
    attention = _attention(fabric, network, excerpts)
    _draw(index, collection, matches[:MOST_DRAWN], frames, excerpts, attention, out)
    answer |= {"recording": printable(str(recording)), "picture": printable(str(out))}
    print(answers.as_json(answer) if json else answers.in_words(answer))


def _check_picture(out: Path, sources: list[Path]) -> None:
    """Raise ValueError if the picture cannot be written, or would replace what is read."""
    if out.suffix.lower() != ".png":
        raise ValueError(f"{out}: a picture has the suffix .png")
    require_writable(out)
    require_other(out, sources)


def best_matches(windows: np.ndarray, index: Index, top: int) -> list[Match]:
    """The best pairs of a window and a printed position, by cosine.

    Args:
        windows: (n, 32) unit vectors of a recording.
        index: from `read_index`.
        top: how many, at most.
    """
    count = min(NEIGHBOURS, len(index.vectors))
    scores, entries = search.nearest(windows, index.vectors, count)
    return distinct_matches(scores, entries, index.piece, index.x, top)


def distinct_matches(
    scores: np.ndarray, entries: np.ndarray, piece: np.ndarray, x: np.ndarray, top: int
) -> list[Match]:
    """The best pairs of a window and an entry, no two of which show the same notes.

    An entry whose snippet shares more than half of its width with one already chosen is skipped.

    Args:
        scores: (windows, k) cosines, from `search.nearest`.
        entries: (windows, k) rows of the index.
        piece: (m,) piece of each row of the index.
        x: (m,) px, of each row of the index.
        top: how many, at most.
    """
    chosen: list[Match] = []
    for pair in np.argsort(-scores, axis=None, kind="stable"):
        window, column = np.unravel_index(pair, scores.shape)
        row = entries[window, column]
        new = Match(
            float(scores[window, column]), int(piece[row]), float(x[row]), int(window), int(row)
        )
        if all(
            new.piece != old.piece or abs(new.x - old.x) > SNIPPET_WIDTH_PX / 2 for old in chosen
        ):
            chosen.append(new)
        if len(chosen) == top:
            break
    return chosen


# --- result ----------------------------------------------------------------------------------
@torch.inference_mode()
def _attention(fabric: "Fabric", network: AnyNetwork, excerpts: np.ndarray) -> np.ndarray | None:
    """Attention weights (n, T) of excerpts (n, 1, 92, T), None if the network has no attention."""
    if not network.attends:
        return None
    with fabric.autocast():
        return network.attention(fabric.to_device(torch.from_numpy(excerpts))).float().cpu().numpy()


def _draw(
    index: Path,
    collection: Index,
    matches: list[Match],
    frames: np.ndarray,
    excerpts: np.ndarray,
    attention: np.ndarray | None,
    out: Path,
) -> None:
    """Draw a row for each match: the excerpt, with its attention, beside the snippet."""
    strips = read_strips(index, {collection.pieces[match.piece] for match in matches})
    with mpl.rc_context(plotting.STYLE):
        figure = plotting.new(WIDTH_IN, ROW_IN * len(matches) + 0.3)
        rows = figure.subplots(len(matches), 2, squeeze=False, width_ratios=[1.4, 1])
        for (sound, sheet), match in zip(rows, matches, strict=True):
            name, at = collection.pieces[match.piece], frames[match.window] / RETRIEVAL.fps
            _draw_sound(sound, excerpts[match.window, 0], at)
            if attention is not None:
                _draw_attention(sound, attention[match.window])
            title = f"{_short(name)}\nheard at {at:,.1f} s"
            sound.set_title(title, loc="left", parse_math=False)
            plotting.show(sheet, snippet(strips[name], match.x), cmap="gray", vmin=0, vmax=WHITE)
            _mark_position(sheet)
            sheet.set_title(f"printed at {match.x:,.0f} px\ncosine {match.score:.3f}", loc="left")
        rows[-1, 0].set_xlabel("time (s)")
        with replacing(out) as temporary:
            figure.savefig(temporary, format="png", dpi=plotting.DPI, metadata={"Software": MARK})


def _draw_sound(axes, excerpt: np.ndarray, at: float) -> None:
    """Draw an excerpt (bins, T) over the seconds of its recording, a line at its middle."""
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
    axes.xaxis.set_major_locator(MaxNLocator(TICKS))


def _mark_position(axes) -> None:
    """Mark the printed position that was found: the middle of its snippet."""
    middle = SNIPPET_WIDTH_PX / 2
    line = {"color": plotting.ORANGE, "linewidth": 1, "linestyle": "--"}
    axes.axvline(middle, **line)
    axes.plot(middle, 0, "v", color=plotting.ORANGE, markersize=7, clip_on=False)


def _draw_attention(axes, weights: np.ndarray) -> None:
    """Draw weights (T,) as steps over their excerpt; the dashed line is uniform attention."""
    left, right = axes.images[0].get_extent()[:2]
    edges = np.linspace(left, right, len(weights) + 1)
    twin = axes.twinx()
    twin.stairs(len(weights) * weights, edges, color="white", linewidth=1)
    twin.axhline(1, color="white", linewidth=0.5, linestyle="--")
    twin.set(xlim=(left, right), ylim=(0, None), ylabel="attention")
    twin.spines[:].set_visible(False)


def _short(name: str) -> str:
    """The end of a long name, which distinguishes pieces."""
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"
