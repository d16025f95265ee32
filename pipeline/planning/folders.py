"""Which folders a run may take for its results and downloads: only one of its own."""

import contextlib
import re
from pathlib import Path, PurePosixPath

_PATTERN = re.compile(r"[{}]|<[a-z][a-z0-9_]*>")  # wildcards and path variables of Snakemake
PROJECT = Path(__file__).resolve().parents[2]


def _others() -> dict[Path, str]:
    """Folders that hold more than results, and what they are."""
    found = {PROJECT: "the project's own folder", Path.cwd().resolve(): "the working directory"}
    with contextlib.suppress(RuntimeError):  # no home is known
        found[Path.home().resolve()] = "your home folder"
    return found


def own_folder(key: str, value: str) -> str:
    """The path of a folder for results or downloads, without redundant slashes and dots.

    Args:
        key: the setting's name, for messages.
        value: what the setting says.

    Returns:
        A path that no command takes for an option.

    Raises:
        ValueError: in one sentence, if the folder is the home folder, the project's own, the
            working directory or one that holds them, or if Snakemake could not use its name.
    """
    remedy = f"name a folder of its own, for instance '{key}: {key}'"
    if not value.strip():
        raise ValueError(f"{key}: is empty; {remedy}")
    if value.startswith("~"):
        raise ValueError(f"{key}: '{value}' is not expanded here; write the folder out in full")
    path = str(PurePosixPath(value))
    if path[0] in "-@":  # else a command would take it for an option, or for a file of arguments
        path = str(Path.cwd() / path)
    if not path.isprintable():
        raise ValueError(f"{key}: {value!r} has characters that cannot be printed; {remedy}")
    if pattern := _PATTERN.search(path):
        raise ValueError(f"{key}: {value!r} has {pattern[0]!r} in its name, which Snakemake reads"
                         f" as a pattern; {remedy}")  # fmt: skip
    try:
        resolved = Path(path).resolve()
    except (OSError, RuntimeError) as error:  # links that lead to themselves
        raise ValueError(f"{key}: '{value}' leads nowhere ({error}); {remedy}") from None
    for other, what in _others().items():
        if resolved == other:
            raise ValueError(f"{key}: '{value}' is {what}; {remedy}")
        if resolved in other.parents:
            raise ValueError(f"{key}: '{value}' holds {what}, {other}; {remedy}")
    if resolved.exists() and not resolved.is_dir():
        raise ValueError(f"{key}: '{value}' is a file, not a folder; {remedy}")
    return path
