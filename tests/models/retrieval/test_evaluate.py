"""Metrics against a plain implementation, against every order of ties, and by hand."""

import re
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from scipy.spatial.distance import cdist

from models.bootstrap import Bootstrap
from models.retrieval import evaluate, inference
from models.retrieval import weights as weights_files
from models.retrieval.embed import EMBEDDINGS
from models.retrieval.metrics import metrics
from models.retrieval.network import Network
from models.weights import digest
from pipeline.constants import EMBEDDING

METRICS = ["r1", "r5", "r25", "mrr", "median_rank", "mean_rank", "r1_identical", "duplicates"]
MODEL = "BL2-SC+AT"


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def computed(queries, candidates, snippet, piece, seed: int = 0) -> pd.DataFrame:
    bootstrap = Bootstrap(np.asarray(piece), seed, 100)
    found = metrics(unit(queries), unit(candidates), np.asarray(snippet), bootstrap)
    return found.set_index("metric")


# --- one set of pairs ------------------------------------------------------------------------
def test_metrics_are_those_of_sorted_cosine_distances():
    random = np.random.default_rng(0)
    sheet = random.standard_normal((200, EMBEDDING))
    audio = sheet + 2.5 * random.standard_normal(sheet.shape)
    piece = random.integers(0, 9, 200)
    found = computed(audio, sheet, np.arange(200), piece)
    order = np.argsort(cdist(audio, sheet, "cosine"), axis=1)
    rank = 1 + np.argmax(order == np.arange(200)[:, None], axis=1)
    assert len(set(rank)) > 20  # neither all right nor all wrong
    values = {
        **{f"r{k}": (rank <= k).astype(float) for k in (1, 5, 25)},
        "mrr": 1 / rank,
        "mean_rank": rank,
        "r1_identical": (rank == 1).astype(float),
        "duplicates": np.zeros(200),
    }
    for name, one in values.items():
        macro = np.mean([one[piece == p].mean() for p in range(9)])
        assert found.loc[name, ["micro", "macro"]].tolist() == pytest.approx([one.mean(), macro])
    medians = [np.median(rank[piece == p]) for p in range(9)]
    expected = [np.median(rank), np.mean(medians)]
    assert found.loc["median_rank", ["micro", "macro"]].tolist() == pytest.approx(expected)
    assert list(found.index) == METRICS
    assert found.n_pairs.unique().tolist() == [200]
    assert found.n_pieces.unique().tolist() == [9]


@pytest.mark.parametrize("direction", ["A2S", "S2A"])
def test_ties_count_as_all_their_orders_do(direction):
    """Seven pairs; 0, 1, 2 show one snippet, 3 and 4 another, 5 and 6 sound exactly the same."""
    random = np.random.default_rng(2)
    snippet = np.array([0, 0, 0, 1, 1, 2, 3])
    sheet = random.standard_normal((4, EMBEDDING))[snippet]
    audio = 0.8 * sheet + random.standard_normal(sheet.shape)
    audio[6] = audio[5]
    queries, candidates = (audio, sheet) if direction == "A2S" else (sheet, audio)
    found = computed(queries, candidates, snippet, np.zeros(7)).micro
    score = (unit(queries).astype(float) @ unit(candidates).astype(float).T).round(6)
    totals = dict.fromkeys(["r1", "r5", "mrr", "mean_rank", "r1_identical"], 0.0)
    orders = list(permutations(range(7)))
    for order in orders:
        for query in range(7):
            answers = sorted(order, key=lambda one: -score[query, one])  # ties stay in order
            rank = 1 + answers.index(query)
            totals["r1"] += rank == 1
            totals["r5"] += rank <= 5
            totals["mrr"] += 1 / rank
            totals["mean_rank"] += rank
            totals["r1_identical"] += snippet[answers[0]] == snippet[query]
    for name, total in totals.items():
        assert found[name] == pytest.approx(total / len(orders) / 7), name
    assert found["r25"] == 1
    assert found["duplicates"] == pytest.approx(5 / 7)
    assert 0 < found["r1"] < found["r1_identical"] < 1


def test_a_network_that_says_the_same_of_everything_is_no_better_than_chance():
    same = np.ones((100, EMBEDDING))
    found = computed(same, same, np.arange(100), np.zeros(100)).micro
    assert found["r1"] == found["r1_identical"] == pytest.approx(1 / 100)
    assert found["r25"] == pytest.approx(25 / 100)
    assert found["median_rank"] == found["mean_rank"] == 50.5
    assert found["mrr"] == pytest.approx((1 / np.arange(1, 101)).mean())


