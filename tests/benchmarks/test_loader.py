"""The three loaders that are compared, on pieces of a few bars."""

import pytest

from benchmarks import loader
from pipeline.constants import CONTEXTS


def test_all_loaders_cut_the_same_examples(monkeypatch):
    for name, small in {"PIECES": 2, "WIDTH_PX": 2_000, "FRAMES": 600, "BATCH": 10}.items():
        monkeypatch.setattr(loader, name, small)
    data = loader.made_up()
    assert loader.largest_difference(data, CONTEXTS["SC"]) == pytest.approx(0, abs=0.005)
