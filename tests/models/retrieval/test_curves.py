"""Curves: they show what they are given, each model in its panel and colour."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from models.retrieval import curves, network, report
from tests.support.performances import assert_drawn, curve, titled


def history(*scores: float) -> pd.DataFrame:
    count = len(scores)
    return pd.DataFrame(
        {
            "samples": 10_000 * np.arange(1, count + 1),
            "train_loss": np.linspace(0.7, 0.3, count),
            "valid_loss": np.linspace(0.7, 0.4, count),
            "valid_mrr": scores,
            "best": np.array(scores) >= np.maximum.accumulate(scores),
        }
    )


def test_training_marks_the_epoch_that_is_kept():
    figure = curves.training({"BL2-SC": history(0.1, 0.3, 0.3, 0.2), "BL2-LC+AT": history(0.2)})
    (train,), (valid,) = titled(figure, "training loss"), titled(figure, "validation loss")
    (rank,) = titled(figure, "validation MRR")
    assert curve(train)[1].tolist() == pytest.approx(np.linspace(0.7, 0.3, 4).tolist())
    assert curve(valid)[1][-1] == pytest.approx(0.4)
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["BL2-SC", "BL2-LC+AT"]
    assert curve(rank)[0].tolist() == [10, 20, 30, 40]
    assert [list(part) for part in rank.lines[1].get_data()] == [[30], [0.3]]
    assert [line.get_linestyle() for line in train.lines] == ["-", "--"]


def metrics() -> pd.DataFrame:
    rows = [(0.5, 0.4), (1.0, 0.6)]
    return pd.DataFrame(
        {
            "model": "BL2-MC",
            "projection": "refined",
            "protocol": "fixed",
            "tempo_ratio": np.float32(tempo_ratio),
            "direction": "A2S",
            "metric": "mrr",
            "micro": micro,
        }
        | dict.fromkeys(("macro", "low", "high"), 0.5)
        | {"n_pairs": 100, "n_pieces": 10}
        for tempo_ratio, micro in rows
    )


def test_tempo_has_what_is_kept_of_the_mrr_ours_solid_and_the_paper_dotted():
    figure = curves.tempo(report.compare_tempi(metrics()))
    without, with_attention = figure.axes
    known = {line.get_label(): line for line in without.lines}
    ours = known["BL2-MC, ours (0.60)"]
    assert ours.get_linestyle() == "-"
    assert [list(part) for part in ours.get_data()] == [[0.5, 1.0], pytest.approx([200 / 3, 100])]
    paper = known["BL2-MC, paper (0.57)"]
    assert paper.get_linestyle() == ":" and paper.get_color() == ours.get_color()
    kept = [100 * mrr / 0.57 for mrr in (0.46, 0.53, 0.57, 0.55, 0.43)]
    assert paper.get_ydata().tolist() == pytest.approx(kept)
    assert len([line for line in without.lines if line.get_linestyle() == ":"]) == 4
    assert [tick.get_text() for tick in without.get_xticklabels()] == [
        *("0.5", "0.66", "1", "1.33", "2")
    ]
    assert len([line for line in with_attention.lines if line.get_linestyle() == ":"]) == 3


def test_networks_that_are_not_named_are_not_drawn(tmp_path, monkeypatch):
    other = metrics().assign(model="BL2-MC, shipped")
    pd.concat([metrics(), other]).to_parquet(tmp_path / "metrics.parquet")
    history(0.1, 0.2).to_parquet(tmp_path / "history.parquet")
    figures = []
    monkeypatch.setattr(curves.plotting, "save", lambda figure, stem: figures.append(figure))
    curves.curves(
        ["BL2-MC"], [tmp_path / "history.parquet"], tmp_path / "metrics.parquet", tmp_path
    )
    labels = [line.get_label() for axes in figures[1].axes for line in axes.lines]
    assert [label for label in labels if "ours" in label] == ["BL2-MC, ours (0.60)"]


def test_each_model_has_a_look_of_its_own_in_grey_too():
    for look in ("color", "marker"):
        for kind in (False, True):
            models = [name for name, shape in network.MODELS.items() if shape.attends == kind]
            assert len({curves._look(name)[look] for name in models}) == len(models)


def test_curves_are_drawn(tmp_path):
    history(0.1, 0.2).to_parquet(tmp_path / "history.parquet")
    metrics().to_parquet(tmp_path / "metrics.parquet")
    histories = {"BL2-MC": tmp_path / "history.parquet"}
    curves.curves(
        list(histories), list(histories.values()), tmp_path / "metrics.parquet", tmp_path / "out"
    )
    assert_drawn(tmp_path / "out", "retrieval_history", "retrieval_tempo")


def test_style_is_left_as_it_was():
    before = mpl.rcParams["font.size"]
    curves.training({"BL1-SC": history(0.1, 0.2)})
    assert mpl.rcParams["font.size"] == before


def test_our_own_network_has_a_row_of_its_own():
    figure = curves.training({"PT": history(0.1, 0.3), "BL2-SC": history(0.2)})
    assert [curve(axes)[1].tolist() for axes in titled(figure, "validation MRR")] == [
        [0.2],
        [0.1, 0.3],
    ]
