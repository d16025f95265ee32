"""The default config on a real Slurm of one node, from selection to report: `make test-cluster`.

The run on the cluster must come to the same outputs as one without, to the byte, and once more
after Snakemake and all of Slurm were killed in its middle. Needs root and Debian's packages.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.runs import differing
from tests.workflow.test_retrieval import SETTINGS, TRAINING, write_scores
from tests.workflow.test_workflow import (
    ENVIRONMENT,
    ROOT,
    command,
    snakemake,
    write_config,
    write_tunes,
)

HERE = Path(__file__).parent
PROFILE = ROOT / "profiles" / "slurm"
# The shipped profile waits for busy sites; the node of the tests has nobody else to serve.
IMPATIENT = [
    "--slurm-init-seconds-before-status-checks", "3", "--seconds-between-status-checks", "2",
    "--latency-wait", "5", "--jobs", "2",
]  # fmt: skip
# As many threads as a run without Slurm has on two cores, or sums are rounded in another way.
NETWORKS = (
    "train", "predict", "track", "retrieval_train", "retrieval_refine", "retrieval_embed",
    "retrieval_evaluate", "retrieval_pieces",
)  # fmt: skip
ONE_THREAD = ["--set-threads", *(f"{rule}=1" for rule in NETWORKS)]
HOUR_S = 3_600


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A running Slurm; the folder of its state."""
    folder = tmp_path_factory.mktemp("slurm")
    start(folder)
    yield folder
    subprocess.run([HERE / "stop-slurm.sh", folder], check=True, timeout=60)


def start(folder: Path) -> None:
    done = subprocess.run(
        [HERE / "start-slurm.sh", folder], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def on_slurm(*arguments: str) -> list[str]:
    """The command of a run with the profile for Slurm."""
    local = command(*arguments)
    place = local.index("--cores")
    del local[place : place + 2]
    local[local.index("--workflow-profile") + 1] = str(PROFILE)
    return [*local, *IMPATIENT, *ONE_THREAD]


def run(folder: Path, arguments: list[str]) -> float:
    """Seconds of a run that must succeed."""
    begin = time.monotonic()
    done = subprocess.run(arguments, cwd=folder, env=ENVIRONMENT, text=True, timeout=HOUR_S,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    assert done.returncode == 0, done.stdout
    return time.monotonic() - begin


def working_in(folder: Path) -> list[int]:
    """Processes whose folder this is: jobs of a run, whoever started them."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (place / "cwd").readlink() == folder:
                found.append(int(place.name))
    return found


def tiny(folder: Path) -> Path:
    """A workflow of both papers in small."""
    folder.mkdir()
    write_config(
        folder,
        collections__piano__split="source",
        retrieval=TRAINING | SETTINGS,
        fonts={"bright": {"tempo_ratios": [0.5, 1.0]}},
    )
    write_tunes(folder)
    write_scores(folder)
    return folder


# An output of each stage: with it the next has begun.
MOMENTS = [
    "data/tunes/pieces/0.parquet",
    "data/tunes/notes/0.parquet",
    "data/tunes/performances/TimGM6mb/1.0/0.parquet",
    "data/tunes/features/TimGM6mb/1.0/0.parquet",
    "data/tunes/shards/train/TimGM6mb-1.0-0.parquet",
    "data/piano/README.md",
    "predictions/retrieval/pairs.parquet",
    "models/score_following/paper.safetensors",
    "models/score_following/PT.safetensors",
    "models/retrieval/BL2-SC.safetensors",
    "models/retrieval/BL2-SC-refined.safetensors",
    "predictions/retrieval/BL2-SC.parquet",
    "predictions/retrieval/metrics.parquet",
    "tables/retrieval.md",
]


def test_what_was_killed_with_all_of_slurm_goes_on(slurm, tmp_path):
    """Snakemake, the controller and the node die together, once in or after each stage."""
    undisturbed, folder = tiny(tmp_path / "undisturbed"), tiny(tmp_path / "run")
    run(undisturbed, command())
    results = folder / "results"
    for reached in MOMENTS:
        begun = subprocess.Popen(on_slurm(), cwd=folder, env=ENVIRONMENT, start_new_session=True,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        while not (results / reached).exists() and begun.poll() is None:
            time.sleep(0.2)
        os.killpg(begun.pid, signal.SIGKILL)
        begun.wait()
        for pid in working_in(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run([HERE / "stop-slurm.sh", slurm, "KILL"], check=True, timeout=60)
        start(slurm)
        subprocess.run(["scancel", "--user", "root"], check=True)
        run(folder, [*command(), "--unlock"])
    run(folder, on_slurm())
    assert differing(folder, undisturbed) == []
    assert "Nothing to be done" in snakemake(folder, "-n").stdout


def test_the_default_comes_to_the_same_on_slurm_as_without(slurm, tmp_path):
    local, cluster = tmp_path / "local", tmp_path / "cluster"
    for folder in (local, cluster):
        folder.mkdir()
        shutil.copy(ROOT / "config.yaml", folder)
    took = {"local": run(local, command()), "Slurm": run(cluster, on_slurm())}
    print({name: f"{seconds:.0f} s" for name, seconds in took.items()})
    assert differing(local, cluster) == []
    assert "Nothing to be done" in snakemake(cluster, "-n").stdout
    tables = sorted((local / "results/tables").iterdir())
    assert len(tables) >= 20
    for path in tables:
        assert path.read_bytes() == (cluster / "results/tables" / path.name).read_bytes()
    run(cluster, [*on_slurm(), "--report", "report.html"])
    assert (cluster / "report.html").stat().st_size > 1_000_000
