"""Shards a few rows at a time, and choices among examples."""

from models.dataset import evenly_spaced


def test_evenly_spaced():
    assert evenly_spaced(10, 5).tolist() == [0, 2, 4, 6, 8]
    assert evenly_spaced(3, 5).tolist() == [0, 1, 2]
    assert evenly_spaced(3, None).tolist() == [0, 1, 2]
