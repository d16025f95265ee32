"""The table of metrics: a row for each predictor, and chance against random draws."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.score_following import evaluate
from pipeline import tables
from pipeline.constants import BUCKET_PX, BUCKETS, STAFF_WIDTH_PX


def centre(bucket: float) -> float:
    return (bucket + 0.5) * BUCKET_PX


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
    path, out = tmp_path / "predictions.parquet", tmp_path / "metrics.parquet"
    rows = [row | dict.fromkeys(places, value) for value in x]
    tables.write(rows, evaluate.PREDICTIONS, path)
    evaluate.evaluate(path, out)
    found = pq.read_table(out).to_pandas().set_index(["predictor", "metric"]).micro
    assert found["network"].tolist() == [1, 1, 0, 0, 0, 0, 1, 1]
    drawn = centre(np.random.default_rng(0).integers(0, BUCKETS, (200_000, 1)))
    distance = np.abs(drawn - x) / STAFF_WIDTH_PX
    assert found["chance", "top1"] == pytest.approx(1 / 40)
    assert found["chance", "top2"] == pytest.approx((2 / 40 + 3 / 40) / 2)
    assert found["chance", "mean_npd_max"] == pytest.approx(distance.mean(), rel=0.01)
    assert found["chance", "median_npd_int"] == pytest.approx(np.median(distance), rel=0.03)
    within = (distance < 1 / 40).mean()
    assert found["chance", "within_max"] == pytest.approx(within, rel=0.05)


def test_a_row_for_each_split_predictor_and_metric(predicted, tmp_path):
    predicted()
    paths = tmp_path / "predictions.parquet", tmp_path / "metrics.parquet"
    evaluate.evaluate(*paths, seed=3)
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
    evaluate.evaluate(*paths, seed=3)
    assert pq.read_table(paths[1]) == first
