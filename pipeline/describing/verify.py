"""Find outputs and downloads that are corrupt, truncated or incomplete, and set them aside.

A job writes under another name first, so a killed one leaves no half file; but a failing disk or an
interrupted copy may. Only files that the rules make with the present settings are looked at, and
nothing is ever deleted: what does not hold is renamed, and the next run makes it again.
"""

import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from pipeline.describing import forms, made_with, records
from pipeline.describing.records import ASIDE
from pipeline.planning import conflicts, learning_files, settings
from pipeline.planning.plan import Plan
from pipeline.reading import archives, catalogue

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Fault:
    """A file or folder that does not hold, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Made:
    """The files and folders below the results that the rules make with some settings."""

    root: Path
    files: list[Path]
    audio: dict[Path, Path]  # tables of performances, by the folder of their recordings


@dataclass(frozen=True)
class Recorded:
    """The digest that a record of provenance has of a file, and when it was written (ns)."""

    sha256: str
    written_ns: int


def _made(plan: Plan) -> Made:
    root, names = Path(plan.results), list(plan.settings["collections"])
    audio = [path for name in names for path in plan.audio_folders(name)]
    files = {path for name in names for path in plan.data_files(name)} - set(audio)
    others = ["report.html", *records.NAMES, *learning_files.of(plan.settings)]
    for name in names:
        others += [f"data/{name}/README.md", f"data/{name}/croissant.json"]
        if plan.is_scanned(name):
            others.append(f"data/{name}/scans.png")
        if plan.settings["collections"][name]["source"] == "msmd":
            others += [f"tables/{name}_counts.md", f"tables/{name}_counts.csv"]
    return Made(
        root,
        sorted([*map(Path, files), *(root / name for name in others)]),
        {Path(path): _performances(root, Path(path)) for path in sorted(audio)},
    )


def made(plan: Plan) -> list[Path]:
    """The files and folders of recordings that are looked at, whether they are there or not."""
    found = _made(plan)
    return [*found.files, *found.audio]


def _performances(root: Path, folder: Path) -> Path:
    """The table of PERFORMANCES that lists the recordings of a folder."""
    data, collection, _, *rest = folder.relative_to(root).parts
    return Path(root, data, collection, "performances", *rest).with_name(f"{folder.name}.parquet")


def kind(root: Path, path: Path) -> int:
    """What lies at a path below `root`: the type bits of its mode (see `stat`).

    0 if nothing does, or if it lies behind a symbolic link and so perhaps outside of `root`.
    """
    try:
        parts = path.relative_to(root).parts
        if ".." in parts:
            return 0
        for end in range(1, len(parts)):
            if not stat.S_ISDIR(root.joinpath(*parts[:end]).lstat().st_mode):
                return 0
        found = stat.S_IFMT(path.lstat().st_mode)
        inside = found == stat.S_IFLNK or path.resolve().is_relative_to(root.resolve())
        return found if inside else 0
    except (OSError, ValueError, RuntimeError):  # RuntimeError: links that lead to themselves
        return 0


def _is_file(root: Path, path: Path) -> bool:
    return kind(root, path) == stat.S_IFREG


def _is_folder(root: Path, path: Path) -> bool:
    return kind(root, path) == stat.S_IFDIR


def _recorded(root: Path) -> dict[str, Recorded]:
    """Digests of outputs from the records of provenance, the later record's if both have one.

    Entries that are not as this project writes them are passed over.
    """
    found: dict[str, Recorded] = {}
    for record in (root / name for name in records.NAMES):
        if not _is_file(root, record):
            continue
        try:
            written_ns = record.stat().st_mtime_ns
            outputs = json.loads(record.read_text())["outputs"].items()
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue
        for name, entry in outputs:
            digest = entry.get("sha256") if isinstance(entry, dict) else None
            if not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
                continue
            if name not in found or found[name].written_ns < written_ns:
                found[name] = Recorded(digest, written_ns)
    return found


def _reason(path: Path, known: Recorded | None, digests: bool) -> str | None:
    """Why a regular file does not hold; None if it does, or if nothing is known against it."""
    if not forms.whole(path):
        return "empty" if path.stat().st_size == 0 else "truncated or corrupt"
    if digests and known and path.stat().st_mtime_ns <= known.written_ns:
        try:
            if records.digest(path) != known.sha256:
                return "its contents are not those that were recorded"
        except OSError:
            return "cannot be read"
    return None


def _audio_reason(
    root: Path, folder: Path, performances: Path, known: dict[str, Recorded], digests: bool
) -> str | None:
    """Why a folder of recordings does not hold: one that is listed is corrupt or missing."""
    listed: set[str] = set()
    if _is_file(root, performances):
        try:
            names = pq.read_table(performances, columns=["audio"])["audio"].to_pylist()
        except (pa.ArrowException, OSError, KeyError, ValueError):
            names = []  # found by its form
        listed = {name for name in names if name and name == PurePosixPath(name).name}
    for name in sorted(listed):
        path = folder / name
        if not os.path.lexists(path):
            return f"{name} is missing"
        if not _is_file(root, path):
            continue
        if reason := _reason(path, known.get(path.relative_to(root).as_posix()), digests):
            return f"{name}: {reason}"
    return None


def _archive_faults(plan: Plan, vouched_ns: int) -> Iterator[Fault]:
    """Fetched files that are not what they should be, but for those that a record is newer than."""
    root = Path(plan.settings["downloads"])
    wanted = set(plan.archives())
    for name, entry in catalogue.catalogue().items():
        path = catalogue.archive(name, root)
        if path is None or str(path) not in wanted or not _is_file(root, path):
            continue
        if path.stat().st_mtime_ns <= vouched_ns:
            continue
        try:
            if archives.contents_digest(path, entry.get("members")) != entry["digest"]:
                yield Fault(path, "its contents are not those of the catalogue")
        except (ValueError, OSError):
            yield Fault(path, "truncated or corrupt")


def faults(plan: Plan, digests: bool = True) -> list[Fault]:
    """Files and folders that the rules make and that do not hold. Changes nothing.

    Args:
        plan: what the workflow makes.
        digests: compare contents with the record of provenance, too, which reads every file; what
            it does not list, or what is newer, is judged by its form alone.
    """
    ours = _made(plan)
    root, known, found = ours.root, _recorded(ours.root), []
    for path in tqdm(ours.files, desc="verify", unit="file", disable=None, delay=2):
        if _is_file(root, path):
            entry = known.get(path.relative_to(root).as_posix())
            if reason := _reason(path, entry, digests):
                found.append(Fault(path, reason))
    for folder, table in ours.audio.items():
        if _is_folder(root, folder) and (
            reason := _audio_reason(root, folder, table, known, digests)
        ):
            found.append(Fault(folder, reason))
    record = root / records.NAMES[-1]
    vouched_ns = record.stat().st_mtime_ns if _is_file(root, record) else 0
    return found + list(_archive_faults(plan, vouched_ns))


def aside(path: Path) -> Path:
    """Rename a file or folder so that it is out of the way; returns the free name that it got."""
    target, number = path.with_name(path.name + ASIDE), 2
    while os.path.lexists(target):
        target, number = path.with_name(f"{path.name}{ASIDE}.{number}"), number + 1
    return path.rename(target)


def set_aside(plan: Plan, found: list[Fault]) -> Iterator[tuple[Path, Path]]:
    """Rename what does not hold, then the records that list it, so that a run makes all again.

    Yields the old and the new path of each. What was set aside by a repair that was cut short
    counts too.
    """
    for fault in found:
        yield fault.path, aside(fault.path)
    root = Path(plan.results)
    if found or any(map(_lacks, _lasting(plan))):
        for record in (root / name for name in records.NAMES):
            if _is_file(root, record):
                yield record, aside(record)


def _lacks(path: Path) -> bool:
    """Whether a file was set aside and not made again since."""
    return os.path.lexists(f"{path}{ASIDE}") and not os.path.lexists(path)


def _lasting(plan: Plan) -> list[Path]:
    """What a complete run leaves: no checkpoints, and recordings only if they are kept."""
    ours = _made(plan)
    kept = ours.audio if plan.settings["performances"]["keep_audio"] else {}
    return [*(path for path in ours.files if path.suffix != learning_files.CHECKPOINT), *kept]


def verify(configfile: list[Path] | None = None, repair: bool = False) -> None:
    """Look for corrupt, truncated and incomplete files among results and downloads.

    Says also if packages that make scores and sound have other versions than when the data were
    made.

    Args:
        configfile: files of settings, the last one on top; `config.yaml` of the working directory
            lies below them, as when the workflow runs.
        repair: rename what was found to NAME.damaged, so that the next run makes it again. Nothing
            is deleted.

    Raises:
        SystemExit: with exit code 1 if something was found and not set aside.
    """
    plan = Plan(settings.load(configfile or []))
    conflicts.check(plan)
    if changed := made_with.changed(Path(plan.results)):
        print(
            f"{plan.results}: its data were made with {', '.join(changed)} and are kept; "
            "partimento run data --forceall replaces them"
        )
    found = faults(plan)
    for fault in found:
        print(f"{fault.path}: {fault.reason}")
    if repair:
        for path, target in set_aside(plan, found):
            print(f"{path} is set aside as {target.name}; the next run makes it again")
    elif found:
        sys.exit(1)
