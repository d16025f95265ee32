"""Read zip and tar archives member by member, unpacking nothing, and compare their contents."""

import hashlib
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from pipeline.reading.catalogue import suffix_of

MAX_MEMBER_BYTES = 100_000_000  # of an archive; the largest we know is a sound font of 37 MB
MAX_ARCHIVE_BYTES = 2_000_000_000  # of all members together
_CORRUPT = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError)


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


def members(path: Path, wanted: str | list[str] | None = None) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of a fetched zip or tar archive, in one pass.

    Args:
        path: the archive.
        wanted: if given, only the files below this folder, or those with these names or patterns
            (`*` for anything), with names that omit the archive's outermost folder.

    Raises:
        ValueError: naming the file, if the archive is corrupt, or a member is too large or has a
            name that leads outside of the archive.
    """
    is_wanted = _chooser(wanted)
    total = 0
    name = ""
    try:
        for name, size, read in (_zip_members if path.suffix == ".zip" else _tar_members)(path):
            if wanted is not None:
                name = "/".join(PurePosixPath(name).parts[1:])
                if not is_wanted(name):
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


def _chooser(wanted: str | list[str] | None) -> Callable[[str], bool]:
    """Tells of a file's name whether it is wanted; see `members`."""
    if wanted is None:
        return lambda name: True
    if isinstance(wanted, str):
        return lambda name: name.startswith(f"{wanted}/")
    names = {name for name in wanted if "*" not in name}
    patterns = [name for name in wanted if "*" in name]
    return lambda name: name in names or any(fnmatchcase(name, one) for one in patterns)


def leads_outside(name: str) -> bool:
    """Whether a member's name would lead out of the folder that it is unpacked in."""
    return name.startswith("/") or ".." in PurePosixPath(name).parts or name[1:2] == ":"


def contents_digest(path: Path, wanted: str | list[str] | None = None) -> str:
    """sha256 of a file; of an archive, over the names and contents of its files in order of name.

    Hosts repack archives, so the archive's own bytes are not compared. Only the files that are
    wanted count, see `members`.
    """
    if suffix_of(path.name) not in (".zip", ".tar.gz", ".tar.bz2", ".tar.xz"):
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    contents = {name: hashlib.sha256(c).hexdigest() for name, c in members(path, wanted)}
    total = hashlib.sha256()
    for name in sorted(contents):
        total.update(f"{name}\0{contents[name]}\n".encode())
    return total.hexdigest()
