"""The image of `Containerfile`, built and run: `make test-image`.

Needs root, Debian's buildah and mmdebstrap, and some 10 GB of disk. What the image makes must be
what is made without it, to the byte. Apptainer is no package of Debian's: a script stands in that
runs a job, as Apptainer would, with the image as its root and the folder of the run inside.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.runs import differing, outputs
from tests.workflow.test_workflow import ENVIRONMENT, ROOT, command, write_config, write_tunes

BASE = "docker.io/library/debian:bookworm-slim"  # what the Containerfile begins from
NAME = "localhost/partimento-test"
BUILDAH = os.environ | {"BUILDAH_ISOLATION": "chroot"}  # also where we are in a container ourselves
STAGES = ("select", "engrave", "synthesize", "spectrogram", "shard", "card", "provenance")
STAND_IN = """#!/bin/bash
if [ "$1" = --version ]; then echo "apptainer version 1.3.0"; exit; fi
echo "$@" >> {calls}
exec {enter} bash -c "${{@: -1}}"
"""


def buildah(*arguments: str, **options) -> str:
    """What a call of buildah prints; fails with what it said."""
    done = subprocess.run(["buildah", *arguments], env=BUILDAH, text=True, capture_output=True,
                          **options)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def base(folder: Path) -> None:
    """Have the base image: made of Debian's packages, so that no registry of images is asked."""
    if BASE.split(":")[0] in buildah("images", "--format", "{{.Name}}").splitlines():
        return
    archive = folder / "base.tar"
    subprocess.run(["mmdebstrap", "--variant=minbase", "bookworm", str(archive)], check=True,
                   capture_output=True)  # fmt: skip
    working = buildah("from", "scratch")
    buildah("add", "--quiet", working, str(archive), "/")
    buildah("commit", "--quiet", "--rm", working, BASE)
    archive.unlink()


def pips_own() -> list[str]:
    """Options that let pip in the build read what pip's settings on this machine name."""
    told = subprocess.run([sys.executable, "-m", "pip", "config", "debug"], check=True, text=True,
                          capture_output=True).stdout  # fmt: skip
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, text=True,
                            capture_output=True).stdout  # fmt: skip
    files = re.findall(r"(/\S+), exists: True", told)
    named = re.findall(r"(?:file://|[' ])(/[^' ]+)", listed)
    named = [path.removesuffix("/simple") for path in named]  # an index, its files beside it
    paths = {file for file in (*files, *named) if Path(file).exists()}
    variables = [name for name in os.environ if name.startswith("PIP_")]
    return [f"--volume={path}:{path}:ro" for path in sorted(paths)] + [
        f"--env={name}={os.environ[name]}" for name in sorted(variables)
    ]


@dataclass
class Image:
    root: Path  # its files
    config: dict  # what it starts, and with which variables

    def enter(self, folder: Path, at: str) -> list[str]:
        """A command that runs another in the image, with `folder` inside it as `at`."""
        variables = [
            part for name in self.config["Env"] for part in ("--setenv", *name.split("=", 1))
        ]
        binds = ["--bind", str(self.root), "/", "--dev", "/dev", "--proc", "/proc"]
        binds += ["--tmpfs", "/tmp", "--bind", str(folder), at, "--chdir", at]
        return ["bwrap", *binds, "--clearenv", *variables, "--setenv", "HOME", "/tmp"]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    base(tmp_path_factory.mktemp("base"))
    buildah("build", "--layers", "--pull-never", *pips_own(), "--tag", NAME, str(ROOT))
    config = json.loads(buildah("inspect", "--type", "image", NAME))["OCIv1"]["config"]
    working = buildah("from", "--pull-never", NAME)
    yield Image(Path(buildah("mount", working)), config)
    buildah("rm", working)


def prepare(folder: Path) -> Path:
    folder.mkdir()
    write_config(folder, collections__piano=None, score_following=None)
    write_tunes(folder)
    return folder


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """A run of the data half that knows of no image."""
    folder = prepare(tmp_path_factory.mktemp("without") / "run")
    done = subprocess.run(command("--", "data"), cwd=folder, env=ENVIRONMENT, text=True,
                          capture_output=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_of_a_working_copy_but_its_sources_goes_in(image):
    inside = {path.name for path in (image.root / "opt/partimento").iterdir()}
    assert {"Snakefile", "pipeline", "models", "profiles", ".git"} <= inside
    assert not {".venv", "results", "downloads", ".snakemake"} & inside


def test_the_image_makes_the_same_bytes(image, without, tmp_path):
    folder = prepare(tmp_path / "run")
    start = [*image.config["Entrypoint"], "--cores", "2", "--", "data"]
    done = subprocess.run([*image.enter(folder, image.config["WorkingDir"]), *start], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert outputs(folder)
    assert differing(folder, without) == []


def test_jobs_in_the_image_make_the_same_bytes(image, without, tmp_path):
    folder = prepare(tmp_path / "run")
    (folder / "partimento.sif").touch()
    program, calls = tmp_path / "bin/apptainer", tmp_path / "calls.txt"
    program.parent.mkdir()
    enter = shlex.join(image.enter(folder, str(folder)))
    program.write_text(STAND_IN.format(calls=calls, enter=enter))
    program.chmod(0o755)
    environment = ENVIRONMENT | {"PATH": f"{program.parent}:{ENVIRONMENT['PATH']}"}
    run = command("--profile", str(ROOT / "profiles/apptainer"), "--", "data")
    done = subprocess.run(run, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert differing(folder, without) == []
    said = calls.read_text()
    assert all(f"python -m partimento {stage}" in said for stage in STAGES)
