"""Whole runs of the workflow on tiny sources: results, reruns, kills, full disks, bad settings.

Each run has a folder of its own; the network is the real one, trained for a few steps only.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.support import piano, scores

ROOT = Path(__file__).parents[2]
TUNES = 9
LITTLE_TRAINING = {"epochs": 1, "epoch_samples": 60, "batch_size": 20, "valid_samples": 20}
BATCHES = 2
# the jobs call `python`: the one that runs the tests
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def write_config(folder: Path, **changes) -> None:
    """What differs from the project's config.yaml: tiny collections and hardly any training."""
    few = {"fraction": 1.0, "chunks": 1}
    config = {
        "collections": {
            "tunes": few | {"source": "tunes", "chunks": BATCHES, "split": "source"},
            "piano": few | {"source": "scores"},
        },
        "max_failures": 0.4,  # one of the three scores cannot be engraved
        "score_following": {
            "training": {"paper": LITTLE_TRAINING, "PT": LITTLE_TRAINING},
            "evaluation": {"train_samples": 40},
            "figures_from": 0,
        },
        "retrieval": None,  # has a test file of its own
        "fonts": {"electric": None, "bright": None},
    }  # fmt: skip
    for path, value in changes.items():
        *parents, key = path.split("__")
        place = config
        for parent in parents:
            place = place.setdefault(parent, {})
        place[key] = value
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def write_scores(folder: Path) -> None:
    """Two scores on two staves, and one that is none."""
    (folder / "scores").mkdir()
    for name, text in (("a", piano.LITTLE), ("b", piano.long(8)), ("c", "\\score { c'4")):
        (folder / "scores" / f"{name}.ly").write_text(text)


def write_tune(folder: Path) -> None:
    """A collection of a single tune, and no training."""
    write_config(folder, collections__piano=None, score_following=None)
    tune = folder / "tunes/train/a.mid"
    tune.parent.mkdir(parents=True)
    tune.write_bytes(scores.midi(scores.scale(16)))


def write_tunes(folder: Path) -> None:
    """Good tunes in three splits, and one file of each kind that is none."""
    for number in range(TUNES):
        split = ("train", "train", "valid", "test")[number % 4]
        path = folder / "tunes" / split / f"tune{number}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        melody = [(on, off, pitch + number) for on, off, pitch in scores.scale(40)]
        path.write_bytes(scores.midi(melody))
    bad = {
        "empty": b"",
        "truncated": scores.midi(scores.scale(20))[:60],
        "polyphonic": scores.midi([(0, 2, 60), (1, 3, 64)]),
        "silent": scores.midi([]),
        "endless": scores.midi(scores.scale(30_000)),
        "stopped": scores.midi(scores.scale(8), tempi=[(0, 0)]),
    }
    for name, data in bad.items():
        (folder / "tunes" / "train" / f"{name}.mid").write_bytes(data)


def command(*arguments: str) -> list[str]:
    profile = str(ROOT / "profiles" / "default")
    return [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "2",
            "--workflow-profile", profile, *arguments]  # fmt: skip


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run to the end; all that is said is in `stdout`."""
    return subprocess.run(
        command(*arguments), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=900, env=ENVIRONMENT,
    )  # fmt: skip


def jobs(run: subprocess.CompletedProcess) -> dict[str, int]:
    """Jobs by rule, from the table that a dry run prints."""
    rows = (line.split() for line in run.stdout.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder where the workflow ran from tunes to figures."""
    folder = tmp_path_factory.mktemp("run")
    write_config(folder)
    write_tunes(folder)
    write_scores(folder)
    run = snakemake(folder, "--verbose")
    assert run.returncode == 0, run.stdout
    (folder / "said.txt").write_text(run.stdout)
    return folder


def pieces(folder: Path) -> pd.DataFrame:
    paths = sorted((folder / "results/data/tunes/pieces").glob("*.parquet"))
    return pd.concat(map(pd.read_parquet, paths)).set_index("piece_id")


def test_tunes_become_tables_and_figures(finished):
    for name in ("score_following.md", "score_following.csv", "score_following.tex"):
        assert (finished / "results/tables" / name).stat().st_size > 100
    for name in ("history", "paper_errors", "paper_example", "PT_errors", "PT_example"):
        for kind in ("png", "pdf"):
            path = finished / f"results/figures/score_following_{name}.{kind}"
            assert path.stat().st_size > 1_000
    table = pd.read_csv(finished / "results/tables/score_following.csv")
    assert set(table.split) == {"train", "valid", "test"}
    assert set(table.network) == {"paper", "PT"}


def test_every_file_that_is_no_melody_has_its_reason(finished):
    reasons = pieces(finished).reason
    expected = {
        "empty": "the file is empty",
        "truncated": "cut off inside track 2",
        "polyphonic": "polyphonic: notes overlap",
        "silent": "no track with notes",
        "endless": "30,000 notes, too many",
        "stopped": "a tempo of 0",
    }
    for name, reason in expected.items():
        assert reason in reasons[f"train__{name}"]
    assert reasons.isna().sum() == TUNES


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in snakemake(finished, "-n").stdout


def test_jobs_are_looked_for_when_one_has_ended_and_not_each_second(finished):
    said = (finished / "said.txt").read_text()
    looks, ended = said.count("Ready jobs:"), said.count("Finished jobid:")
    assert 0 < looks <= ended


def add(folder: Path) -> None:
    (folder / "new.mid").write_bytes(scores.midi(scores.scale(30)))


