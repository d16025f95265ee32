"""Batches of notes: each note once a pass, few staves in a batch, the same for the same seed."""

import numpy as np
import pytest
import torch

from models.score_following.batches import (
    Batches,
    batch_tensors,
    group_by_staff,
    training_batches,
)
from models.score_following.reading import read_examples
from models.streaming import Stream
from tests.support.staves import performance, write_shard

STAFF = np.repeat(np.arange(60), np.random.default_rng(1).integers(1, 60, 60))


def order(staff, notes_per_staff=5, seed=0) -> np.ndarray:
    return group_by_staff(staff, notes_per_staff, np.random.default_rng(seed))


@pytest.fixture
def paths(tmp_path):
    return [
        write_shard(tmp_path / f"{n}.parquet", [performance(f"tune{n}", seed=n)]) for n in range(4)
    ]


def test_an_order_has_every_example_once():
    assert (np.sort(order(STAFF)) == np.arange(len(STAFF))).all()
    assert (order(STAFF) != order(STAFF, seed=1)).any()
    assert (order(STAFF) == order(STAFF)).all()


def test_a_batch_shows_few_staves():
    staff = np.repeat(np.arange(200), 31)

    def staves(notes_per_staff):
        batches = order(staff, notes_per_staff).reshape(-1, 100)
        return np.mean([len(np.unique(staff[batch])) for batch in batches])

    assert 18 <= staves(5) <= 23
    assert staves(1) > 70


def test_passes_follow_each_other(paths):
    batches = Batches(read_examples(paths), 5, 10, seed=0)
    count = batches.usable()
    seen = np.concatenate([batches.chosen(number)[1] for number in range(2 * count // 10 + 1)])
    first, second = seen[:count], seen[count : 2 * count]
    assert (np.sort(first) == np.arange(count)).all()
    assert (np.sort(second) == np.arange(count)).all()
    assert (first != second).any()


def test_a_batch_may_be_larger_than_the_data(paths):
    data = read_examples(paths[:1])
    seen = Batches(data, 5, 3 * len(data) + 2, seed=0).chosen(0)[1]
    assert np.bincount(seen).min() == 3


@pytest.mark.parametrize("memory_mb", [None, 0.2])
def test_a_batch_follows_from_its_number_and_the_seed(paths, memory_mb):
    def batches(seed):
        return training_batches(paths, 5, 10, seed, memory_mb)

    assert isinstance(batches(3).source, Stream) == (memory_mb is not None)
    there = [batches(3)[number] for number in range(12)]
    again = batches(3)
    for number in (11, 4, 7, 4):
        assert all(map(torch.equal, again[number], there[number]))
    assert not torch.equal(batches(4)[0][3], there[0][3])


def test_devices_share_a_batch(paths):
    data = read_examples(paths)
    whole = Batches(data, 5, 10, seed=0)[3]
    shares = [Batches(data, 5, 10, 0, share=(rank, 2))[3] for rank in range(2)]
    assert torch.equal(torch.cat([x for *_, x in shares]), whole[3])
    assert torch.equal(torch.cat([excerpts for _, excerpts, *_ in shares]), whole[1])


def test_a_batch_of_one_staff_shows_it_twice(paths):
    """Batch normalisation needs two."""
    data = read_examples(paths)
    images, excerpts, image_index, _ = batch_tensors(data, np.flatnonzero(data.staff == 0)[:3])
    assert (len(images), len(excerpts), image_index.tolist()) == (2, 3, [0, 0, 0])
