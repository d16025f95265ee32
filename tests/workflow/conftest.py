"""A run of the data half that the tests of the documentation share."""

import os
import shutil
import subprocess
from unittest import mock

import pytest

from tests.support.documents import ROOT
from tests.support.little_run import write_sources
from tests.workflow.test_workflow import ENVIRONMENT, command


@pytest.fixture(scope="session")
def data_half(tmp_path_factory):
    """A folder where the data half ran on tiny sources."""
    folder = tmp_path_factory.mktemp("data") / "run"
    write_sources(folder)
    done = subprocess.run(command("--", "data"), cwd=folder, env=ENVIRONMENT, timeout=300)
    assert done.returncode == 0
    return folder


@pytest.fixture
def folder(data_half, tmp_path):
    """A copy of it."""
    return shutil.copytree(data_half, tmp_path / "run", symlinks=True)


@pytest.fixture
def workspace(folder, monkeypatch):
    """The same, as the present folder; jobs of commands that are called in this process find us."""
    monkeypatch.chdir(folder)
    more = {"PYTHONPATH": str(ROOT), "HF_HOME": str(folder / "cache"), "LT_ACCELERATOR": "cpu"}
    with mock.patch.dict(os.environ, ENVIRONMENT | more):
        yield folder
