"""Jobs in an image: what Snakemake hands to Apptainer, for which a script stands in here."""

import subprocess
from pathlib import Path

import pytest

from tests.workflow.test_workflow import ENVIRONMENT, ROOT, command, write_tune

STAND_IN = """#!/bin/bash
if [ "$1" = --version ]; then echo "apptainer version 1.3.0"; exit; fi
echo "$@" >> calls.txt
exec bash -c "${@: -1}"
"""


@pytest.fixture
def folder(tmp_path):
    write_tune(tmp_path)
    (tmp_path / "partimento.sif").touch()
    program = tmp_path / "bin/apptainer"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return tmp_path


def test_every_job_runs_in_the_image(folder):
    environment = ENVIRONMENT | {"PATH": f"{folder / 'bin'}:{ENVIRONMENT['PATH']}"}
    done = subprocess.run(
        command("--profile", str(ROOT / "profiles/apptainer"), "--", "data"), cwd=folder,
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    calls = (folder / "calls.txt").read_text().splitlines()
    stages = ("select", "engrave", "synthesize", "spectrogram", "shard", "card", "provenance")
    for stage in stages:
        assert any(
            "--nv" in line and "partimento.sif" in line and f"python -m partimento {stage}" in line
            for line in calls
        )


def test_the_containerfile_names_what_there_is():
    text = (ROOT / "Containerfile").read_text()
    for name in ("requirements.lock", "Snakefile", "profiles/default"):
        assert f"/opt/partimento/{name}" in text
        assert Path(ROOT, name).exists()
    assert "libfluidsynth3" in text and "bubblewrap" in text
