"""Batches: each example once a pass, by number, augmented; from memory or in windows."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from models.retrieval import sampling
from models.retrieval.batches import Batches, training_batches
from models.retrieval.reading import read_examples, read_parts
from models.retrieval.sampling import NO_AUGMENTATION, Augmentation
from models.streaming import Stream
from tests.support.performances import performance
from tests.support.staves import write_shard

BINS = 92
LIMIT = 2_000_000  # bytes


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Three pieces, two of them performed twice."""
    rows = [performance(f"tune{n}", seed=n, notes=25 + 5 * n) for n in range(3)]
    rows += [performance(f"tune{n}", seed=n, notes=25 + 5 * n, tempo_ratio=1.1) for n in (2, 0)]
    return read_examples([write_shard(tmp_path_factory.mktemp("music") / "shard.parquet", rows)])


def batches(data, seed=0, size=7, context=42, augmentation=NO_AUGMENTATION, **arguments) -> Batches:
    return Batches(data, context, size, seed, augmentation, **arguments)


@pytest.mark.parametrize("context", [42, 168])
def test_each_pass_visits_every_inside_example_once(music, context):
    pool = np.flatnonzero(music.inside(context))
    order = batches(music, context=context)
    seen = np.concatenate([order.chosen(number)[1] for number in range(2 * len(pool) // 7 + 1)])
    first, second = seen[: len(pool)], seen[len(pool) : 2 * len(pool)]
    assert (np.sort(first) == pool).all()
    assert (np.sort(second) == pool).all()
    assert (first != second).any()
    assert (first != pool).any()


def test_a_batch_may_be_larger_than_the_pool(music):
    pool = np.flatnonzero(music.inside(168))
    seen = batches(music, context=168, size=2 * len(pool) + 5).chosen(0)[1]
    values, counts = np.unique(seen, return_counts=True)
    assert values.tolist() == pool.tolist()
    assert np.bincount(counts).tolist() == [0, 0, len(pool) - 5, 5]


def test_a_batch_holds_the_snippets_and_excerpts_of_its_examples(music):
    images, excerpts = batches(music)[2]
    chosen = batches(music).chosen(2)[1]
    assert (images.shape, excerpts.shape) == ((7, 1, 80, 100), (7, 1, BINS, 42))
    np.testing.assert_array_equal(images, music.snippet_batch(chosen))
    np.testing.assert_array_equal(excerpts, music.excerpt_batch(chosen, 42))
    images, _ = batches(music, cropping="2019")[2]
    np.testing.assert_array_equal(images, music.snippet_batch(chosen, "2019"))


def test_a_batch_follows_from_its_number_and_the_seed(music):
    there = [batches(music, seed=3, augmentation=Augmentation())[n] for n in range(40)]
    again = batches(music, seed=3, augmentation=Augmentation())
    for n in (39, 7, 20, 7):
        assert all(torch.equal(*pair) for pair in zip(again[n], there[n], strict=True))
    other = batches(music, seed=4, augmentation=Augmentation())
    assert other.chosen(0)[1].tolist() != again.chosen(0)[1].tolist()
    assert not torch.equal(other[0][0], there[0][0])
    assert not torch.equal(other[0][1], there[0][1])


def test_workers_make_the_same_batches(music):
    data = batches(music, augmentation=Augmentation())
    numbers = range(5, 17)
    alone = list(DataLoader(data, batch_size=None, sampler=numbers))
    shared = list(DataLoader(data, batch_size=None, sampler=numbers, num_workers=2))
    assert len(alone) == len(shared) == 12
    for one, other, number in zip(alone, shared, numbers, strict=True):
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))
        assert torch.equal(one[0], data[number][0])


def test_augmentation_draws_its_whole_range_evenly(music, monkeypatch):
    """Scale, shift up and shift later are as asked for, and have nothing to do with each other."""
    drawn = []
    for name in ("snippet_batch", "excerpt_batch"):
        monkeypatch.setattr(
            sampling.Examples, name, lambda self, *rest: drawn.append(rest[2:]) or np.zeros(1)
        )
    data = batches(music, size=1000, augmentation=Augmentation())
    for number in range(10):
        data[number]
    scale, up = (np.concatenate(values) for values in zip(*drawn[0::2], strict=True))
    (later,) = (np.concatenate(values) for values in zip(*drawn[1::2], strict=True))
    assert 0.95 <= scale.min() < 0.951 < 1.049 < scale.max() <= 1.05
    assert abs(np.histogram(scale, 10)[0] - 1000).max() < 150
    values, counts = np.unique(up, return_counts=True)
    assert values.tolist() == list(range(-5, 6))
    assert abs(counts - 10_000 / 11).max() < 150
    values, counts = np.unique(later, return_counts=True)
    assert values.tolist() == [-1, 0, 1]
    assert abs(counts - 10_000 / 3).max() < 200
    assert abs(np.corrcoef([scale, up, later])[np.triu_indices(3, 1)]).max() < 0.05


def test_without_an_inside_example_there_is_no_batch(tmp_path):
    data = read_examples([write_shard(tmp_path / "short.parquet", [performance("short", notes=6)])])
    with pytest.raises(ValueError, match=r"none of the 6 onsets of split train .* of 168 frames"):
        batches(data, context=168)


# --- streamed --------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Shards of twelve pieces, one row group each."""
    folder = tmp_path_factory.mktemp("shards")
    return [
        write_shard(folder / f"{n}.parquet", [performance(f"tune{n}", seed=n, notes=25 + n)])
        for n in range(12)
    ]


def streamed(paths, seed=0, size=7, augmentation=NO_AUGMENTATION) -> Batches:
    """About four pieces fit in a window."""
    windows = Stream(
        paths, read_parts, lambda found: int(found.inside(42).sum()),
        batch_size=size, memory_limit=LIMIT, seed=seed,
    )  # fmt: skip
    return Batches(windows, 42, size, seed, augmentation)


def test_what_fits_in_memory_is_not_streamed(paths):
    for memory_mb, streams in ((1, True), (1_000, False), (None, False)):
        made = training_batches(paths, 42, 7, 0, NO_AUGMENTATION, memory_mb)
        assert isinstance(made.source, Stream) == streams


def examples_of(data: Batches, number: int) -> list[tuple[str, int]]:
    """Piece and note of a batch's examples."""
    window, chosen = data.chosen(number)
    notes = zip(window.piece[chosen], window.note_id[chosen], strict=True)
    return [(window.pieces[piece], int(note)) for piece, note in notes]


def test_a_streamed_pass_visits_every_example(paths):
    data = streamed(paths)
    everything = read_examples(paths)
    inside = everything.inside(42)
    assert data.usable() == inside.sum()
    windows = data.source.windows(0)
    assert 2 < len(windows) < 12
    number = sum(map(data.source.batches, windows))
    seen = {one for n in range(number) for one in examples_of(data, n)}
    left = inside.sum() - len(seen)
    assert left < len(windows) * 7 / 2  # the rest of a division by the size of a batch


def test_a_streamed_batch_mixes_pieces_and_passes_differ(paths):
    data = streamed(paths)
    batches = sum(map(data.source.batches, data.source.windows(0)))
    mixed = [len({piece for piece, _ in examples_of(data, n)}) for n in range(batches)]
    assert np.mean(mixed) > 2
    first = [unit.part for unit in data.source.windows(0)[0]]
    second = [unit.part for unit in data.source.windows(1)[0]]
    assert first != second


def test_a_streamed_batch_is_that_of_its_window(paths):
    data = streamed(paths)
    images, excerpts = data[5]
    window, chosen = data.chosen(5)
    np.testing.assert_array_equal(images, window.snippet_batch(chosen))
    np.testing.assert_array_equal(excerpts, window.excerpt_batch(chosen, 42))


def test_a_streamed_batch_follows_from_its_number_and_the_seed(paths):
    data, again = (streamed(paths, augmentation=Augmentation()) for _ in range(2))
    there = [data[number] for number in range(30)]
    for number in (29, 3, 17):
        assert all(torch.equal(*pair) for pair in zip(again[number], there[number], strict=True))
    assert not torch.equal(streamed(paths, seed=1)[0][0], there[0][0])


def test_no_window_exceeds_the_limit(paths):
    data = streamed(paths)
    batches = sum(map(data.source.batches, data.source.windows(0)))
    assert all(data.chosen(number)[0].memory() <= LIMIT for number in range(batches))
