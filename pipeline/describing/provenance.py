"""Where the results of a run come from: commit, settings, versions, sources, times, and a digest
of everything that was made. Two runs made the same where their `outputs` are the same."""

import contextlib
import ctypes
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from pipeline.describing import records
from pipeline.planning.plan import Plan
from pipeline.reading import fonts, recording_files, sources
from pipeline.replacing import replacing

PROJECT = Path(__file__).resolve().parents[2]
LOGS = "logs"  # folder of the results where each job's time and memory lie


def _commit() -> dict | None:
    """The commit of this project's code, and files that differ from it.

    None without git, and for a copy within somebody else's repository.
    """
    try:
        run = {"cwd": PROJECT, "capture_output": True, "text": True, "check": True}
        above = subprocess.run(["git", "rev-parse", "--show-cdup"], **run).stdout.strip()
        if above:  # the way up to the repository's own folder
            return None
        commit = subprocess.run(["git", "rev-parse", "HEAD"], **run).stdout.strip()
        changed = subprocess.run(["git", "status", "--porcelain", "-uno"], **run).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"hash": commit, "changed_files": [line[3:] for line in changed.splitlines()]}


def _fluidsynth() -> str:
    """Version of FluidSynth's library."""
    with contextlib.redirect_stdout(sys.stderr):  # on a CI, pyfluidsynth prints where it found it
        import fluidsynth
    return fluidsynth.cfunc("fluid_version_str", ctypes.c_char_p)().decode()


def versions() -> dict[str, str]:
    """Versions of the system's parts and of all packages."""
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "fluidsynth": _fluidsynth(),
        **dict(sorted(found.items(), key=lambda entry: entry[0].lower())),
    }


def _used(settings: dict) -> dict[str, list[Path]]:
    """The files of each source, of its recordings, and of each sound font that is no part of a
    package, by its name."""
    downloads = settings["downloads"]
    used = {}
    for name, collection in settings["collections"].items():
        source, layout = collection["source"], collection["layout"]
        (used[f"collections.{name}"],) = sources.files(
            source, downloads, layout, 1, lambda piece: 0
        )
        if recordings := collection.get("recordings"):
            files = [one.path for one in recording_files.find(recordings)]
            used[f"collections.{name}.recordings"] = files
    for name in Plan(settings).fonts():
        file = settings["fonts"][name]["file"]
        used[f"fonts.{name}"] = [fonts.font_path(file, downloads)]
    return used


def _source(paths: Iterable[Path]) -> dict[str, int | str]:
    """How many files a source has, and one digest over their names and contents."""
    total = hashlib.sha256()
    paths = sorted(paths)
    for path in paths:
        try:
            digest = records.digest(path)
        except OSError as error:  # the table of pieces says so, too
            digest = f"cannot be read ({error.strerror})"
        total.update(os.fsencode(path.name) + f"\0{digest}\n".encode())
    return {"files": len(paths), "sha256": total.hexdigest()}


def _made(root: Path, folders: list[str]) -> list[Path]:
    """All files that a run has left in some folders of its results, in order of name."""
    found = (path for folder in folders for path in records.files(root / folder))
    return sorted(path for path in found if path.name != records.NAME)


def _jobs(root: Path) -> dict[str, dict[str, float]]:
    """Jobs of each stage, the seconds of them all, and the most memory of one (MB).

    Read from what Snakemake writes of each job (s, max_rss in MiB), stage and job from its name.
    """
    stages: dict[str, list[pd.Series]] = {}
    for path in sorted((root / LOGS).rglob("*.tsv")):
        folder = path.parent.relative_to(root / LOGS).parts
        stage = "/".join((*folder, path.stem.split("-")[0])) if len(folder) < 2 else folder[1]
        stages.setdefault(stage, []).append(pd.read_csv(path, sep="\t").iloc[-1])
    return {
        stage: {
            "jobs": len(jobs),
            "seconds": round(float(sum(job.s for job in jobs)), 1),
            "peak_mb": _peak_mb([float(job.max_rss) for job in jobs]),
        }
        for stage, jobs in stages.items()
    }


def _peak_mb(resident_mib: list[float]) -> int | None:
    """The most memory of a job (MB); None on systems where Snakemake measures none (NaN)."""
    known = [mib for mib in resident_mib if not math.isnan(mib)]
    return round(max(known) * 2**20 / 1e6) if known else None


def provenance(
    settings: dict, folders: list[str], out: Path, beside: list[Path] | None = None
) -> None:
    """Record what the files in some folders of the results come from.

    Args:
        settings: All settings of the run; `results` names the folder of the results.
        folders: Folders below the results, whose files are listed with size and digest.
        out: JSON file to write.
        beside: Existing records whose digests are reused.
    """
    root = Path(settings["results"])
    outputs = {}
    for other in beside or []:
        outputs |= json.loads(other.read_text())["outputs"]
    for path in tqdm(_made(root, folders), desc="digest", unit="file", disable=None):
        name = path.relative_to(root).as_posix()
        outputs[name] = {"bytes": path.stat().st_size, "sha256": records.digest(path)}
    found = {
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "settings": settings,
        "versions": versions(),
        "cores": os.cpu_count(),
        "sources": {name: _source(paths) for name, paths in _used(settings).items()},
        "jobs": _jobs(root),
        "outputs": outputs,
    }
    with replacing(out) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
