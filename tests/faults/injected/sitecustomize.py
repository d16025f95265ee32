"""Faults in the jobs of a workflow: Python imports this by itself where it lies on its path.

A job is killed the moment before an output takes its name: at its first output when it runs for
the first time, at its second when it runs again, up to FAULT_TIMES. FAULTS names a folder that
remembers this for each stage. FAULT is `worker` where the job alone is killed, `all` where
everything is, Snakemake too. CATALOGUE, if set, names a file in the place of `catalogue.yaml`.
"""

import os
import signal
import sys
from pathlib import Path


def stage() -> str | None:
    """What this process does, from its command line; None where it is no job."""
    words = sys.orig_argv
    if "-m" not in words or words[words.index("-m") + 1] != "partimento":
        return None
    command = words[words.index("-m") + 2 :]
    return "-".join([command[0], *(word for word in command[1:2] if not word.startswith("-"))])


def number(folder: Path, name: str) -> int | None:
    """Which of the stage's faults this process suffers, from 1; None when there were enough."""
    for number in range(1, int(os.environ["FAULT_TIMES"]) + 1):
        try:
            (folder / f"{name}-{number}").touch(exist_ok=False)
            return number
        except FileExistsError:
            continue
    return None


def arm(left: int) -> None:
    """Have the process killed in place of the renaming numbered `left`, from 1."""
    original = Path.replace

    def replace(self, target):
        nonlocal left
        left -= 1
        if left == 0:
            if os.environ["FAULT"] == "all":
                os.killpg(0, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, target)

    Path.replace = replace


if (
    "FAULTS" in os.environ
    and (name := stage())
    and (left := number(Path(os.environ["FAULTS"]), name))
):
    arm(left)

if "CATALOGUE" in os.environ:
    import yaml

    from pipeline.reading import catalogue

    catalogue.catalogue = lambda: yaml.safe_load(Path(os.environ["CATALOGUE"]).read_text())
