"""List the files of a user's zip archive as pieces; a bad member is a bad piece, no bad archive."""

import posixpath
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.reading.archives import leads_outside
from pipeline.reading.pieces import Piece, piece_id_of, printable, split_of

ENCRYPTED = 0x1  # flag bit of a member
_METADATA = "__MACOSX/"  # macOS puts a shadow of every file there


def pieces_of_zip(path: Path, suffixes: Iterable[str], limit: int) -> list[Piece]:
    """The members of a zip archive that have one of some suffixes, in any case.

    The archive is opened once and stays open for as long as one of the pieces is there. A piece
    whose member is encrypted, corrupt or has a name that leads outside says so when it is read.

    Args:
        path: the archive.
        suffixes: lower-case, with their dot.
        limit: size of the largest member that is read, in bytes.

    Raises:
        ValueError: if it is not a complete zip archive.
    """
    try:
        if not path.is_file():  # opening a pipe would wait
            raise ValueError("not a file")
        archive = zipfile.ZipFile(path)
    except Exception as error:  # the parser raises whatever a malformed file makes it
        raise ValueError(f"{path}: not a complete zip archive ({error})") from None
    wanted = tuple(suffixes)
    files = {
        member.filename: member  # of several with one name the last, as unzip has it
        for member in archive.infolist()
        if member.filename.lower().endswith(wanted) and not member.filename.startswith(_METADATA)
    }
    count = Counter(member.filename for member in archive.infolist())
    slashed = {name: name.replace("\\", "/") for name in files}  # as Windows programs write them
    folders = [posixpath.dirname(n) for n in slashed.values() if not leads_outside(n)]
    common = posixpath.commonpath(folders) if folders else ""
    pieces = []
    for name, member in files.items():
        inner = slashed[name]
        if leads_outside(inner):
            relative, fault = inner, "its name leads outside of the archive"
        else:
            relative = posixpath.relpath(inner, common or ".")
            fault = f"{count[name]} members of the archive have its name" if count[name] > 1 else ""
        pieces.append(
            Piece(
                piece_id_of(relative),
                f"{printable(path.name)}/{printable(name)}",
                split_of(inner),
                _reader(archive, member, limit, fault),
            )
        )
    return pieces


def _reader(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int, fault: str
) -> Callable[[], bytes]:
    """A function that reads a member, or raises ValueError with the reason why it cannot."""

    def read() -> bytes:
        if fault:
            raise ValueError(fault)
        if member.flag_bits & ENCRYPTED:
            raise ValueError("encrypted in the archive; unpack it with its password first")
        if member.file_size > limit:
            raise ValueError(f"{member.file_size:,} bytes, too large (limit {limit:,})")
        try:
            with archive.open(member) as file:
                return file.read(limit + 1)
        except NotImplementedError:
            method = zipfile.compressor_names.get(member.compress_type, "unknown")
            raise ValueError(
                f"packed with a method that Python cannot read ({method}); pack it anew"
            ) from None
        except Exception as error:  # zlib, lzma and zipfile raise errors of their own
            raise ValueError(f"corrupt in the archive ({error or type(error).__name__})") from None

    return read
