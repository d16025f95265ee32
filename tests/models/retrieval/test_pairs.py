"""Pairs of made-up music, counted out note by note."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.retrieval import pairs
from pipeline import tables
from tests.support.performances import performance, shards
from tests.support.staves import write_shard

CONTEXTS = [84, 168]
TEMPI = (0.75, 1.0, 1.5)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Five pieces at three tempi, two files each; every tempo lacks another note of each piece."""
    found = {}
    for number, tempo_ratio in enumerate(TEMPI):
        reason = ["not printed" if note == 20 + number else None for note in range(40)]
        folder = tmp_path_factory.mktemp("shards")
        found |= shards(folder, pieces=5, tempo_ratios=(tempo_ratio,), split="test", reason=reason)
    return found


@pytest.fixture
def choose(tmp_path):
    """Chooses, and reads what was written as a list of rows."""

    def chooses(shards, contexts=CONTEXTS, **arguments) -> list[dict]:
        out = tmp_path / "pairs.parquet"
        paths = [path for paths in shards.values() for path in paths]
        pairs.choose(paths, out, contexts, **arguments)
        return tables.read(out, pairs.PAIRS).to_pylist()

    return chooses


def inside(files: list, context: int) -> dict[tuple[str, int], tuple[int, float]]:
    """The notes of some shards that have the whole context, in order: frame and x of each."""
    columns = ("note_id", "frame", "x", "reason")
    rows = sorted(
        (row for path in files for row in pq.read_table(path).to_pylist()),
        key=lambda row: row["piece_id"],
    )
    return {
        (row["piece_id"], note): (frame, x)
        for row in rows
        for note, frame, x, reason in zip(*(row[name] for name in columns), strict=True)
        if reason is None
        and frame - context // 2 >= 0
        and frame - context // 2 + context < len(row["spectrogram"]) // 92
        and x - 100 >= 0
        and x + 100 < row["right"][0]
    }


def notes(rows: list[dict]) -> list[tuple[str, int]]:
    return [(row["piece_id"], row["note_id"]) for row in rows]


def places(rows: list[dict]) -> dict[tuple[str, int], tuple[int, float]]:
    return {(row["piece_id"], row["note_id"]): (row["frame"], row["x"]) for row in rows}


def at(rows: list[dict], tempo_ratio: float, context: int = 0) -> list[dict]:
    return [row for row in rows if row["tempo_ratio"] == tempo_ratio and row["context"] == context]


# --- fixed -----------------------------------------------------------------------------------
def test_fixed_are_the_notes_inside_for_the_longest_context_at_every_tempo(choose, files):
    found = choose(files)
    pools = {tempo_ratio: inside(files[str(tempo_ratio)], 168) for tempo_ratio in TEMPI}
    expected = [note for note in pools[0.75] if note in pools[1.0] and note in pools[1.5]]
    assert 0 < len(expected) < min(len(pool) for pool in pools.values())
    for tempo_ratio in TEMPI:
        here = at(found, tempo_ratio)
        assert notes(here) == expected
        assert places(here) == {note: pools[tempo_ratio][note] for note in expected}
        assert [row["pair"] for row in here] == list(range(len(expected)))
        assert {(row["protocol"], row["font"]) for row in here} == {("fixed", "grand")}
    assert len(found) == 3 * len(expected)


