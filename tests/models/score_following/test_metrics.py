"""Metrics of score following against numbers worked out by hand."""

import numpy as np
import pytest

from models.score_following.metrics import metrics
from pipeline.constants import BUCKET_PX, STAFF_WIDTH_PX


def centre(bucket: float) -> float:
    return (bucket + 0.5) * BUCKET_PX


def test_metrics_by_hand():
    x = np.array([centre(3), centre(10), centre(20), centre(30)])
    x_max = np.array([centre(3), centre(11), centre(18), centre(39)])
    x_int = x + np.array([1.0, 2.0, -3.0, 100.0])
    found = metrics(x, x_max, x_int, np.array(["a", "a", "a", "b"])).set_index("metric")
    expected = {
        "top1": (1 / 4, (1 / 3 + 0) / 2),
        "top2": (2 / 4, (2 / 3 + 0) / 2),
        "mean_npd_max": (12 / 4 / 40, (3 / 3 + 9) / 2 / 40),
        "mean_npd_int": (106 / 4 / STAFF_WIDTH_PX, (2 + 100) / 2 / STAFF_WIDTH_PX),
        "median_npd_max": (1.5 / 40, (1 + 9) / 2 / 40),
        "median_npd_int": (2.5 / STAFF_WIDTH_PX, (2 + 100) / 2 / STAFF_WIDTH_PX),
        "within_max": (1 / 4, (1 / 3 + 0) / 2),  # one bucket off is not less than its width
        "within_int": (3 / 4, (3 / 3 + 0) / 2),
    }
    for name, values in expected.items():
        assert found.loc[name, ["micro", "macro"]].tolist() == pytest.approx(values), name
    assert found.n_notes.unique().tolist() == [4]
    assert found.n_pieces.unique().tolist() == [2]
