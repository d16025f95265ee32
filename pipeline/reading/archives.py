"""Read zip and tar archives member by member, unpacking nothing, and compare their contents."""

import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from pipeline.reading.catalogue import suffix_of

MAX_MEMBER_BYTES = 100_000_000  # of an archive; the largest we know is a sound font of 37 MB
MAX_ARCHIVE_BYTES = 2_000_000_000  # of all members together
_CORRUPT = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError)


def _zip_members(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield member.filename, member.file_size, lambda member=member: archive.read(member)


def _tar_members(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile():  # a link might lead anywhere: links are left alone
                yield member.name, member.size, lambda m=member: archive.extractfile(m).read()


def members(path: Path, folder: str | None = None) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of a fetched zip or tar archive, in one pass.

    Args:
        path: the archive.
        folder: if given, only files below it, with names that omit the archive's outermost folder.

    Raises:
        ValueError: naming the file, if the archive is corrupt, or a member is too large or has a
            name that leads outside of the archive.
    """
    total = 0
    name = ""
    try:
        for name, size, read in (_zip_members if path.suffix == ".zip" else _tar_members)(path):
            if folder is not None:
                name = "/".join(PurePosixPath(name).parts[1:])
                if not name.startswith(f"{folder}/"):
                    continue
            if leads_outside(name):
                raise ValueError(f"{path}: {name} leads outside of the archive")
            total += size
            if size > MAX_MEMBER_BYTES or total > MAX_ARCHIVE_BYTES:
                raise ValueError(f"{path}: {name} is too large ({size:,} bytes) or one too many")
            yield name, read()
    except (*_CORRUPT, RuntimeError) as error:  # zipfile raises the last if a member is encrypted
        where = f"{name} is corrupt" if name else "not a complete archive"
        raise ValueError(f"{path}: {where} ({error}); delete it and run again") from None


def leads_outside(name: str) -> bool:
    """Whether a member's name would lead out of the folder that it is unpacked in."""
    return name.startswith("/") or ".." in PurePosixPath(name).parts or name[1:2] == ":"


def contents_digest(path: Path, folder: str | None = None) -> str:
    """sha256 of a file; of an archive, over the names and contents of its files in order of name.

    Hosts repack archives, so the archive's own bytes are not compared. If `folder` is given, only
    files below it count.
    """
    if suffix_of(path.name) not in (".zip", ".tar.gz", ".tar.bz2"):
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    contents = {name: hashlib.sha256(c).hexdigest() for name, c in members(path, folder)}
    total = hashlib.sha256()
    for name in sorted(contents):
        total.update(f"{name}\0{contents[name]}\n".encode())
    return total.hexdigest()
