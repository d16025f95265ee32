"""Find the files of a source in a folder, and read one with a limit.

Links, pipes, devices and folders that cannot be read never stop or hang a run: such a file is
listed, and reading it says why it cannot be read; such a folder is passed over with a warning.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from pipeline.reading.pieces import printable

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def files_below(folder: Path | str, suffixes: Iterable[str]) -> list[str]:
    """Names of the files below a folder that have one of some suffixes, in any case.

    Everything but folders is listed, also links that lead nowhere. Links to folders are not
    followed. No file is opened and no `Path` made: each job of a selection lists the whole source.

    Args:
        folder: where to look, with all folders in it.
        suffixes: lower-case, with their dot; an empty one fits every file.

    Returns:
        Names relative to the folder, with slashes, sorted.
    """
    wanted, found, waiting = tuple(suffixes), [], [""]
    while waiting:
        inner = waiting.pop()
        try:
            with os.scandir(f"{folder}/{inner}") as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{inner}{entry.name}/")
                    elif entry.name.lower().endswith(wanted):
                        found.append(inner + entry.name)
        except OSError as error:
            _warn(f"{folder}/{inner}: passed over, the folder cannot be read ({error.strerror})")
    return sorted(found)


def _warn(text: str) -> None:
    print(f"warning: {printable(text)}", file=sys.stderr)


def read_file(path: Path | str, limit: int) -> bytes:
    """The first `limit` + 1 bytes of a regular file.

    Raises:
        ValueError: if it cannot be read, or is a pipe, a device or a link that leads nowhere.
    """
    try:
        kind = stat.S_IFMT(Path(path).stat().st_mode)
        if kind != stat.S_IFREG:  # opening a pipe waits for its writer, opening a device acts
            raise ValueError(f"{_KINDS.get(kind, 'something else')}, not a file")
        with Path(path).open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise ValueError(f"cannot be read ({_cause(path, error)})") from None


def _cause(path: Path | str, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a link to itself"
    if error.errno == errno.ENOENT and Path(path).is_symlink():
        return "a link to a file that does not exist"
    return error.strerror or "unknown cause"
