"""Figures 4 and 5 of Dorfer et al. 2016, the course of the training, and engraved staves."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import torch

from models import frames, plotting
from models.plotting import BLUE, GREEN, GREY, INK, ORANGE, STYLE, TIGHT, show
from models.score_following.metrics import buckets_of
from models.score_following.network import soft_targets
from models.score_following.reading import read_examples
from models.score_following.report import NETWORKS
from models.score_following.sampling import Examples
from models.score_following.weights import load
from pipeline import tables
from pipeline.constants import (
    BUCKET_PX,
    BUCKETS,
    FRAMES_AFTER_ONSET,
    SCORE_FOLLOWING,
    STAFF_WIDTH_PX,
    WHITE,
)
from pipeline.images import grey

TEST = "test"
NETWORK_LOOKS = {"paper": (BLUE, "o"), "PT": (ORANGE, "s")}  # colour and mark, for grey prints
MARKED_EPOCHS = 40  # with more of them, marks run together


def _of_test(predictions: Path, columns: list[str]) -> pd.DataFrame:
    """Columns of the test split's predictions; raises ValueError if there are none."""
    frame = frames.read(predictions, columns=columns, filters=[("split", "==", TEST)])
    if frame.empty:
        raise ValueError(f"{predictions}: no prediction of the split '{TEST}'")
    return frame


# --- Figure 4 --------------------------------------------------------------------------------
def distance_histogram(x: np.ndarray, x_max: np.ndarray) -> np.ndarray:
    """Fraction of notes at each signed distance, predicted minus true bucket, from -39 to 39.

    Args:
        x: (notes,) true position, px.
        x_max: (notes,) centre of the most probable bucket, px.

    Returns:
        (79,); entry 39 is the fraction of exact hits.
    """
    distance = buckets_of(np.array(x_max)) - buckets_of(np.array(x))
    return np.bincount(distance + BUCKETS - 1, minlength=2 * BUCKETS - 1) / len(distance)


def errors(predictions: Path, out_stem: Path) -> None:
    """Draw Figure 4: errors of the test predictions, in buckets and in widths of the staff.

    Args:
        predictions: Parquet table that `predict` wrote.
        out_stem: path of the figure without its suffix; a PNG and a PDF file are written.
    """
    notes = _of_test(predictions, ["x", "x_max", "x_int"])
    shares = distance_histogram(notes.x.to_numpy(), notes.x_max.to_numpy())
    with mpl.rc_context(STYLE):
        figure = plotting.new(7.0, 2.8)
        left, right = figure.subplots(1, 2, width_ratios=[1.7, 1])
        _draw_histogram(left, shares)
        _draw_boxes(right, notes)
        plotting.save(figure, out_stem)


def _draw_histogram(axes, shares: np.ndarray) -> None:
    distance = np.arange(len(shares)) - (BUCKETS - 1)
    colours = np.select([distance == 0, abs(distance) == 1], [BLUE, GREEN], GREY)
    axes.bar(distance, 100 * shares, width=0.9, color=colours)
    axes.set(
        xlabel="predicted less true bucket",
        ylabel="test notes (%)",
        xlim=(-BUCKETS, BUCKETS),
        title="bucket distance",
    )
    exact, near = shares[distance == 0].sum(), shares[abs(distance) <= 1].sum()
    label = {"transform": axes.transAxes, "ha": "right", "va": "top"}
    axes.text(0.98, 0.95, f"exact: {exact:.1%}", color=BLUE, **label)
    axes.text(0.98, 0.85, f"at most one off: {near:.1%}", color=GREEN, **label)


def _draw_boxes(axes, notes: pd.DataFrame) -> None:
    distances = [(notes[name] - notes.x).abs() / STAFF_WIDTH_PX for name in ("x_max", "x_int")]
    parts = axes.boxplot(
        distances,
        tick_labels=["max", "int"],
        widths=0.5,
        showfliers=False,
        showmeans=True,
        patch_artist=True,
        boxprops={"facecolor": "#d9e8f2", "edgecolor": INK},
        medianprops={"color": BLUE, "linewidth": 2},
        meanprops={"marker": "D", "markerfacecolor": ORANGE, "markeredgecolor": "none"},
    )
    bucket_width = {"color": GREY, "linewidth": 0.8, "linestyle": "--", "zorder": 0}
    line = axes.axhline(BUCKET_PX / STAFF_WIDTH_PX, **bucket_width)
    top = axes.get_ylim()[1]
    axes.set(ylabel="|NPD|", title="pixel distance", ylim=(0, 1.25 * top))
    keys = [(parts["medians"][0], "median"), (parts["means"][0], "mean"), (line, "one bucket")]
    axes.legend(*zip(*keys, strict=True), loc="upper center", ncols=3, **TIGHT)


# --- Figure 5 --------------------------------------------------------------------------------
KEY = ["piece_id", "font", "tempo_ratio", "note_id"]


