"""A finished run is finished: whatever its sources, a second call finds nothing to do."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline.reading.archives import contents_digest
from pipeline.reading.fetching import MIRROR
from pipeline.reading.fonts import font_path
from tests.support import piano, scores
from tests.support.runs import outputs
from tests.workflow.test_workflow import ENVIRONMENT, ROOT, command, jobs, write_config

INJECTED = ROOT / "tests/faults/injected"
FUTURE = 2**32  # seconds, in 2106


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*arguments), cwd=folder, env=ENVIRONMENT | environment, text=True, timeout=300,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def verify(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "partimento", "verify", "--repair"], cwd=folder, text=True,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)} | environment, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def planned(folder: Path, **environment: str) -> dict[str, int]:
    """Jobs that a dry run of the data half finds."""
    done = run(folder, "-n", "data", **environment)
    assert done.returncode == 0, done.stdout
    return {} if "Nothing to be done" in done.stdout else jobs(done)


def write_tunes(folder: Path, **changes) -> None:
    """Four tunes in three splits."""
    tunes = {"source": "tunes", "fraction": 1.0, "chunks": 2, "split": "source"}
    write_config(folder, collections={"tunes": tunes, "piano": None}, score_following=None,
                 **changes)  # fmt: skip
    for number, split in enumerate(("train", "train", "valid", "test")):
        path = folder / "tunes" / split / f"tune{number}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(scores.midi([(t, u, p + number) for t, u, p in scores.scale(16)]))


def on_a_mirror(folder: Path) -> dict[str, str]:
    """Have the tunes and the sound font come from a mirror; returns the environment of a run."""
    write_tunes(folder, collections__tunes__source="little", fonts__TimGM6mb__file="grand")
    mirror = folder / "a mirror"
    mirror.mkdir()
    with zipfile.ZipFile(mirror / "Little.zip", "w") as file:
        for path in sorted((folder / "tunes").rglob("*.mid")):
            file.write(path, Path("Little", *path.relative_to(folder / "tunes").parts))
    shutil.rmtree(folder / "tunes")
    shutil.copy(font_path("pretty_midi:TimGM6mb.sf2"), mirror / "Grand.sf2")
    entries = {}
    for name, kind in (("Little.zip", {"layout": "staves"}), ("Grand.sf2", {})):
        key = Path(name).stem.lower()
        entry = {"title": key, "file": name, "url": f"file:///nowhere/{name}", "licence": "CC0"}
        entries[key] = entry | {"digest": contents_digest(mirror / name)} | kind
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(entries))
    return {
        "PYTHONPATH": f"{INJECTED}{os.pathsep}{ROOT}",
        "CATALOGUE": str(folder / "catalogue.yaml"),
        MIRROR: mirror.as_uri(),
    }


def test_sources_that_are_fetched_are_fetched_and_read_once(tmp_path):
    environment = on_a_mirror(tmp_path)
    done = run(tmp_path, "data", **environment)
    assert done.returncode == 0, done.stdout
    assert planned(tmp_path, **environment) == {}
    assert "Nothing to be done" in run(tmp_path, "data", **environment).stdout


def test_a_kill_between_fetching_and_selecting_costs_no_second_selection(tmp_path):
    environment = on_a_mirror(tmp_path)
    begun = subprocess.Popen(
        command("data"), cwd=tmp_path, env=ENVIRONMENT | environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    archive = tmp_path / "downloads/little.zip"
    while not archive.exists() and begun.poll() is None:
        time.sleep(0.01)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()
    assert archive.exists()
    assert run(tmp_path, "--unlock", **environment).returncode == 0
    assert run(tmp_path, "data", **environment).returncode == 0
    assert planned(tmp_path, **environment) == {}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder where the data half ran on four tunes."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    folder.mkdir()
    write_tunes(folder)
    done = run(folder, "data")
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "run", symlinks=True)


def test_times_in_the_future_are_times_like_others(folder):
    for path in (folder / "tunes").rglob("*.mid"):
        os.utime(path, (FUTURE, FUTURE))
    assert planned(folder)["select"] == 2
    done = run(folder, "data")
    assert done.returncode == 0, done.stdout
    assert planned(folder) == {}


def test_a_table_that_is_cut_short_is_made_again_and_kept_aside(folder, finished):
    table = folder / "results/data/tunes/notes/0.parquet"
    os.truncate(table, 100)
    said = run(folder, "--forcerun", "card", "--", "data").stdout  # a plain run only tells
    assert "notes/0.parquet: truncated or corrupt; 'python -m partimento verify --repair'" in said
    assert "0.parquet is set aside as 0.parquet.damaged" in verify(folder).stdout
    assert planned(folder)["engrave"] == 1
    assert run(folder, "data").returncode == 0
    assert outputs(folder) == outputs(finished)
    assert table.with_name("0.parquet.damaged").stat().st_size == 100


def test_recordings_that_are_gone_are_made_again(folder, finished):
    for path in (folder / "results/data/tunes/audio/TimGM6mb/1.0/0").iterdir():
        path.unlink()
    verify(folder)
    assert planned(folder)["synthesize"] == 1
    assert run(folder, "data").returncode == 0
    assert outputs(folder) == outputs(finished)


def test_one_split_gives_the_numbers_of_the_whole_run(folder, finished, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    write_tunes(other, collections__tunes__splits=["test"])
    done = run(other, "data")
    assert done.returncode == 0, done.stdout
    for name in ("shards/test/TimGM6mb-1.0-*", "pieces/*"):
        paths = sorted((finished / "results/data/tunes").glob(f"{name}.parquet"))
        assert len(paths) == 2
        for path in paths:
            whole, part = (
                pd.read_parquet(place / path.relative_to(finished)) for place in (finished, other)
            )
            if name == "pieces/*":
                whole.loc[whole.split != "test", ["composer", "title", "score", "melody"]] = None
                left_out = part[part.split != "test"]
                assert left_out.reason.str.endswith("which is not taken").all()
                whole, part = whole.drop(columns="reason"), part.drop(columns="reason")
            assert list(part.piece_id) == list(whole.piece_id)
            if name != "pieces/*":
                pd.testing.assert_frame_equal(part, whole)
    engraved = pd.concat(map(pd.read_parquet, (other / "results/data/tunes/engraved").iterdir()))
    assert list(engraved.piece_id) == ["test__tune3"]


def test_a_list_that_names_a_missing_file_stops_at_once(tmp_path):
    write_tunes(tmp_path, collections__tunes__source="list.txt")
    (tmp_path / "list.txt").write_text("tunes/train/tune0.mid\ntunes/gone.mid\n")
    done = run(tmp_path, "data")
    assert done.returncode != 0
    sentence = "collections.tunes.source: list.txt lists files that do not exist: line 2"
    assert sentence in done.stdout and "Traceback" not in done.stdout
    assert not (tmp_path / "results").exists()


def test_a_list_whose_files_are_all_there_runs_to_the_end(tmp_path):
    write_tunes(tmp_path, collections__tunes__source="list.txt",
                collections__tunes__split={"train": 1, "valid": 0, "test": 0})  # fmt: skip
    (tmp_path / "list.txt").write_text("tunes/train/tune0.mid\n# a remark\ntunes/test/tune3.mid\n")
    assert run(tmp_path, "data").returncode == 0
    assert planned(tmp_path) == {}


def test_whole_scores_are_read_as_their_files_are(tmp_path):
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores/it's {a} score.ly").write_text(piano.LITTLE)
    write_config(tmp_path, collections__tunes=None, score_following=None)
    assert planned(tmp_path)["select"] == 1
