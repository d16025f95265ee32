"""The data half comes out the same whatever the number of cores and of chunks."""

import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import piano, scores
from tests.support.runs import outputs
from tests.workflow.test_workflow import ENVIRONMENT, command, write_config

SPLITS = ("train", "valid", "test")


def made(folder: Path, cores: int, chunks: int) -> Path:
    """A run of the data half on six tunes and three scores."""
    folder.mkdir()
    for number in range(6):
        tune = folder / "tunes" / SPLITS[number % 3] / f"tune{number}.mid"
        tune.parent.mkdir(parents=True, exist_ok=True)
        tune.write_bytes(scores.midi([(t, u, p + number) for t, u, p in scores.scale(24)]))
    for number, split in enumerate(SPLITS):
        work = folder / "scores" / split / f"work{number}.ly"
        work.parent.mkdir(parents=True)
        work.write_text(piano.varied(6, seed=number))
    ranges = {"tempo_ratios": ["0.9-1.1"]}
    write_config(
        folder, score_following=None, performances=ranges,
        collections__tunes__chunks=chunks,
        collections__piano={"source": "scores", "fraction": 1.0, "split": "source"}
        | {"chunks": chunks},
    )  # fmt: skip
    run = command("--", "data")
    run[run.index("--cores") + 1] = str(cores)
    done = subprocess.run(run, cwd=folder, env=ENVIRONMENT, text=True, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def one_core(tmp_path_factory):
    return made(tmp_path_factory.mktemp("runs") / "one", cores=1, chunks=1)


def test_two_cores_make_the_same_bytes(one_core, tmp_path):
    assert outputs(made(tmp_path / "two", cores=2, chunks=1)) == outputs(one_core)


def rows(folder: Path, table: str) -> pa.Table:
    """All rows of a table of both collections, ordered by piece; without the chunk they were in."""
    paths = sorted(folder.glob(f"results/data/*/{table}"))
    whole = pa.concat_tables([pq.read_table(path) for path in paths])
    if "chunk" in whole.column_names:
        whole = whole.drop_columns(["chunk"])
    order = np.argsort(whole["piece_id"].to_numpy(zero_copy_only=False), kind="stable")
    return whole.take(order).combine_chunks()


def test_batches_move_rows_between_files_and_change_none(one_core, tmp_path):
    three = made(tmp_path / "three", cores=2, chunks=3)
    tables = ["pieces", "engraved", "images", "systems", "noteheads", "notes"]
    played = ["performances/*/*", "features/*/*", "shards/train", "shards/valid", "shards/test"]
    for table in tables + played:
        one, other = (rows(folder, f"{table}/*.parquet") for folder in (one_core, three))
        assert len(one) > 0
        assert one.equals(other), table
    assert len(list(three.glob("results/data/tunes/pieces/*"))) == 3
