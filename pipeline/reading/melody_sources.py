"""Sources of melodies: MIDI files in a folder, a zip or a list, and tunes of music21's corpus."""

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.reading import midi
from pipeline.reading.listing import files_below, read_file
from pipeline.reading.pieces import Piece, piece_id_of, printable, split_of
from pipeline.reading.zip_pieces import pieces_of_zip

SUFFIXES = (".mid", ".midi")
MAX_LIST_BYTES = 50_000_000
MISSING_NAMED = 3  # files that a message names at most


def pieces_of_midi(path: Path) -> list[Piece]:
    """The MIDI files of a folder, a zip archive or a list.

    A list names one file a line, absolute, relative to the list, or relative to the home folder
    (`~`). Blank lines and lines that begin with `#` do not count.

    Raises:
        ValueError: if there are none, or if a listed file does not exist.
    """
    if path.is_dir():
        found = _pieces_of_files(files_below(path, SUFFIXES), path)
    elif path.suffix.lower() == ".zip":
        found = pieces_of_zip(path, SUFFIXES, midi.MAX_BYTES)
    else:
        files = _listed_files(path)
        root = Path(os.path.commonpath([file.parent for file in files] or [path.parent]))
        found = _pieces_of_files([file.relative_to(root).as_posix() for file in files], root)
    if not found:
        raise ValueError(f"{path}: no MIDI files ({', '.join(SUFFIXES)}) in it")
    return found


def _pieces_of_files(names: Iterable[str], root: Path) -> list[Piece]:
    """MIDI files by their names relative to a folder."""
    return [
        Piece(
            piece_id_of(name),
            printable(f"{root}/{name}"),
            split_of(name),
            lambda name=name: read_file(f"{root}/{name}", midi.MAX_BYTES),
            Path(root, name),
        )
        for name in names
    ]


def _listed_files(path: Path) -> list[Path]:
    """The files that a list names, each once. Raises ValueError if one does not exist."""
    content = read_file(path, MAX_LIST_BYTES)
    if b"\0" in content or len(content) > MAX_LIST_BYTES:
        raise ValueError(f"{path}: neither a folder, nor a zip, nor a list of MIDI files (text)")
    text = content.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
    files, missing = {}, []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        name = line.strip()
        if not name or name.startswith("#"):
            continue
        # a name may end with a space; normpath, for `..` would confuse the common folder
        names = [os.path.normpath(path.parent / os.path.expanduser(n)) for n in (line, name)]  # noqa: PTH111 - Path's may raise
        file = next((n for n in names if os.path.isfile(n)), None)  # noqa: PTH113 - Path's may raise
        if file is None:
            other = " (not a file)" if os.path.lexists(names[1]) else ""
            missing.append(f"line {number}: {printable(names[1])}{other}")
        else:
            files[Path(file)] = True
    if missing:
        more = f" and {len(missing) - MISSING_NAMED} more" if len(missing) > MISSING_NAMED else ""
        named = ", ".join(missing[:MISSING_NAMED])
        raise ValueError(
            f"{path} lists files that do not exist: {named}{more}; correct or remove these lines"
        )
    if len({file.is_absolute() for file in files}) > 1:
        files = {file.absolute(): True for file in files}
    return list(files)


def pieces_of_corpus(folder: str) -> list[Piece]:
    """The works of one folder of music21's corpus. Raises ValueError if there is no such folder."""
    from pipeline.reading import music21_tunes  # slow to import, and only this source needs it

    return [
        Piece(path.stem, f"music21:{folder}/{path.name}", None, lambda path=path: path)
        for path in music21_tunes.work_paths(folder)
    ]
