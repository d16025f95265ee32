"""Sources of melodies: MIDI files in a folder, a zip or a list, and tunes of music21's corpus."""

import os
import posixpath
import zipfile
from collections.abc import Callable
from pathlib import Path

from pipeline.reading import midi
from pipeline.reading.catalogue import Item, piece_id, read_file, split_of, suffixed

SUFFIXES = (".mid", ".midi")


def _zip_reader(path: Path, name: str) -> Callable[[], bytes]:
    def read() -> bytes:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(name).file_size > midi.MAX_BYTES:
                raise ValueError(f"larger than {midi.MAX_BYTES:,} bytes, no melody")
            try:
                return archive.read(name)
            except (zipfile.BadZipFile, EOFError, OSError) as error:
                raise ValueError(f"damaged in the archive ({error})") from None

    return read


def _of_zip(path: Path) -> list[Item]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(SUFFIXES)]
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path}: not a whole archive ({error})") from None
    common = posixpath.commonpath([posixpath.dirname(name) for name in names]) if names else ""
    return [
        Item(
            piece_id(posixpath.relpath(name, common or ".")),
            f"{path.name}/{name}",
            split_of(name),
            _zip_reader(path, name),
        )
        for name in names
    ]


def _of_files(names: list[str], root: Path | str) -> list[Item]:
    """MIDI files by their names relative to `root`."""
    return [
        Item(
            piece_id(name),
            path := f"{root}/{name}",
            split_of(name),
            lambda path=path: read_file(Path(path), midi.MAX_BYTES),
        )
        for name in names
    ]


def of_midi(path: Path) -> list[Item]:
    """The MIDI files of a folder, a zip, or a list (one path a line, relative to the list).

    Raises ValueError where there are none.
    """
    if path.suffix == ".zip":
        found = _of_zip(path)
    elif path.is_dir():
        found = _of_files(suffixed(path, SUFFIXES), path)
    else:
        lines = (line.strip() for line in path.read_text().splitlines())
        paths = [path.parent / line for line in lines if line and not line.startswith("#")]
        root = Path(os.path.commonpath([p.parent for p in paths] or [path.parent]))
        found = _of_files([p.relative_to(root).as_posix() for p in paths], root)
    if not found:
        raise ValueError(f"{path}: no MIDI files ({', '.join(SUFFIXES)}) in it")
    return found


def of_corpus(folder: str) -> list[Item]:
    """The works of one folder of music21's corpus. Raises ValueError where there is none."""
    from pipeline.reading import music21_tunes  # slow to import, and only this source needs it

    return [
        Item(path.stem, f"music21:{folder}/{path.name}", None, lambda path=path: path)
        for path in music21_tunes.paths(folder)
    ]
