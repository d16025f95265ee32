"""The commands of the rules are those of the command line."""

import re
import shlex
import subprocess
import sys

import pytest
import yaml

from partimento import cli
from tests.workflow.test_workflow import ENVIRONMENT, ROOT


@pytest.fixture(scope="module")
def commands(tmp_path_factory) -> dict[str, list[str]]:
    """The words of one command of each kind that the default config runs, by the command's name.

    All figures are drawn, too.
    """
    folder = tmp_path_factory.mktemp("run")
    drawn = {name: {"figures_from": 0} for name in ("score_following", "retrieval")}
    (folder / "config.yaml").write_text(yaml.safe_dump(drawn))
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "--cores", "1", "-n", "-p"],
        cwd=folder, env=ENVIRONMENT, text=True, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    found = re.findall(r"python -m (?:pipeline|models|partimento) (.*?)(?: 2>| &&|; \}|$)",
                       done.stdout, flags=re.MULTILINE)  # fmt: skip
    words = [shlex.split(line) for line in found]
    return {" ".join(line[: 1 + (line[0] in ("retrieval", "score_following"))]): line
            for line in words}  # fmt: skip


def test_the_command_line_understands_every_command_of_the_rules(commands):
    wanted = {"select", "shard", "retrieval train", "retrieval attention", "score_following train"}
    assert wanted <= commands.keys()
    for name, words in commands.items():
        app, words = cli.prepared(words)
        _, bound, *_ = app.parse_args(words)
        assert bound.arguments, name
