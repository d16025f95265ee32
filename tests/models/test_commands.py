"""Commands of the learning half: every argument has a sentence, and none is a test seam."""

import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from partimento.commands import COMMANDS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name", [c.target for c in COMMANDS.values() if c.target.startswith("models.")]
)
def test_every_argument_is_documented(name):
    function = pkgutil.resolve_name(name)
    documented = inspect.getdoc(function)
    assert len(documented.splitlines()[0]) > 20
    for argument, parameter in inspect.signature(function).parameters.items():
        assert f"\n    {argument}: " in documented, argument
        if parameter.default is not inspect.Parameter.empty:
            assert not callable(parameter.default), argument


def test_help_of_a_training_fits_a_page():
    run = subprocess.run(
        [sys.executable, "-m", "partimento", "retrieval", "train", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(run.stdout.splitlines()) < 150
    assert "one of the paper's seven" in run.stdout
    assert "torch" not in run.stdout