def typical(notes: pd.DataFrame) -> pd.Series:
    """The correctly located note whose probability is the median of those that are correct.

    The median of all if none is correct. Ties are broken by the note's name, so that the choice
    follows from the data alone.

    Args:
        notes: predictions, one row a note.
    """
    confidence = notes.probabilities.map(max).rename("confidence")
    true, predicted = (buckets_of(notes[name].to_numpy(copy=True)) for name in ("x", "x_max"))
    right = true == predicted
    chosen = notes.assign(confidence=confidence)[right if right.any() else ~right]
    chosen = chosen.sort_values(["confidence", *KEY], ignore_index=True)
    return chosen.iloc[len(chosen) // 2]


def find_example(data: Examples, note: pd.Series) -> int:
    """Index of the example that a row of the predictions belongs to."""
    fonts = np.array(data.font)[data.performance]
    pieces = np.array(data.pieces)[data.piece]
    match = (
        (pieces == note.piece_id)
        & (fonts == note.font)
        & np.isclose(data.tempo_ratio[data.performance], note.tempo_ratio)
        & (data.note_id == note.note_id)
    )
    if not match.any():
        raise ValueError(f"{note.piece_id}, note {note.note_id}: not in the shards")
    return int(np.flatnonzero(match)[0])


def example(
    predictions: Path,
    shards: list[Path],
    weights: Path,
    out_stem: Path,
) -> None:
    """Draw Figure 5: one test note, what the network predicts for it, and where it looks.

    Args:
        predictions: Parquet table that `predict` wrote.
        shards: Parquet shards of the test split.
        weights: safetensors file that `train` wrote.
        out_stem: path of the figure without its suffix; a PNG and a PDF file are written.
    """
    from models.score_following.saliency import guided_backpropagation

    note = typical(_of_test(predictions, [*KEY, "x", "x_max", "x_int", "probabilities"]))
    data = read_examples(shards)
    index = np.array([find_example(data, note)])
    image, excerpt = data.image_batch(data.staff[index]), data.excerpt_batch(index)
    module = load(weights)
    saliency = guided_backpropagation(module, torch.from_numpy(image), torch.from_numpy(excerpt))
    with mpl.rc_context(STYLE):
        figure = plotting.new(7.0, 3.9)
        parts = figure.subplot_mosaic(
            [["staff", "sound"], ["saliency", "sound"], ["chances", "sound"]],
            width_ratios=[6, 1],
            height_ratios=[1, 1, 1.5],
        )
        _draw_staff(parts["staff"], image[0, 0], note)
        _draw_saliency(parts["saliency"], saliency)
        _draw_sound(parts["sound"], excerpt[0, 0])
        _draw_chances(parts["chances"], note)
        plotting.save(figure, out_stem)


def _draw_staff(axes, ink: np.ndarray, note: pd.Series) -> None:
    show(axes, ink, cmap="gray_r", vmin=0, vmax=1)
    for border in range(BUCKETS + 1):
        axes.axvline(border * BUCKET_PX, color=GREY, linewidth=0.3)
    axes.axvline(note.x, color=GREEN, linewidth=1.5, label="true")
    axes.axvline(note.x_int, color=ORANGE, linewidth=1.5, linestyle="--", label="predicted")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.95), ncols=2, borderpad=0)
    axes.set_title("staff image and borders of the buckets", loc="left")


def _draw_saliency(axes, saliency: np.ndarray) -> None:
    """Magnitude; the strongest thousandth of the pixels share the darkest colour."""
    saliency = np.abs(saliency)
    show(axes, saliency, cmap="magma_r", vmin=0, vmax=np.quantile(saliency, 0.999) or 1)
    axes.set_title("saliency of the image", loc="left")


def _draw_sound(axes, excerpt: np.ndarray) -> None:
    axes.imshow(excerpt, origin="lower", aspect="auto", cmap="magma")
    onset = excerpt.shape[1] - 1 - FRAMES_AFTER_ONSET
    axes.axvline(onset - 0.5, color="white", linewidth=1, linestyle=":")
    seconds = excerpt.shape[1] / SCORE_FOLLOWING.fps
    axes.set(xticks=[], yticks=[], xlabel=f"{seconds:.2f} s", ylabel=f"{len(excerpt)} bins")
    axes.set_title("excerpt", loc="left")


def _draw_chances(axes, note: pd.Series) -> None:
    """True and predicted distribution, each bucket below its position in the staff."""
    buckets = np.arange(BUCKETS)
    true = soft_targets(torch.tensor([note.x], dtype=torch.float64))[0].numpy()
    axes.bar(buckets, true, width=0.9, color=GREEN, alpha=0.45, label="true")
    axes.bar(buckets, np.asarray(note.probabilities), width=0.45, color=ORANGE, label="predicted")
    axes.set(xlabel="bucket", ylabel="probability", xlim=(-0.5, BUCKETS - 0.5))
    axes.legend(loc="upper left")


