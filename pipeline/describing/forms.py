"""Tell by its form alone whether a file is whole: formats that have an end which can be checked."""

import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import soundfile

TAIL_BYTES = 1_024  # in which the end of a PDF stands


def _parquet(path: Path) -> bool:
    """Whether a Parquet file has its footer, and that lies within."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < 12:
            return False
        file.seek(size - 8)
        footer, magic = struct.unpack("<I4s", file.read())
    return magic == b"PAR1" and footer + 12 <= size


def _safetensors(path: Path) -> bool:
    """Whether a file of weights ends where its header says."""
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            return False
        (length,) = struct.unpack("<Q", start)
        size = os.fstat(file.fileno()).st_size
        if length + 8 > size:
            return False
        header = json.loads(file.read(length))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return max(ends, default=0) + 8 + length == size


def _flac(path: Path) -> bool:
    """Whether the last sample of a recording can be read."""
    with soundfile.SoundFile(path) as file:
        if file.frames == 0:
            return False
        file.seek(file.frames - 1)
        return len(file.read(1)) == 1


def _ends_with(end: bytes) -> Callable[[Path], bool]:
    def check(path: Path) -> bool:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return end in file.read()

    return check


def _json(path: Path) -> bool:
    with path.open("rb") as file:
        json.load(file)
    return True


CHECKS: dict[str, Callable[[Path], bool]] = {
    ".parquet": _parquet,
    ".safetensors": _safetensors,
    ".pt": zipfile.is_zipfile,
    ".state": zipfile.is_zipfile,
    ".flac": _flac,
    ".png": _ends_with(b"IEND"),
    ".pdf": _ends_with(b"%%EOF"),
    ".json": _json,
    ".html": _ends_with(b"</html>"),
}


def whole(path: Path) -> bool:
    """Whether a regular file is not empty and, if its format tells, complete."""
    try:
        if path.stat().st_size == 0:
            return False
        check = CHECKS.get(path.suffix)
        return check is None or bool(check(path))
    except PermissionError:
        return True  # nothing is known against it
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError,
            MemoryError, OSError, soundfile.LibsndfileError):  # fmt: skip
        return False  # a header that cannot be read
