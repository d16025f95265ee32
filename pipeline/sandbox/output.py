"""What a program leaves in its folder: held to limits while it runs, made harmless afterwards.

Folders are opened one inside the other and never by a whole path, so neither depth nor links that
change meanwhile lead astray.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
OUTPUT_MIB = 512  # that a run writes in sum
PAGES = 1000  # of SVG that a run writes
FILES = 4000  # of any kind that it writes, folders included
DEPTH = 16  # folders inside one another

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class ExceededError(Exception):
    """A limit of output is exceeded; says which."""


@dataclass
class Amount:
    """What a folder holds."""

    pages: int = 0
    files: int = 0
    size: int = 0  # bytes on disk


def _entries(folder: int, depth: int = 1) -> Iterator[tuple[str, os.stat_result]]:
    """Everything in an opened folder and below; what vanishes meanwhile is skipped."""
    with os.scandir(folder) as listed:
        for entry in listed:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield entry.name, status
            if not stat.S_ISDIR(status.st_mode):
                continue
            if depth == DEPTH:
                raise ExceededError(f"more than {DEPTH} folders inside one another")
            try:
                inner = os.open(entry.name, _OPEN, dir_fd=folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            try:
                yield from _entries(inner, depth + 1)
            finally:
                os.close(inner)


def measure(folder: Path, before: Amount | None = None, unlinked: int = 0) -> Amount:
    """What a folder holds now.

    Args:
        folder: where a program writes.
        before: what it held before the program started.
        unlinked: bytes on disk that the program holds without a name.

    Raises:
        ExceededError: if the program has written more than the limits allow.
        OSError: if a folder cannot be looked into.
    """
    then, now = before or Amount(), Amount(size=unlinked)
    _check(now, then)
    opened = os.open(folder, _OPEN)
    try:
        for name, status in _entries(opened):
            now.files += 1
            now.pages += name.endswith(".svg")
            now.size += 512 * status.st_blocks
            _check(now, then)
    finally:
        os.close(opened)
    return now


def _check(now: Amount, then: Amount) -> None:
    if now.pages - then.pages > PAGES:
        raise ExceededError(f"more than {PAGES} pages")
    if now.files - then.files > FILES:
        raise ExceededError(f"more than {FILES} files")
    if now.size - then.size > OUTPUT_MIB * MIB:
        raise ExceededError(f"more than {OUTPUT_MIB} MiB")


def unlinked(process: int) -> int:
    """Bytes on disk of the files that a process holds open though they have no name any more."""
    total = 0
    try:
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            status = descriptor.stat()
            if stat.S_ISREG(status.st_mode) and not status.st_nlink:
                total += 512 * status.st_blocks
    except OSError:  # it is over, or there is no /proc
        pass
    return total


def sweep(folder: Path) -> None:
    """Leave folders and files that can be read, and nothing else, once the program has ended.

    Links, pipes, sockets, names that are not UTF-8 and folders too deep are removed, so that nobody
    who reads or writes here is led elsewhere.
    """
    folder.chmod(0o755)  # the program may have locked its own
    opened = os.open(folder, _OPEN)
    try:
        _sweep(opened, 1)
    finally:
        os.close(opened)


def _sweep(folder: int, depth: int) -> None:
    with os.scandir(folder) as listed:
        entries = [(entry.name, entry.stat(follow_symlinks=False)) for entry in listed]
    for name, status in entries:
        named = not any("\ud800" <= letter <= "\udfff" for letter in name)  # else not UTF-8
        if stat.S_ISDIR(status.st_mode):
            if depth == DEPTH or not named:
                _remove(folder, name)
                continue
            _allow(folder, name, status, 0o755)
            inner = os.open(name, _OPEN, dir_fd=folder)
            try:
                _sweep(inner, depth + 1)
            finally:
                os.close(inner)
        elif stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and named:
            _allow(folder, name, status, 0o644)
        else:
            os.unlink(name, dir_fd=folder)


def _allow(folder: int, name: str, status: os.stat_result, mode: int) -> None:
    if stat.S_IMODE(status.st_mode) != mode:
        os.chmod(name, mode, dir_fd=folder)


def _remove(parent: int, name: str) -> None:
    """Remove a folder however deep it is: the folders in it move up before it goes."""
    token = secrets.token_hex(8)
    waiting, moved = [name], 0
    os.chmod(name, 0o700, dir_fd=parent)
    while waiting:
        name = waiting.pop()
        folder = os.open(name, _OPEN, dir_fd=parent)
        try:
            with os.scandir(folder) as listed:
                entries = [(e.name, e.is_dir(follow_symlinks=False)) for e in listed]
            for inner, is_folder in entries:
                if is_folder:
                    moved += 1
                    waiting.append(f"{token}-{moved}")
                    os.chmod(inner, 0o700, dir_fd=folder)
                    os.rename(inner, waiting[-1], src_dir_fd=folder, dst_dir_fd=parent)
                else:
                    os.unlink(inner, dir_fd=folder)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=parent)
