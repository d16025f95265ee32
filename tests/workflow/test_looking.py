"""Commands that only look change nothing: not outputs, not what a user keeps beside them."""

import json
import subprocess

import pytest

from pipeline.describing import verify
from pipeline.planning import settings
from pipeline.planning.plan import Plan
from tests.support import planted
from tests.workflow.test_workflow import (
    ENVIRONMENT,
    command,
    write_config,
    write_scores,
    write_tune,
    write_tunes,
)

LOOKS = [
    ["--lint"],
    ["--dag"],
    ["--rulegraph"],
    ["--filegraph"],
    ["--d3dag"],
    ["--summary"],
    ["--detailed-summary"],
    ["--list-rules"],
    ["--list-target-rules"],
    ["--list-changes", "input"],
    ["--list-changes", "params"],
    ["--list-untracked"],
    ["--containerize"],
    ["--print-compilation"],
    ["--unlock"],
    ["--dry-run"],
    ["--dry-ru"],
    ["-n", "--forceall"],
    ["--report", "../elsewhere.html"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which tables were cut short, others are the user's, and the record is crafted."""
    outside = tmp_path_factory.mktemp("looking")
    folder = outside / "run"
    (folder / ".snakemake").mkdir(parents=True)
    write_tune(folder)
    results = folder / "results"
    planted.plant(results)
    for name in ("data/tunes/pieces/0.parquet", "data/tunes/README.md", "tables/x.md"):
        (results / name).write_text("")
    (outside / "thesis.tex").write_text("years of work")
    listed = ["../thesis.tex", str(outside / "thesis.tex"), "data/tunes/README.md", "tables/x.md"]
    outputs = {name: {"bytes": 1, "sha256": "0" * 64} for name in listed} | {"x.md": {}}
    for name in ("provenance.json", "data/provenance.json"):
        (results / name).write_text(json.dumps({"outputs": outputs}))
    return outside


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
def test_a_look_changes_nothing(folder, arguments):
    before = planted.snapshot(folder)
    done = subprocess.run(
        command(*arguments), cwd=folder / "run", env=ENVIRONMENT, text=True, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    after = planted.snapshot(folder)
    after.pop(folder / "elsewhere.html", None)
    assert after == before
    assert "Traceback" not in done.stdout
    assert "unrecognized arguments" not in done.stdout


def test_verify_finds_what_was_cut_short_and_changes_nothing(folder):
    before = planted.snapshot(folder)
    done = subprocess.run(
        [command()[0], "-m", "partimento", "verify"], cwd=folder / "run",
        env=ENVIRONMENT | {"CI": "true"},  # where pyfluidsynth is talkative
        text=True, timeout=120, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "results/data/tunes/README.md: empty",
        "results/data/tunes/pieces/0.parquet: empty",
    ]
    assert planted.snapshot(folder) == before


def test_verify_knows_every_file_that_the_rules_make(tmp_path, monkeypatch):
    """With both networks; but for downloads, which it knows by the catalogue."""
    write_config(tmp_path, fonts={}, retrieval={}, score_following={})
    write_tunes(tmp_path)
    write_scores(tmp_path)
    done = subprocess.run(
        command("--summary"), cwd=tmp_path, env=ENVIRONMENT, text=True, timeout=120,
        capture_output=True,
    )  # fmt: skip
    rows = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    outputs = {row[0] for row in rows[1:]}
    monkeypatch.chdir(tmp_path)
    known = set(map(str, verify.made(Plan(settings.load()))))
    assert len(outputs) > 80
    assert outputs - known == set()
