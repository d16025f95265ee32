"""Folders, files and settings may have any name: no shell reads them, and no pattern."""

import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import yaml

from pipeline.reading.fonts import font_path
from tests.support import scores
from tests.workflow.test_workflow import ENVIRONMENT, ROOT, command, snakemake

ODD = 'it\'s "odd" [x] & * ; a<b $(touch pwned) `touch pwned` é #%!'


def write(folder, results: str) -> None:
    """Two tunes, a sound font and settings, all with names that a shell would read."""
    tunes = folder / f"tunes {ODD}" / "train"
    tunes.mkdir(parents=True)
    for name in ("it's {a} tune", "-rf <b> & c"):
        (tunes / f"{name}.mid").write_bytes(scores.midi(scores.scale(16)))
    fonts = folder / f"-fonts {ODD}"
    fonts.mkdir()
    shutil.copy(font_path("pretty_midi:TimGM6mb.sf2"), fonts / "a {b}.sf2")
    tune = {"source": f"tunes {ODD}", "fraction": 1.0, "chunks": 1, "split": "source"}
    settings = {
        "results": results,
        "downloads": f"-d {ODD}",
        "collections": {"piano": None, "tunes": tune},
        "fonts": {
            "TimGM6mb": {"file": f"-fonts {ODD}/a {{b}}.sf2"},
            "electric": None,
            "bright": None,
        },
        "performances": {"loudness_db": -20},
        "score_following": None,
        "retrieval": None,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True))


@pytest.fixture(scope="module", params=[ODD, f"-{ODD}"], ids=["odd", "dash"])
def finished(tmp_path_factory, request):
    """A folder, itself of an odd name, where the data half ran with odd names."""
    folder = tmp_path_factory.mktemp("names") / ODD
    folder.mkdir()
    write(folder, request.param)
    run = snakemake(folder, "data")
    assert run.returncode == 0, run.stdout
    return folder, folder / request.param


def test_any_name_is_a_plain_name(finished):
    folder, results = finished
    pieces = pd.read_parquet(results / "data/tunes/pieces/0.parquet")
    assert pieces.reason.isna().all()
    assert sorted(pieces.piece_id) == ["train__-rf _b_ & c-eb6716cd", "train__it's {a} tune"]
    shard = pd.read_parquet(results / "data/tunes/shards/train/TimGM6mb-1.0-0.parquet")
    assert len(shard) == 2
    assert not [path for path in folder.rglob("*") if path.name == "pwned"]
    made = {path.name for path in folder.iterdir()} - {".snakemake"}
    assert made == {"config.yaml", f"tunes {ODD}", f"-fonts {ODD}", results.name}


def test_a_second_run_has_nothing_to_do(finished):
    folder, _ = finished
    assert "Nothing to be done" in snakemake(folder, "-n", "data").stdout


def test_make_finds_the_results(finished):
    """What the Makefile runs without setting anything up."""
    folder, results = finished
    (folder / "other settings.yaml").write_text("seed: 1")
    run = subprocess.run(
        ["make", "-f", ROOT / "Makefile", "-o", "run", "-o", "setup", "all", "verify",
         f"VENV={sys.prefix}"],
        cwd=folder, env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)}, text=True, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
    assert "pieces           tunes 2" in run.stdout
    assert re.search(rf"^data +.*{re.escape(results.name)}/data/$", run.stdout, re.MULTILINE)
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize("name", ["a{b}", "{collection}", "<y>"])
def test_a_name_that_snakemake_reads_as_a_pattern_is_refused(tmp_path, name):
    write(tmp_path, name)
    run = snakemake(tmp_path, "-n")
    assert run.returncode != 0
    assert f"results: {name!r} has" in run.stdout and "Traceback" not in run.stdout


def test_arguments_of_a_job_reach_it_whole(tmp_path):
    """Values that a command line would take for options, lists or nothing."""
    tunes = tmp_path / "-tunes"
    tunes.mkdir()
    for number in range(3):
        (tunes / f"{number}.mid").write_bytes(scores.midi(scores.scale(8)))
    out = tmp_path / "-out.parquet"
    words = ["--source=-tunes", "--downloads", "d", "--collection", "1", "--layout", "staves",
             "--chunk", "0", "--chunks", "1", "--fraction", "1", "--seed", "0",
             "--unconfined", "warn", '--shares={"train": 1, "valid": 0, "test": 0}',
             "--splits", "train", "test", "--durations=[0.5, 1, 2]", "--tempo=80",
             f"--out={out.name}"]  # fmt: skip
    subprocess.run(
        [command()[0], "-m", "partimento", "select", *words], cwd=tmp_path, check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert set(pd.read_parquet(out).split) == {"train"}