def test_micro_and_macro_by_hand():
    """Three pairs of piece a are right, that of b and one of c come second, one of c is right."""
    sheet = np.eye(6, EMBEDDING)
    audio = sheet.copy()
    audio[3] += 2 * sheet[4]  # 4 comes before 3
    audio[4] += 2 * sheet[3]
    piece = ["a", "a", "a", "b", "c", "c"]
    found = computed(audio, sheet, [0, 1, 2, 3, 3, 3], piece)
    expected = {
        "r1": (4 / 6, (1 + 0 + 1 / 2) / 3),
        "r5": (1, 1),
        "mrr": (5 / 6, (1 + 1 / 2 + 3 / 4) / 3),
        "median_rank": (1, (1 + 2 + 1.5) / 3),
        "mean_rank": (8 / 6, (1 + 2 + 1.5) / 3),
        "r1_identical": (1, 1),
        "duplicates": (3 / 6, (0 + 1 + 1) / 3),
    }
    for name, values in expected.items():
        assert found.loc[name, ["micro", "macro"]].tolist() == pytest.approx(values), name
    assert (found.low <= found.micro).all()
    assert (found.micro <= found.high).all()
    assert found.low["r1"] < found.high["r1"]


# --- files -----------------------------------------------------------------------------------
def table(
    path, sheet, audio, weights, model=MODEL, tempo_ratio=1.0, protocol="fixed", snippet=None
):
    """A table of embeddings of pairs from pieces of ten."""
    count = len(sheet)
    columns = {
        "protocol": [protocol] * count,
        "tempo_ratio": [tempo_ratio] * count,
        "font": ["grand"] * count,
        "pair": range(count),
        "piece_id": [f"tune{n // 10}" for n in range(count)],
        "note_id": range(count),
        "frame": range(count),
        "x": range(count),
        "snippet": range(count) if snippet is None else snippet,
        "onsets": [1] * count,
        "entropy": [None] * count,
        "sheet": list(sheet.astype(np.float32)),
        "audio": list(audio.astype(np.float32)),
    }
    schema = EMBEDDINGS.with_metadata({"model": model, "weights": digest(weights)})
    pq.write_table(pa.table(columns, schema=schema), path)
    return path


@pytest.fixture
def files(tmp_path):
    """Weights, their refinement, and vectors that only the refined projection brings together."""
    torch.manual_seed(0)
    module = Network(MODEL, channels=(2, 2, 2, 2))
    paths = {name: {MODEL: tmp_path / f"{name}.safetensors"} for name in ("weights", "refined")}
    weights_files.save(module, paths["weights"][MODEL])
    turn = torch.linalg.qr(torch.randn(EMBEDDING, EMBEDDING)).Q
    module.cca.sheet.copy_(turn)
    module.cca.mean_sheet.fill_(3.0)
    module.cca.mean_audio.fill_(-2.0)
    weights_files.save(module, paths["refined"][MODEL])
    random = np.random.default_rng(0)
    music = random.standard_normal((40, EMBEDDING)) * np.linspace(0.5, 2, EMBEDDING)
    sheet, audio = music @ turn.numpy().T + 3, music - 2 + 0.3 * random.standard_normal(music.shape)
    embeddings = table(tmp_path / "embeddings.parquet", sheet, audio, paths["weights"][MODEL])
    return {
        "embeddings": {MODEL: embeddings},
        **paths,
        "out": tmp_path / "metrics.parquet",
        "sheet": sheet,
        "audio": audio,
    }


def run(files, **changes) -> pd.DataFrame:
    names = ("embeddings", "weights", "refined", "out")
    arguments = {name: files[name] for name in names} | {"resamples": 100} | changes
    for name in names[:3]:
        if isinstance(arguments[name], dict):
            arguments[name] = list(arguments[name].values())
    evaluate.evaluate(**arguments)
    return pq.read_table(files["out"]).to_pandas()


def test_shipped_weights_have_a_name_of_their_own(files, monkeypatch):
    """They are refitted already and stand for both projections."""
    shipped = files["weights"][MODEL]
    monkeypatch.setattr(inference, "DEFAULT_WEIGHTS", shipped)
    name = f"{MODEL}, shipped"
    embeddings = files["out"].with_name("shipped.parquet")
    table(embeddings, files["sheet"], files["audio"], shipped, model=name)
    given = {"embeddings": [embeddings, files["embeddings"][MODEL]],
             "weights": [Path("shipped"), shipped],
             "refined": [Path("shipped"), files["refined"][MODEL]]}  # fmt: skip
    found = run(files, **given).set_index(["model", "projection", "direction", "metric"]).micro
    found = found.sort_index()
    for projection in ("unrefined", "refined"):
        assert found[name, projection].equals(found[MODEL, "unrefined"])
    with pytest.raises(ValueError, match=re.escape(f"vectors of '{name}', but {shipped} ")):
        run(files, embeddings=[embeddings], weights=[shipped], refined=[shipped])


