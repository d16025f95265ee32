"""Conda environments, for which scripts stand in here: jobs in them, and an image made of them.

The environment that the stand-in makes has the packages that the tests run with, but not us.
"""

import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.workflow.test_workflow import ENVIRONMENT, ROOT, command, write_tune

CONDA = """#!{python}
import json, os, sys
from tests.workflow import test_conda
words = sys.argv[1:]
if words == ["info", "--json"]:
    about = {{"conda_prefix": "{home}", "conda_version": "25.1.0", "platform": "linux-64"}}
    print(json.dumps(about))
elif words == ["--version"]:
    print("conda 25.1.0")
elif words[:2] == ["config", "--get"]:
    print(json.dumps({{"get": {{"channel_priority": "strict"}}}}))
elif words[:2] == ["env", "create"]:
    test_conda.environment(words)
"""
ACTIVATE = 'export PATH="$1/bin:$PATH"\n'


def environment(words: list[str]) -> None:
    """What `conda env create --file F --prefix FOLDER` leaves, with the packages that are here."""
    prefix = Path(words[words.index("--prefix") + 1])
    assert "dependencies:" in Path(words[words.index("--file") + 1]).read_text()
    venv.create(prefix, with_pip=False)
    (own,) = prefix.glob("lib/python*/site-packages")
    (own / "packages.pth").write_text(site.getsitepackages()[0])


@pytest.fixture
def folder(tmp_path):
    write_tune(tmp_path)
    home = tmp_path / "conda"
    text = CONDA.format(python=sys.executable, home=home)
    for name, content in (("conda", text), ("activate", ACTIVATE)):
        path = home / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    path = f"{folder / 'conda/bin'}:{ENVIRONMENT['PATH']}"
    return subprocess.run(
        command(*arguments), cwd=folder, text=True, timeout=300, capture_output=True,
        env=ENVIRONMENT | {"PATH": path, "PYTHONPATH": str(ROOT), "CI": "true"},
    )  # fmt: skip


def test_jobs_in_an_environment_find_our_package_from_any_folder(folder):
    done = run(folder, "--software-deployment-method", "conda", "--", "data")
    assert done.returncode == 0, done.stderr
    (python,) = folder.glob(".snakemake/conda/*/bin/python")
    alone = subprocess.run([python, "-c", "import pyarrow, pipeline"], cwd=folder, text=True,
                           capture_output=True, env={"PATH": os.environ["PATH"]})  # fmt: skip
    assert "No module named 'pipeline'" in alone.stderr


def test_an_image_can_be_made_of_the_environments(folder):
    # on a CI too, where pyfluidsynth is talkative
    for kind, begins in (("dockerfile", "FROM "), ("apptainer", "Bootstrap: docker")):
        done = run(folder, "--containerize", kind)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(begins)
        assert "envs/data.yaml" in done.stdout
        assert "conda env create --prefix /conda-envs/" in done.stdout
