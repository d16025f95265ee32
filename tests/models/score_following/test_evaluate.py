"""Predictions, baselines, and the measures against cases worked out by hand."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from models.bootstrap import Bootstrap
from models.score_following import evaluate, sampling
from models.score_following.evaluate import measures
from pipeline.constants import BUCKET_PX, BUCKETS
from tests.support.staves import narrow, performance, write_shard

WIDTH = 390


@pytest.fixture
def shards(tmp_path):
    """Two fonts to train on, one to test on; the last piece has longer staves."""
    rows = {
        "train": [performance("a"), performance("a", font="upright"), performance("b", seed=1)],
        "valid": [performance("c", split="valid", seed=2)],
        "test": [performance("d", split="test", seed=3, staves=3)],
    }
    return {
        split: [write_shard(tmp_path / f"{split}.parquet", some)] for split, some in rows.items()
    }


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(5)
    path = tmp_path / "weights.pt"
    torch.save(narrow().state_dict(), path)
    return path


@pytest.fixture
def predicted(tmp_path, shards, weights):
    """Predictions of a random network."""

    def predicts(**changes):
        out = tmp_path / "predictions.parquet"
        settings = {"precision": "32-true", "network": narrow, "accelerator": "cpu"} | changes
        evaluate.evaluate(weights, shards, out, **settings)
        return pq.read_table(out).to_pandas()

    return predicts


def test_every_example_is_predicted_as_one_by_one(predicted, shards, weights, monkeypatch):
    monkeypatch.setattr(evaluate, "STAVES_AT_ONCE", 2)
    monkeypatch.setattr(evaluate, "NOTES_AT_ONCE", 7)
    found = predicted()
    network = evaluate.load(weights, narrow)
    for split, paths in shards.items():
        part, data = found[found.split == split], sampling.read(paths)
        assert part.note_id.tolist() == data.note_id.tolist()
        assert part.x.tolist() == pytest.approx(data.x.tolist())
        for example in (0, len(data) // 2, len(data) - 1):
            with torch.no_grad():
                logits = network(
                    torch.from_numpy(data.image_batch(data.staff[[example]])),
                    torch.from_numpy(data.excerpt_batch(np.array([example]))),
                    torch.zeros(1, dtype=torch.long),
                )
            expected = logits.softmax(dim=1)[0].numpy()
            np.testing.assert_allclose(part.probabilities.iloc[example], expected, rtol=1e-4)
            assert part.x_max.iloc[example] == (expected.argmax() + 0.5) * BUCKET_PX


def test_training_examples_can_be_capped(predicted):
    found = predicted(train_samples=10)
    assert found.split.value_counts()["train"] == 10
    assert set(found[found.split == "train"].font) == {"grand", "upright"}


def test_baselines(predicted, shards):
    found = predicted()
    buckets = pd.Series(np.floor(found.x[found.split == "train"] / BUCKET_PX))
    assert found.x_frequent.unique().tolist() == [(buckets.mode().min() + 0.5) * BUCKET_PX]
    staff = found[(found.split == "test") & (found.image == 1)]
    ends = staff.x_timed.iloc[[0, -1]].tolist()
    assert ends == pytest.approx([7.0, 382.0])  # the ends of the staff lines
    steps = np.diff(staff.x_timed)  # the notes are as long as each other
    assert steps == pytest.approx(np.full(len(steps), steps[0]), rel=1e-4)


def test_the_line_through_the_recording_runs_over_all_staves(predicted):
    """Two staves of equal length: the first half of the recording lies on the first staff."""
    found = predicted()
    one = found[(found.split == "test") & (found.piece_id == found.piece_id.iloc[-1])]
    along = one.x_linear - 7.0 + one.image * 375.0  # on the joined staves
    inside = (one.x_linear > 7.5) & (one.x_linear < 381.5)
    assert inside.sum() > len(one) / 2
    slopes = np.diff(along[inside]) / np.diff(one.frame[inside])
    assert slopes == pytest.approx(np.full(len(slopes), slopes[0]), rel=1e-3)


def test_shards_of_another_split_are_refused(predicted, shards):
    shards["valid"] = shards["test"]
    with pytest.raises(ValueError, match="given for 'valid', but of split 'test'"):
        predicted()
    del shards["train"]
    with pytest.raises(ValueError, match="'train' are needed"):
        predicted()


# --- measures ----------------------------------------------------------------------------------
def centre(bucket: float) -> float:
    return (bucket + 0.5) * BUCKET_PX


def test_measures_by_hand():
    x = np.array([centre(3), centre(10), centre(20), centre(30)])
    x_max = np.array([centre(3), centre(11), centre(18), centre(39)])
    x_int = x + np.array([1.0, 2.0, -3.0, 100.0])
    found = measures(x, x_max, x_int, np.array(["a", "a", "a", "b"])).set_index("measure")
    expected = {
        "top1": (1 / 4, (1 / 3 + 0) / 2),
        "top2": (2 / 4, (2 / 3 + 0) / 2),
        "mean_npd_max": (12 / 4 / 40, (3 / 3 + 9) / 2 / 40),
        "mean_npd_int": (106 / 4 / WIDTH, (2 + 100) / 2 / WIDTH),
        "median_npd_max": (1.5 / 40, (1 + 9) / 2 / 40),
        "median_npd_int": (2.5 / WIDTH, (2 + 100) / 2 / WIDTH),
        "within_max": (1 / 4, (1 / 3 + 0) / 2),  # one bucket off is not less than its width
        "within_int": (3 / 4, (3 / 3 + 0) / 2),
    }
    for name, values in expected.items():
        assert found.loc[name, ["micro", "macro"]].tolist() == pytest.approx(values), name
    assert found.n_notes.unique().tolist() == [4]
    assert found.n_pieces.unique().tolist() == [2]


def test_chance_is_the_expectation_of_a_random_bucket(tmp_path):
    x = np.array([centre(0), centre(20) + 1])
    row = {
        "split": "test",
        "piece_id": "a",
        "font": "grand",
        "tempo_ratio": 1.0,
        "frame": 0,
        "image": 0,
    }
    row |= {"probabilities": [1 / BUCKETS] * BUCKETS, "note_id": 0}
    places = ("x", "x_max", "x_int", "x_linear", "x_timed", "x_frequent")
    path, out = tmp_path / "predictions.parquet", tmp_path / "measures.parquet"
    rows = [row | dict.fromkeys(places, value) for value in x]
    evaluate.tables.write(rows, evaluate.PREDICTIONS, path)
    evaluate.measure(path, out)
    found = pq.read_table(out).to_pandas().set_index(["predictor", "measure"]).micro
    assert found["network"].tolist() == [1, 1, 0, 0, 0, 0, 1, 1]
    drawn = centre(np.random.default_rng(0).integers(0, BUCKETS, (200_000, 1)))
    distance = np.abs(drawn - x) / WIDTH
    assert found["chance", "top1"] == pytest.approx(1 / 40)
    assert found["chance", "top2"] == pytest.approx((2 / 40 + 3 / 40) / 2)
    assert found["chance", "mean_npd_max"] == pytest.approx(distance.mean(), rel=0.01)
    assert found["chance", "median_npd_int"] == pytest.approx(np.median(distance), rel=0.03)
    within = (distance < 1 / 40).mean()
    assert found["chance", "within_max"] == pytest.approx(within, rel=0.05)


def test_bootstrap_redraws_whole_pieces():
    """The vectorised intervals are those of redrawing and measuring one resample at a time."""
    random = np.random.default_rng(0)
    piece = random.integers(0, 7, 60)
    values = random.random((60, 2))
    bootstrap = Bootstrap(piece, seed=1, resamples=50)
    means, medians = [], []
    for draw in bootstrap.draws:
        drawn = np.concatenate([values[piece == p] for p in np.repeat(np.arange(7), draw)])
        means.append(drawn.mean())
        medians.append(np.median(drawn))
    assert bootstrap.mean(values)[2:] == pytest.approx(np.quantile(means, [0.025, 0.975]))
    assert bootstrap.median(values)[2:] == pytest.approx(np.quantile(medians, [0.025, 0.975]))
    assert (bootstrap.draws.sum(axis=1) == 7).all()


def test_one_piece_has_no_spread():
    micro, macro, low, high = Bootstrap(np.zeros(5), 0, 20).mean(np.arange(5.0)[:, None])
    assert micro == macro == low == high == 2


def test_measure_writes_a_row_for_each_split_predictor_and_measure(predicted, tmp_path):
    predicted()
    paths = tmp_path / "predictions.parquet", tmp_path / "measures.parquet"
    evaluate.measure(*paths, seed=3)
    first = pq.read_table(paths[1])
    assert first.num_rows == 3 * 5 * 8
    assert set(first["predictor"].to_pylist()) == {
        "network",
        "linear",
        "timed",
        "frequent",
        "chance",
    }
    table = first.to_pandas()
    assert ((table.low <= table.micro + 1e-9) & (table.micro <= table.high + 1e-9)).mean() > 0.9
    evaluate.measure(*paths, seed=3)
    assert pq.read_table(paths[1]) == first