def change(folder: Path) -> None:
    path = folder / "tune0.mid"
    path.write_bytes(path.read_bytes())


def remove(folder: Path) -> None:
    (folder / "tune0.mid").rename(folder / "tune0.gone")


@pytest.mark.parametrize("happens", [add, change, remove])
def test_a_tune_that_is_new_changed_or_gone_reruns_one_batch(finished, tmp_path, happens):
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder, symlinks=True)
    happens(folder / "tunes" / "train")
    planned = jobs(snakemake(folder, "-n"))
    stages = ("select", "engrave", "synthesize", "spectrogram", "shard")
    assert [planned.get(stage) for stage in stages] == [1] * len(stages)


def test_a_new_sound_font_reruns_no_engraving(finished, tmp_path):
    config = yaml.safe_load((finished / "config.yaml").read_text())
    config["fonts"]["again"] = {"file": "pretty_midi:TimGM6mb.sf2"}
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(config))
    planned = jobs(snakemake(finished, "-n", "--configfile", str(other), "--", "data"))
    assert "engrave" not in planned and "select" not in planned
    assert (
        planned["synthesize"] == planned["spectrogram"] == planned["shard"] == BATCHES + 1
    )  # that of the scores


def data_files(folder: Path) -> dict[str, bytes]:
    root = folder / "results/data"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.parquet")}


def test_a_run_that_is_killed_ends_like_one_that_was_not(finished, tmp_path):
    """Kill -9 of the whole group at several moments; the data half comes out byte for byte."""
    write_config(tmp_path)
    write_tunes(tmp_path)
    write_scores(tmp_path)
    for patience_s in (6, 9):
        run = subprocess.Popen(
            command("data"),
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(patience_s)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        snakemake(tmp_path, "--unlock")
    run = snakemake(tmp_path, "data")
    assert run.returncode == 0, run.stdout
    assert data_files(tmp_path) == data_files(finished)


def test_a_full_disk_is_told_and_leaves_no_half_file(finished, tmp_path):
    """A limit on the size of files fails a write just as a full disk does."""
    run = subprocess.run(
        [sys.executable, "-m", "partimento", "engrave",
         "--pieces", str(finished / "results/data/tunes/pieces/0.parquet"),
         "--layout", "staves", "--repeats", "unfold", "--unconfined", "warn",
         *(word for name in ("images", "systems", "noteheads", "notes", "engraved")
           for word in (f"--{name}", str(tmp_path / name)))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("error: ")
    assert run.stderr.splitlines()[-1].endswith("is the disk full?")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"colour": "red"}, "colour: there is no such setting; those here are results, "),
        ({"performances__tempo_ratios": [0]}, "tempo_ratios.0: must be above 0, not 0"),
        ({"performances__tempo_ratios": [-1.5]}, "tempo_ratios.0: must be above 0, not -1.5"),
        ({"fonts__piano": {"file": "gone.sf2"}}, "no file gone.sf2"),
        ({"collections__tunes__source": "nowhere"}, "nowhere: no such folder, zip or list"),
        ({"collections__tunes__source": "empty"}, "empty: no MIDI files"),
        ({"score_following__collection": "songs"}, "'songs' is not one of piano, tunes"),
    ],
)
def test_a_bad_setting_is_told_before_anything_runs(tmp_path, changes, sentence):
    write_tunes(tmp_path)
    write_scores(tmp_path)
    (tmp_path / "empty").mkdir()
    write_config(tmp_path, **changes)
    run = snakemake(tmp_path, "-n")
    assert run.returncode != 0
    assert sentence in run.stdout
    assert "Traceback" not in run.stdout


def test_an_unknown_preset_names_the_font_in_the_failed_jobs_log(tmp_path):
    write_tunes(tmp_path)
    write_scores(tmp_path)
    write_config(tmp_path, fonts__TimGM6mb__preset=127, fonts__TimGM6mb__bank=99)
    run = snakemake(tmp_path, "data")
    assert run.returncode != 0
    assert "TimGM6mb.sf2" in run.stdout and "preset" in run.stdout


def test_the_shards_open_without_our_code(finished):
    paths = sorted((finished / "results/data/tunes/shards/train").glob("*.parquet"))
    rows = pd.concat(map(pd.read_parquet, paths))
    assert {"piece_id", "spectrogram", "images", "frame", "x"} <= set(rows.columns)
    row = rows.iloc[0]
    assert len(row.spectrogram) % row.bins == 0
    assert len(row.frame) == len(row.x) == len(row.reason)


def test_scores_become_pages_and_strips_and_a_broken_one_is_told(finished):
    data = finished / "results/data/piano"
    engraved = pd.read_parquet(data / "engraved").set_index("piece_id")
    assert engraved.linked["a"] == engraved.notes["a"] == engraved.midi_notes["a"]
    assert engraved.reason["c"].startswith("LilyPond: ")
    rows = pd.concat(map(pd.read_parquet, data.glob("shards/*/*.parquet")))
    assert sorted(rows.piece_id) == ["a", "b"]
    assert all(len(images) == 1 for images in rows.images)
    assert (rows.bins == 92).all()
    card = (data / "README.md").read_text()
    assert "| c | LilyPond: " in card
    assert (data / "croissant.json").exists()


def test_the_card_is_a_data_set_card(finished):
    text = (finished / "results/data/tunes/README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert [files["split"] for files in front["configs"][0]["data_files"]] == [
        "train",
        "validation",
        "test",
    ]
