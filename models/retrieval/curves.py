"""Curves of Balke et al. 2019: the course of the trainings, and Table 3 over the tempo."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from models import frames, plotting
from models.plotting import BLUE, GREEN, GREY, INK, ORANGE, STYLE, TIGHT
from models.retrieval import network, report
from models.retrieval.token_network import PT
from pipeline.constants import CONTEXTS

# Colour and mark of each length of excerpt: the marks tell them apart in grey prints, too.
CONTEXT_LOOKS = dict(zip(CONTEXTS, ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^")), strict=True))
PANELS = ("without attention", "with attention", "our own")
WRITTEN = 1.0  # tempo ratio of the score
MARKED_EPOCHS = 20  # with more of them, marks run together


def curves(models: list[str], histories: list[Path], metrics: Path, out: Path) -> None:
    """Draw the course of the trainings, and mean reciprocal rank over the tempo.

    Writes retrieval_history and retrieval_tempo, as PNG and PDF.

    Args:
        models: names of the networks that are drawn, beside all of the paper's.
        histories: Parquet tables of epochs that `train` wrote of them, in the same order.
        metrics: Parquet table that `evaluate` wrote.
        out: folder of the figures.
    """
    epochs = {model: frames.read(path) for model, path in zip(models, histories, strict=True)}
    plotting.save(training(epochs), out / "retrieval_history")
    known = frames.read(metrics)
    table = report.compare_tempi(known[known.model.isin(models)])
    plotting.save(tempo(table), out / "retrieval_tempo")


def _look(model: str) -> dict:
    """Colour, mark and label of a model; lines of those with attention are dashed."""
    if model == PT.name:
        return {"color": INK, "marker": "P", "markersize": 3.5, "linestyle": "-", "label": model}
    shape = network.MODELS[model]
    lengths = {frames: length for length, frames in CONTEXTS.items()}
    colour, mark = CONTEXT_LOOKS[lengths[shape.context]]
    if shape.head == "global":
        colour, mark = GREY, "D"
    line = "--" if shape.attends else "-"
    return {"color": colour, "marker": mark, "markersize": 3.5, "linestyle": line, "label": model}


def _panel(model: str) -> str:
    """Which of PANELS a model is drawn in."""
    without, attending, own = PANELS
    if model == PT.name:
        return own
    return attending if network.MODELS[model].attends else without


def _columns(figure: Figure, models: Iterable[str], rows: int, **how) -> dict[str, np.ndarray]:
    """`rows` axes below one another for each panel that has a model."""
    panels = sorted({_panel(model) for model in models}, key=PANELS.index)
    grid = figure.subplots(rows, len(panels), squeeze=False, **how)
    for panel, axes in zip(panels, grid.T, strict=True):
        axes[0].set_title(panel)
    return dict(zip(panels, grid.T, strict=True))


@mpl.rc_context(STYLE)
def training(histories: dict[str, pd.DataFrame]) -> Figure:
    """Draw both losses and the mean reciprocal rank of every network over the pairs it has seen.

    The losses have an axis each: one is a mean over batches, the other is of all pairs at once. A
    ring stands at the epoch whose weights are kept.

    Args:
        histories: HISTORY of `train`, by model.
    """
    kinds = [
        kind
        for own in (False, True)
        if (kind := [model for model in histories if (_panel(model) == PANELS[-1]) == own])
    ]
    figure = plotting.new(7.2, 0.4 + 2.3 * len(kinds))
    grid = figure.subplots(len(kinds), 3, squeeze=False)
    for models, panels in zip(kinds, grid, strict=True):  # our own has another loss
        _draw_training(panels, {model: histories[model] for model in models})
    keys = [pair for panels in grid for pair in zip(*panels[0].get_legend_handles_labels(),
                                                    strict=True)]  # fmt: skip
    figure.legend(*zip(*keys, strict=True), loc="outside upper center", ncols=4, **TIGHT)
    return figure


def _draw_training(panels: np.ndarray, histories: dict[str, pd.DataFrame]) -> None:
    """Draw the course of some networks into a row of three axes."""
    shown = {
        "train_loss": "training loss",
        "valid_loss": "validation loss",
        "valid_mrr": "validation MRR",
    }
    for model, epochs in histories.items():
        look, seen = _look(model), epochs.samples / 1_000
        look["markevery"] = -(-len(epochs) // MARKED_EPOCHS)
        for axes, column in zip(panels, shown, strict=True):
            axes.plot(seen, epochs[column], linewidth=1.2, **look)
        best = epochs.index[epochs.best][-1]
        ring = {"marker": "o", "fillstyle": "none", "markersize": 9, "color": look["color"]}
        panels[2].plot(seen[best], epochs.valid_mrr[best], **ring)
    for axes, title in zip(panels, shown.values(), strict=True):
        axes.set_title(title, loc="left")
        axes.set_xlabel("pairs seen (thousands)")
    panels[2].set_ylim(bottom=0)


@mpl.rc_context(STYLE)
def tempo(table: pd.DataFrame) -> Figure:
    """Draw Table 3 as curves: how much of its mean reciprocal rank a network keeps at each tempo.

    Everything is a share of the same network's value at the written tempo, so that networks of very
    different training can be compared; the values themselves stand in the legend.

    Args:
        table: from `report.compare_tempi`; of several protocols the first is drawn.
    """
    table = table[table.protocol == table.protocol.iloc[0]]
    figure = plotting.new(7.0, 3.4)
    columns = _columns(figure, table.model.unique(), 1, sharey="row")
    for model, rows in table.groupby("model", sort=False):
        (axes,) = columns[_panel(model)]
        look = _look(model)
        for who, column, line, style in (
            ("ours", "micro", "-", {"linewidth": 1.4}),
            ("paper", "paper", ":", {"linewidth": 1.0, "fillstyle": "none"}),
        ):
            known = rows.dropna(subset=column).set_index("tempo_ratio")[column]
            if known.get(WRITTEN, 0) > 0:
                label = f"{model}, {who} ({known[WRITTEN]:.2f})"
                kept = 100 * known / known[WRITTEN]
                axes.plot(kept.index, kept, **look | style | {"linestyle": line, "label": label})
    ratios = sorted(table.tempo_ratio.unique())
    for (axes,) in columns.values():
        axes.set_xscale("log")
        axes.set(xlabel="tempo ratio", ylim=(0, None))
        axes.axhline(100, color=GREY, linewidth=0.6)
        axes.set_xticks(ratios, [f"{ratio:g}" for ratio in ratios])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.legend(loc="lower center", ncols=2, **TIGHT)
    next(iter(columns.values()))[0].set_ylabel("MRR, % of that at tempo ratio 1")
    return figure