def test_each_projection_and_direction_is_evaluated_as_it_stands(files):
    found = run(files)
    assert len(found) == 2 * 2 * len(METRICS)
    assert set(found.model) == {MODEL}
    for projection in ("unrefined", "refined"):
        cca = weights_files.load(
            files["weights" if projection == "unrefined" else "refined"][MODEL]
        ).cca
        sheet = (files["sheet"] - cca.mean_sheet.numpy()) @ cca.sheet.numpy()
        audio = (files["audio"] - cca.mean_audio.numpy()) @ cca.audio.numpy()
        distance = cdist(audio, sheet, "cosine")
        for direction, turned in (("A2S", distance), ("S2A", distance.T)):
            rank = 1 + (turned < turned.diagonal()[:, None]).sum(axis=1)
            rows = found[(found.projection == projection) & (found.direction == direction)]
            rows = rows.set_index("metric").micro
            assert rows["mrr"] == pytest.approx((1 / rank).mean()), (projection, direction)
            assert rows["mean_rank"] == pytest.approx(rank.mean())
    mean = found[found.metric == "mrr"].set_index(["projection", "direction"]).micro
    assert (mean["refined"] > 0.95).all()
    assert (mean["unrefined"] < 0.5).all()
    assert mean["unrefined", "A2S"] != mean["unrefined", "S2A"]


def test_tempi_and_protocols_are_pools_of_their_own(files, tmp_path):
    """In the second pool all vectors are those of the first one, under other snippets."""
    weights = files["weights"][MODEL]
    parts = [
        table(tmp_path / "a", files["sheet"], files["audio"], weights, tempo_ratio=0.5),
        table(tmp_path / "b", files["sheet"], files["audio"], weights, protocol="2019"),
        table(tmp_path / "c", files["sheet"], files["audio"], weights, snippet=[7] * 40),
    ]
    together = pa.concat_tables([pq.read_table(path) for path in parts])
    pq.write_table(together, files["embeddings"][MODEL])
    found = run(files).set_index(["protocol", "tempo_ratio", "projection", "direction", "metric"])
    assert (found.n_pairs == 40).all()
    assert (found.n_pieces == 4).all()
    half, old, one = (found.loc[pool].micro for pool in (("fixed", 0.5), ("2019", 1), ("fixed", 1)))
    pd.testing.assert_series_equal(half, old)
    assert (one.xs("duplicates", level="metric") == 1).all()
    assert (one.xs("r1_identical", level="metric") == 1).all()
    assert (half.xs("duplicates", level="metric") == 0).all()


def test_the_seed_fixes_the_intervals(files):
    first, again, other = run(files, seed=1), run(files, seed=1), run(files, seed=2)
    pd.testing.assert_frame_equal(first, again)
    assert not first.low.equals(other.low)
    pd.testing.assert_frame_equal(
        first.drop(columns=["low", "high"]), other.drop(columns=["low", "high"])
    )


def test_files_that_do_not_belong_together_are_refused(files, tmp_path):
    with pytest.raises(ValueError, match="1 embeddings, 1 weights and 0 refined"):
        run(files, refined={})
    with pytest.raises(ValueError, match="no embeddings"):
        run(files, embeddings={}, weights={}, refined={})
    with pytest.raises(ValueError, match=r"embeddings.parquet: not of the weights in .*refined"):
        run(files, weights=files["refined"])
    other = tmp_path / "other.safetensors"
    weights_files.save(Network(MODEL, channels=(2, 2, 2, 2)), other)
    with pytest.raises(ValueError, match=r"other.safetensors: not a refinement of .*weights"):
        run(files, refined={MODEL: other})
    weights_files.save(Network("BL1-SC", channels=(2, 2, 2, 2)), other)
    with pytest.raises(
        ValueError, match=r"vectors of 'BL2-SC\+AT', but .*other.safetensors is of 'BL1-SC'"
    ):
        run(files, refined={MODEL: other})
    assert not files["out"].exists()


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.nan, FloatingPointError, "refined projection: a sheet vector is not finite"),
        (0.0, FloatingPointError, "unrefined projection: a sheet vector is zero"),
        (None, ValueError, "sheet: vectors are not of 32 values"),
    ],
    ids=str,
)
def test_vectors_without_a_direction_are_refused(files, value, error, message):
    """With the unrefined projection, which is the identity here, zeros stay zeros."""
    sheet = files["sheet"].copy()
    if value is None:
        sheet = sheet[:, :-1]
    else:
        sheet[3] = value
    table(files["embeddings"][MODEL], sheet, files["audio"], files["weights"][MODEL])
    with pytest.raises(error, match=rf"embeddings.parquet.*{message}"):
        run(files)
