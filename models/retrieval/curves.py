"""Curves of Balke et al. 2019: the course of the trainings, and Table 3 over the tempo."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from models import plotting
from models.plotting import BLUE, GREEN, GREY, INK, ORANGE, STYLE, TIGHT
from models.retrieval import network, report
from models.retrieval.token_network import PT
from pipeline.constants import CONTEXTS

CONTEXT_COLOURS = dict(zip(CONTEXTS, (BLUE, ORANGE, GREEN), strict=True))
PANELS = ("without attention", "with attention", "our own")


def curves(models: list[str], histories: list[Path], metrics: Path, out: Path) -> None:
    """Draw the course of the trainings, and mean reciprocal rank over the tempo.

    Writes retrieval_history and retrieval_tempo, as PNG and PDF.

    Args:
        models: names of the networks.
        histories: Parquet tables of epochs that `train` wrote of them, in the same order.
        metrics: Parquet table that `evaluate` wrote.
        out: folder of the figures.
    """
    epochs = {model: pd.read_parquet(path) for model, path in zip(models, histories, strict=True)}
    plotting.save(training(epochs), out / "retrieval_history")
    table = report.compare_tempi(pd.read_parquet(metrics))
    plotting.save(tempo(table), out / "retrieval_tempo")


def _look(model: str) -> dict:
    """Colour and label of a model."""
    if model == PT.name:
        return {"color": INK, "label": model}
    shape = network.MODELS[model]
    lengths = {frames: length for length, frames in CONTEXTS.items()}
    colour = GREY if shape.head == "global" else CONTEXT_COLOURS[lengths[shape.context]]
    return {"color": colour, "label": model}


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
    """Draw loss and mean reciprocal rank of every network over the pairs it has seen.

    A dot marks the epoch whose weights are kept.

    Args:
        histories: HISTORY of `train`, by model.
    """
    figure = plotting.new(7.0, 4.4)
    columns = _columns(figure, histories, 2, sharex="col")  # our own has another loss
    for model, epochs in histories.items():
        loss, rank = columns[_panel(model)]
        look, seen = _look(model), epochs.samples / 1_000
        loss.plot(seen, epochs.train_loss, color=look["color"], linewidth=0.8, linestyle=":")
        loss.plot(seen, epochs.valid_loss, linewidth=1.2, **look)
        rank.plot(seen, epochs.valid_mrr, linewidth=1.2, **look)
        best = epochs.index[epochs.best][-1]
        rank.plot(seen[best], epochs.valid_mrr[best], "o", color=look["color"], markersize=4)
        rank.set_xlabel("pairs seen (thousands)")
        rank.set_ylim(0, 1)
        loss.legend(**TIGHT)
    first = next(iter(columns.values()))
    first[0].set_ylabel("loss (dotted: training)")
    first[1].set_ylabel("MRR, validation")
    return figure


@mpl.rc_context(STYLE)
def tempo(table: pd.DataFrame) -> Figure:
    """Draw Table 3 as curves: mean reciprocal rank over the tempo ratio, ours and the paper's.

    Args:
        table: from `report.compare_tempi`; of several protocols the first is drawn.
    """
    table = table[table.protocol == table.protocol.iloc[0]]
    figure = plotting.new(7.0, 3.2)
    columns = _columns(figure, table.model.unique(), 1, sharey="row")
    for model, rows in table.groupby("model", sort=False):
        (axes,) = columns[_panel(model)]
        look = _look(model)
        ours, paper = rows.dropna(subset="micro"), rows.dropna(subset="paper")
        axes.plot(ours.tempo_ratio, ours.micro, marker="o", markersize=3, **look)
        axes.plot(
            paper.tempo_ratio, paper.paper, color=look["color"], linewidth=0.9, linestyle="--"
        )
    ratios = sorted(table.tempo_ratio.unique())
    for (axes,) in columns.values():
        axes.set_xscale("log")
        axes.set(xlabel="tempo ratio", ylim=(0, 1))
        axes.set_xticks(ratios, [f"{ratio:g}" for ratio in ratios])
        axes.xaxis.set_minor_locator(NullLocator())
        models = axes.get_legend_handles_labels()
        axes.legend(*models, ncols=2, loc="upper left", **TIGHT)
    first = next(iter(columns.values()))[0]
    first.set_ylabel("MRR, refined")
    kinds = [
        Line2D([], [], color=INK, linestyle=line, label=who)
        for line, who in (("-", "ours"), ("--", "paper"))
    ]
    figure.legend(handles=kinds, loc="outside upper right", ncols=2, **TIGHT)
    return figure
