"""Write files and folders whole or not at all."""

import errno
import fcntl
import glob
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

ROOM_BYTES = 1 << 20  # with less left on it, a disk counts as full
LOCKED_WITHIN_S = 60  # of being made, a folder is locked by its writer
UNFINISHED = "partimento-unfinished-"  # marks our own temporary folders: nobody else's are deleted
NAME_BYTES = 180  # of a file's name in that of its folder: with the rest, names end at 255 bytes
DIGEST_CHARACTERS = 8  # in place of the rest of a longer name
MARK_WITHIN = 1_000  # bytes from the beginning of a file that tell that it is ours


@contextmanager
def replacing(path: Path | str):
    """Yield a temporary path beside `path` that takes its name once the block has succeeded.

    A killed or failed writer leaves nothing under the final name, and what a killed one left
    beside it is swept away by the next; what a living one holds is locked. Works for files and
    folders.

    Raises:
        FileExistsError: if `path` is a folder that holds something; it is left as it is.
        OSError: that names the file, if the disk is full.
    """
    path = Path(path)
    if path.is_dir() and any(path.iterdir()):
        raise FileExistsError(f"{path}: is a folder that holds files already; nothing of it is "
                              "replaced: name another, or move it away")  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = _begun(path.name)
    for left in path.parent.glob(f"{glob.escape(begun)}*"):
        with _locked(left) as ours:
            if ours and not _just_made(left):
                shutil.rmtree(left, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix=begun, dir=path.parent) as folder,
        _locked(Path(folder)),
    ):
        temporary = Path(folder) / path.name
        try:
            yield temporary
        except Exception as error:
            if cause := _want_of_space(error, path.parent):
                raise OSError(
                    f"{path}: no space left for it ({cause}); make room and run again"
                ) from error
            raise
        temporary.replace(path)  # a folder can only take the place of an empty one


def require_other(path: Path, sources: Iterable[Path]) -> None:
    """Raise ValueError if `path` is one of the files that are read."""
    for source in sources:
        if path.exists() and source.exists() and path.samefile(source):
            raise ValueError(f"{path}: is what is read; name another file to write")


def require_writable(path: Path) -> None:
    """Raise ValueError, with the remedy, if no file can be written at `path`."""
    if str(path).startswith("~") and (len(path.parts) > 1 or str(path) == "~"):
        raise ValueError(f"{path}: '~' is not expanded here; write the folder out in full")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; name a file to write")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise ValueError(f"{path}: {folder} is not a folder; name another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"{path}: {folder} may not be written to; name another place")


def unclaimed(path: Path, mark: bytes, kind: str) -> Path:
    """A default path to write, unless something other than a file of this program is there.

    Args:
        path: Where a file is written if the user names none.
        mark: What files of this kind have in their first bytes if they are ours.
        kind: What such a file is called.

    Raises:
        ValueError: If something else is there; it stays as it is.
    """
    ours = False
    if path.is_file():
        with path.open("rb") as file:
            ours = mark in file.read(MARK_WITHIN)
    if path.exists() and not ours:
        raise ValueError(f"{path}: is there already and is not a {kind} of this program; name "
                         "another with --out")  # fmt: skip
    return path


def _begun(name: str) -> str:
    """How the names of temporary folders begin in which a file or folder of a name is written."""
    whole = os.fsencode(name)
    if len(whole) > NAME_BYTES:
        digest = hashlib.sha256(whole).hexdigest()[:DIGEST_CHARACTERS]
        name = f"{whole[:NAME_BYTES].decode(errors='ignore')}-{digest}"
    return f".{name}.{UNFINISHED}"


def _just_made(folder: Path) -> bool:
    """Whether a folder is one that its writer has made, and may not have locked yet."""
    try:
        return time.time() - folder.stat().st_mtime < LOCKED_WITHIN_S and not any(folder.iterdir())
    except OSError:
        return False


@contextmanager
def _locked(folder: Path):
    """Yield whether nobody else has locked a folder, which is ours for the time of the block.

    A file system without locks, or a folder that is gone, counts as nobody's.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield True
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = True
    except BlockingIOError:
        free = False
    except OSError:
        free = True
    try:
        yield free
    finally:
        os.close(handle)


def _want_of_space(error: Exception, folder: Path) -> BaseException | None:
    """What tells that an error came from a full disk; None where it did not.

    Some libraries keep the system's error in the context alone, and some do not tell it at all.
    """
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return cause
        cause = cause.__cause__ or cause.__context__
    return error if shutil.disk_usage(folder).free < ROOM_BYTES else None