def test_fixed_are_spread_evenly_where_there_are_more(choose, files):
    everything, some = choose(files), choose(files, count=7)
    total = len(everything) // 3
    for tempo_ratio in TEMPI:
        pool = notes(at(everything, tempo_ratio))
        assert notes(at(some, tempo_ratio)) == [pool[n * total // 7] for n in range(7)]
        assert [row["pair"] for row in at(some, tempo_ratio)] == list(range(7))


def test_fixed_come_in_the_order_of_pieces_and_time(choose, files):
    found = notes(at(choose(files), 1.0))
    assert found == sorted(found)
    assert len({piece for piece, _ in found}) == 5


# --- 2019 ------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [9, 10_000])
def test_2019_is_an_even_grid_over_each_pool(choose, files, count):
    found = choose(files, count=count, protocols=["2019"])
    sizes = set()
    for tempo_ratio in TEMPI:
        for context in CONTEXTS:
            pool = inside(files[str(tempo_ratio)], context)
            sizes.add(len(pool))
            grid = np.linspace(0, len(pool) - 1, min(count, len(pool))).astype(int)
            here = at(found, tempo_ratio, context)
            assert notes(here) == [list(pool)[place] for place in grid]
            assert places(here) == {note: pool[note] for note in notes(here)}
            assert [row["pair"] for row in here] == list(range(len(grid)))
    assert len(sizes) > 3
    assert {row["protocol"] for row in found} == {"2019"}
    assert len(found) == sum(
        min(count, len(inside(files[str(r)], c))) for r in TEMPI for c in CONTEXTS
    )


def test_both_protocols_go_into_one_table(choose, files):
    both = choose(files, protocols=["fixed", "2019"])
    assert both == choose(files) + choose(files, protocols=["2019"])


# --- whatever the files ----------------------------------------------------------------------
def test_files_may_come_in_any_order(choose, files, tmp_path):
    usual = choose(files, count=20, protocols=["fixed", "2019"])
    assert (
        choose(
            {tempo_ratio: paths[::-1] for tempo_ratio, paths in files.items()},
            count=20,
            protocols=["fixed", "2019"],
        )
        == usual
    )
    rows = [performance(f"tune{n}", tempo_ratio=1.0, seed=n, split="test") for n in (3, 0, 4, 2, 1)]
    for row in rows:
        row["reason"][21] = "not printed"  # as in the fixture
    whole = write_shard(tmp_path / "whole.parquet", rows)
    assert choose(files | {"1.0": [whole]}, count=20, protocols=["fixed", "2019"]) == usual


def test_onsets_with_a_reason_are_left_out(choose, tmp_path):
    row = performance("tune")
    usual = notes(choose({"1.0": [write_shard(tmp_path / "all.parquet", [row])]}))
    row["reason"][20] = "not printed"
    row["x"] = [None if reason else x for x, reason in zip(row["x"], row["reason"], strict=True)]
    left = notes(choose({"1.0": [write_shard(tmp_path / "some.parquet", [row])]}))
    assert ("tune", 20) in usual
    assert left == [note for note in usual if note != ("tune", 20)]


def test_pieces_missing_at_some_tempo_are_reported(choose, files, tmp_path, capsys):
    choose(files)
    assert capsys.readouterr().err == ""
    fewer = {"0.75": files["0.75"], "1.0": files["1.0"][:1]}  # tune0, tune2 and tune4
    found = choose(fewer)
    assert {piece for piece, _ in notes(found)} == {"tune0", "tune2", "tune4"}
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "missing at some tempo: 2 (tune1, tune3)" in said
    assert {piece for piece, _ in notes(at(choose(fewer, protocols=["2019"]), 0.75, 84))} == {
        f"tune{n}" for n in range(5)
    }


def test_sound_is_never_held_for_a_whole_file(choose, tmp_path, monkeypatch):
    """100 performances of 2 MB each are read with few of them in memory."""
    row = performance("tune", notes=20, spectrogram=np.zeros(6000 * 92, np.float32))
    path = write_shard(tmp_path / "long.parquet", [row | {"piece_id": f"p{n}"} for n in range(100)])
    pa.default_memory_pool().release_unused()
    before = pa.total_allocated_bytes()
    peaks = []
    check = pairs.check_settings
    monkeypatch.setattr(
        pairs,
        "check_settings",
        lambda *settings: peaks.append(pa.total_allocated_bytes() - before) or check(*settings),
    )
    choose({"1.0": [path]})
    assert len(peaks) == 100
    assert max(peaks) < 60e6


# --- refusals --------------------------------------------------------------------------------
def refused(choose, tmp_path, message: str, rows: dict[str, list[dict]], **arguments) -> None:
    files = {
        tempo_ratio: [write_shard(tmp_path / f"shard-{tempo_ratio}.parquet", part)]
        for tempo_ratio, part in rows.items()
    }
    with pytest.raises(ValueError, match=message):
        choose(files, **arguments)
    assert not (tmp_path / "pairs.parquet").exists()


def test_a_tempo_and_context_without_an_onset_is_named(choose, tmp_path):
    short = performance("tune", notes=9, tempo_ratio=2.0)
    rows = {"1.0": [performance("tune")], "2.0": [short]}
    refused(choose, tmp_path, "tempo 2: no onset has 168 frames", rows)


def test_tempi_without_a_common_note_are_named(choose, tmp_path):
    rows = {"1.0": [performance("a")], "2.0": [performance("b", tempo_ratio=2.0)]}
    refused(choose, tmp_path, "no note has 168 frames around it at every tempo", rows)


def test_several_fonts_in_one_tempo_are_named(choose, tmp_path):
    rows = {"1.0": [performance("a"), performance("b", font="upright")]}
    refused(choose, tmp_path, "tempo 1: several sound fonts, grand, upright", rows)


def test_a_piece_may_be_performed_once(choose, tmp_path):
    refused(choose, tmp_path, "tempo 1: a is performed twice", {"1.0": [performance("a")] * 2})


def test_a_shard_of_several_tempi_is_refused(choose, tmp_path):
    rows = {"0.66": [performance("a", tempo_ratio=0.66), performance("b", tempo_ratio=0.75)]}
    refused(choose, tmp_path, "shard-0.66.parquet: performances at several tempi, 0.66", rows)


def test_splits_must_not_be_mixed(choose, tmp_path):
    rows = {"1.0": [performance("a")], "2.0": [performance("a", tempo_ratio=2.0, split="test")]}
    refused(choose, tmp_path, "several splits, test, train, are mixed", rows)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": 31.25}, "shard-1.0.parquet: a: spectrogram of 31.25"),
        ({"bins": 136}, "shard-1.0.parquet: a: .* 136 bins"),
        ({"right": [1.0, 2.0]}, "shard-1.0.parquet: a: 2 images instead of one strip"),
    ],
)
def test_other_spectrograms_and_images_are_refused(choose, tmp_path, changes, message):
    refused(choose, tmp_path, message, {"1.0": [performance("a", **changes)]})


def test_shards_without_a_performance_are_refused(choose, tmp_path):
    refused(choose, tmp_path, "no performance in .*shard-1.0.parquet", {"1.0": []})


def test_an_unknown_protocol_is_refused(choose, tmp_path):
    rows = {"1.0": [performance("a")]}
    refused(choose, tmp_path, "protocol 2016; it is one of fixed, 2019", rows, protocols=["2016"])


def test_a_table_of_another_kind_is_refused(choose, tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"piece_id": ["tune"]}), path)
    with pytest.raises(ValueError, match=r"other.parquet: column 'split' is missing"):
        choose({"1.0": [path]})