# --- training --------------------------------------------------------------------------------
def history(histories: dict[str, Path], out_stem: Path) -> None:
    """Draw the course of each network's training: loss and hit rates after each epoch.

    Args:
        histories: Parquet table of epochs that `train` or `train_matching` wrote, by network.
        out_stem: path of the figure without its suffix; a PNG and a PDF file are written.
    """
    with mpl.rc_context(STYLE):
        figure = plotting.new(7.0, 2.6)
        left, right = figure.subplots(1, 2)
        for network, path in histories.items():
            epochs, (colour, mark) = frames.read(path), NETWORK_LOOKS[network]
            every = -(-len(epochs) // MARKED_EPOCHS)
            for axes, name, label, line in (
                (left, "train_loss", "train", ":"),
                (left, "valid_loss", "valid", "-"),
                (right, "valid_top1", "top-1", "-"),
                (right, "valid_top2", "top-2", "--"),
            ):
                scale = 1 if axes is left else 100
                style = {"color": colour, "linestyle": line, "marker": mark, "markersize": 3.5,
                         "markevery": every}  # fmt: skip
                label = f"{NETWORKS[network]}, {label}"
                axes.plot(epochs.samples / 1000, scale * epochs[name], label=label, **style)
        for axes in (left, right):
            axes.set_xlabel("notes seen (thousands)")
            axes.legend(**TIGHT)
        left.set(ylabel="cross-entropy", ylim=(0, None))
        right.set(ylabel="validation notes (%)", ylim=(0, min(100, 1.05 * right.get_ylim()[1])))
        plotting.save(figure, out_stem)


# --- engraving -------------------------------------------------------------------------------
def staves(images: list[Path], noteheads: list[Path], out_stem: Path, n: int = 4) -> None:
    """Draw staff images of a few pieces with the centre of every notehead marked.

    A notehead tied to a note that already sounds has its own colour.

    Args:
        images: Parquet tables of images that `engrave` wrote.
        noteheads: Parquet tables of noteheads that `engrave` wrote.
        out_stem: path of the figure without its suffix; a PNG and a PDF file are written.
        n: number of pieces, evenly spaced.
    """
    chosen = _columns(images, tables.IMAGES.names, _evenly_spaced(images, n))
    heads = _columns(noteheads, ["piece_id", "image", "x", "y", "tied"], chosen)
    with mpl.rc_context(STYLE):
        figure = plotting.new(7.0, 0.95 * len(chosen) + 0.3)
        rows = figure.subplots(len(chosen), 1, squeeze=False)[:, 0]
        for axes, staff in zip(rows, chosen.itertuples(), strict=True):
            on_staff = heads[(heads.piece_id == staff.piece_id) & (heads.image == staff.image)]
            _draw_noteheads(axes, staff, on_staff)
        keys = {  # of marks that are there
            label: mark
            for axes in rows
            for mark, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 2, "borderpad": 0}
        rows[0].legend(keys.values(), keys.keys(), **place)
        plotting.save(figure, out_stem)


def _evenly_spaced(images, n: int) -> pd.DataFrame:
    """piece_id and image of n staves: of evenly spaced pieces the first, second, ... staff."""
    names = _columns(images, ["piece_id", "image"])
    pieces = sorted(names.piece_id.unique())
    count = min(n, len(pieces))
    if not count:
        raise ValueError("no staff was engraved")
    chosen = []
    for turn in range(count):
        piece = pieces[turn * len(pieces) // count]
        of_piece = sorted(names.image[names.piece_id == piece])
        chosen.append((piece, of_piece[turn % len(of_piece)]))
    return pd.DataFrame(chosen, columns=["piece_id", "image"])


def _columns(
    paths: list[Path], columns: list[str], only: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Columns of Parquet files, of all staves or of those in `only`."""
    source = ds.dataset([str(path) for path in paths])
    wanted = None
    if only is not None:
        wanted = ds.field("piece_id").isin(pa.array(only.piece_id.unique().tolist()))
    frame = source.to_table(columns=columns, filter=wanted).to_pandas()
    return frame if only is None else only[["piece_id", "image"]].merge(frame)


def _draw_noteheads(axes, staff, heads: pd.DataFrame) -> None:
    show(axes, grey(staff.png), cmap="gray", vmin=0, vmax=WHITE)
    tied = heads.tied.to_numpy(bool)
    looks = ((~tied, ORANGE, "+", "begins to sound"), (tied, BLUE, "x", "tied"))
    for which, colour, mark, label in looks:
        if which.any():
            style = {"marker": mark, "s": 28, "linewidths": 0.9, "label": label}
            axes.scatter(heads.x[which], heads.y[which], color=colour, **style)
    title = f"{plotting.piece_name(staff.piece_id)}, staff {staff.image + 1}"
    axes.set_title(title, loc="left", parse_math=False)
