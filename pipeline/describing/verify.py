"""What something outside the workflow has cut short: found before a run, which makes it again.

Every file is written under another name first, so a killed job leaves no half file; but a disk
that dies or a copy that breaks off may. Large files tell by their form whether they are whole, all
others by the size that the last run recorded (`provenance`), archives by their contents.
"""

import json
import os
import shutil
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import soundfile

from pipeline.describing.provenance import NAME, files
from pipeline.reading import archives, catalogue

RECORDS = (NAME, f"data/{NAME}")


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


FORMS = {
    ".parquet": _parquet,
    ".safetensors": _safetensors,
    ".pt": zipfile.is_zipfile,
    ".state": zipfile.is_zipfile,
}


def _whole(path: Path) -> bool:
    try:
        return FORMS[path.suffix](path)
    except (ValueError, KeyError):  # a header that cannot be read
        return False


def _of_form(results: Path) -> Iterator[Path]:
    """Files that are not whole by their form."""
    return (path for path in files(results) if path.suffix in FORMS and not _whole(path))


def _of_size(results: Path) -> Iterator[Path]:
    """What must be made again since a file has not the size that was recorded: a table, a figure,
    or a chunk's folder of recordings of which one cannot be read."""
    for record in RECORDS:
        record = results / record
        try:
            outputs = json.loads(record.read_text())["outputs"]
        except FileNotFoundError:
            continue
        except (ValueError, KeyError):
            yield record
            continue
        for name, entry in outputs.items():
            path = results / name
            if path.suffix in FORMS or not path.exists() or path.stat().st_size == entry["bytes"]:
                continue
            if path.suffix != ".flac":
                yield path
            elif not _sounds(path):
                yield path.parent


def _sounds(path: Path) -> bool:
    """Whether a recording can be read to its end."""
    try:
        with soundfile.SoundFile(path) as file:
            return len(file.read()) == file.frames
    except (soundfile.LibsndfileError, OSError):
        return False


def _archives(results: Path, downloads: Path) -> Iterator[Path]:
    """Fetched files that are not what they were, of those that no record is younger than."""
    record = results / RECORDS[1]
    vouched = record.stat().st_mtime if record.exists() else 0.0
    for name, entry in catalogue.catalogue().items():
        path = catalogue.archive(name, downloads)
        if path is None or not path.exists() or path.stat().st_mtime <= vouched:
            continue
        try:
            if archives.contents_digest(path, entry.get("members")) != entry["digest"]:
                yield path
        except ValueError:
            yield path


def damaged(results: Path | str, downloads: Path | str) -> list[Path]:
    """Files and folders of results and downloads that are not whole and can be made again."""
    results, downloads = Path(results), Path(downloads)
    found = [*_of_form(results), *_of_size(results), *_archives(results, downloads)]
    return sorted(set(found))


def clear(results: Path | str, downloads: Path | str) -> list[Path]:
    """Delete what is damaged, and tell what it was; the records too, so that a run looks again for
    everything that they list."""
    found = damaged(results, downloads)
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if found:
        for record in RECORDS:
            Path(results, record).unlink(missing_ok=True)
    return found
