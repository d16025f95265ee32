"""Windows of shards under a limit of memory, for what is made of plain numbers here."""

from dataclasses import dataclass

import pytest

from models import dataset, streaming
from pipeline import tables
from tests.support.staves import performance, write_shard


@dataclass
class Read:
    """What some parts were read into: their names, and a kilobyte for each."""

    parts: list[dataset.Part]

    def fingerprint(self) -> str:
        return str(self.parts)

    def memory(self) -> int:
        return 1_000 * len(self.parts)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Five shards of one performance each, and one without any."""
    folder = tmp_path_factory.mktemp("shards")
    full = [write_shard(folder / f"{n}.parquet", [performance(f"tune{n}")]) for n in range(5)]
    return [*full, write_shard(folder / "none.parquet", [])]


def windows(paths, limit=2_000, size=10, usable=25, seed=0) -> streaming.Stream:
    return streaming.Stream(
        paths, Read, lambda examples: usable, batch_size=size, memory_limit=limit, seed=seed
    )


def test_a_pass_has_every_unit_once_in_windows_below_the_limit(paths):
    found = windows(paths)
    for run in range(5):
        sizes = [len(window) for window in found.windows(run)]
        assert sizes == [2, 2, 1]
        assert {unit.part[0] for window in found.windows(run) for unit in window} == {*paths[:5]}
    assert found.windows(0) != found.windows(1)
    assert found.windows(1) == windows(paths).windows(1) != windows(paths, seed=1).windows(1)


def test_batches_are_counted_through_windows_and_passes(paths):
    """Windows of 50, 50 and 25 examples make 5, 5 and 2 batches of ten; a pass has twelve."""
    found = windows(paths)
    places = [found.find(number) for number in range(25)]
    assert [(place.pass_number, place.window, place.batch) for place in places[3:13]] == [
        (0, 0, 3), (0, 0, 4), (0, 1, 0), (0, 1, 1), (0, 1, 2), (0, 1, 3), (0, 1, 4),
        (0, 2, 0), (0, 2, 1), (1, 0, 0),
    ]  # fmt: skip
    assert (places[24].pass_number, places[24].window) == (2, 0)


def test_a_window_is_read_once_while_it_serves(paths):
    found, reads = windows(paths), []
    found._read = lambda parts: reads.append(parts) or Read(parts)
    for number in (0, 1, 4, 5, 6):
        found.read(found.find(number))
    assert len(reads) == 2


def test_a_limit_below_a_row_group_is_told(paths):
    with pytest.raises(
        ValueError, match=r"0\.parquet: a row group takes 0 MB, more than .* memory_mb"
    ):
        windows(paths, limit=999)


def test_shards_without_examples_are_refused(paths):
    with pytest.raises(ValueError, match=r"no complete examples in .*; use more or longer pieces"):
        windows(paths[5:])
    with pytest.raises(ValueError, match=r"no complete examples in .*; use more or longer pieces"):
        windows(paths, usable=0)


def test_the_need_of_memory_is_estimated_from_footers(paths, monkeypatch):
    need = sum(dataset.decoded_bytes(path) for path in paths)
    assert streaming.too_large(paths, (need - 1) / 1e6) and not streaming.too_large(
        paths, need / 1e6
    )
    assert not streaming.too_large(paths, None)
    monkeypatch.setattr(tables, "read", lambda *arguments, **columns: None)
    assert sum(dataset.decoded_bytes(path) for path in paths) == need
