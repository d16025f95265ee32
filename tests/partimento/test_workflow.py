"""The workflow as a command: what Snakemake is asked for, and what is checked before."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from partimento import cli, workflow
from tests.support.scores import midi, scale

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ["--workflow-profile", str(ROOT / "profiles/default")]
SNAKEFILE = ["--snakefile", str(ROOT / "Snakefile")]


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Snakemake's arguments, and the settings with which results were verified, of each run."""
    calls: list[list[str]] = []
    settings: list[list[dict]] = []

    def snakemake(command: list[str]) -> SimpleNamespace:
        assert command[:3] == [sys.executable, "-m", "snakemake"]
        calls.append(command[3:])
        return SimpleNamespace(wait=lambda: 0)

    def verify(*, config: list[Path], repair: bool) -> None:
        assert repair
        settings.append([yaml.safe_load(path.read_text()) for path in config])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", snakemake)
    monkeypatch.setattr(workflow, "verify", verify)
    Path("mine.yaml").write_text("seed: 3")
    return calls, settings


def test_a_run_without_arguments_takes_all_cores_and_our_profile(asked):
    cli.run(["run"])
    assert asked[0] == [[*SNAKEFILE, *PROFILE, "--cores", "all"]]


def test_settings_come_from_files_and_single_values(asked):
    cli.run(["run", "data", "--config", "mine.yaml", "results=results/mine", "--cores", "2"])
    (options,) = asked[0]
    assert options[:4] == ["--configfile", "mine.yaml", "--config", "results=results/mine"]
    assert options[-3:] == ["--cores", "2", "data"]


def test_files_of_settings_may_have_the_name_of_snakemake(asked):
    cli.run(["run", "--configfile", "mine.yaml"])
    assert asked[0][0][:2] == ["--configfile", "mine.yaml"]
    assert asked[1] == [[{"seed": 3}]]


@pytest.mark.parametrize("name", ["--config", "--configfile"])
def test_a_setting_of_a_run_is_printed(asked, capsys, name):
    cli.run(["settings", "seed", name, "mine.yaml"])
    assert capsys.readouterr().out == "3\n"


def test_results_are_verified_with_the_same_settings(asked):
    cli.run(["run", "--config", "mine.yaml", "results=results/mine", "unconfined=refuse"])
    assert asked[1] == [[{"seed": 3}, {"results": "results/mine", "unconfined": "refuse"}]]


def test_options_of_snakemake_are_passed_on(asked):
    cli.run(["run", "-n", "--forcerun", "engrave", "--", "data"])
    assert asked[0] == [
        [*SNAKEFILE, *PROFILE, "--cores", "all", "--dry-run", "--forcerun", "engrave", "data"]
    ]


@pytest.mark.parametrize("flag", ["-n", "--dry-run", "--dryrun"])
def test_a_dry_run_sets_nothing_aside(asked, flag):
    cli.run(["run", flag])
    assert "--dry-run" in asked[0][0]
    assert asked[1] == []


@pytest.mark.parametrize("words", [["--workflow-profile", "profiles/slurm"], ["--jobs=5"]])
def test_a_cluster_has_a_profile_and_numbers_of_its_own(asked, words):
    cli.run(["run", *words])
    assert asked[0] == [[*SNAKEFILE, *words]]


def test_a_missing_file_of_settings_is_told_before_anything_runs(asked):
    with pytest.raises(ValueError, match=r"yours\.yaml: no such file of settings"):
        cli.run(["run", "--config", "yours.yaml"])
    assert asked == ([], [])


def test_a_value_that_is_no_yaml_is_told_before_anything_runs(asked):
    with pytest.raises(ValueError, match=r"results=\[x: the value is not valid YAML"):
        cli.run(["run", "--config", "results=[x"])
    assert asked == ([], [])


def test_a_failed_run_has_the_exit_code_of_snakemake(asked, monkeypatch):
    failed = SimpleNamespace(wait=lambda: 7)
    monkeypatch.setattr(subprocess, "Popen", lambda command: failed)
    with pytest.raises(SystemExit, match="7"):
        cli.run(["run"])


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_snakemake_ends_by_itself_when_it_is_stopped(tmp_path, stop):
    """It tidies up for longer than a killer would wait."""
    child = (
        "import signal, sys, time, pathlib\n"
        "def tidy(*_): time.sleep(0.6); pathlib.Path('unlocked').touch(); sys.exit(5)\n"
        "signal.signal(signal.SIGINT, tidy); signal.signal(signal.SIGTERM, tidy)\n"
        "pathlib.Path('ready').touch(); time.sleep(20)\n"
    )
    parent = (
        "import subprocess, sys; from partimento.workflow import _finished\n"
        f"sys.exit(_finished(subprocess.Popen([sys.executable, '-c', {child!r}])))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", parent], cwd=tmp_path, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    while not (tmp_path / "ready").exists():
        time.sleep(0.05)
    (os.killpg if stop == signal.SIGINT else os.kill)(
        run.pid, stop
    )  # as a terminal, as a scheduler
    assert run.wait(timeout=20) == 5
    assert (tmp_path / "unlocked").exists()


@pytest.mark.slow
def test_the_command_plans_a_run_in_any_folder(tmp_path):
    (tmp_path / "tunes").mkdir()
    (tmp_path / "tunes/scale.mid").write_bytes(midi(scale(16)))
    settings = {
        "results": "made",
        "collections": {"tunes": {"source": "tunes", "fraction": 1.0}, "piano": None},
        "score_following": None,
        "retrieval": None,
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings))
    done = subprocess.run(
        [sys.executable, "-m", "partimento", "run", "-n", "data", "--config", "mine.yaml"],
        cwd=tmp_path, text=True, timeout=120, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "engrave" in done.stdout and "made/data/tunes/pieces/0.parquet" in done.stdout
    assert not (tmp_path / "made").exists()
