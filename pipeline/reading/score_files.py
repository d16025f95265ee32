"""Sources of whole scores: LilyPond, MusicXML, MEI, Humdrum and ABC files in a folder, MSMD's
pieces in the Mutopia archive, and piano works of music21's corpus. Each reads as texts by name."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from pipeline.reading import catalogue, lilypond_files, msmd, score_text
from pipeline.reading.catalogue import Item, piece_id, read_file, split_of, suffixed


def _read_score(path: Path) -> dict[str, str]:
    return score_text.read(read_file(path, score_text.MAX_BYTES), path.name)


def of_folder(folder: Path) -> list[Item]:
    """The scores of a folder: its LilyPond files that no other includes, and all in other formats.

    Raises ValueError where there are none.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: whole scores are read from a folder, not from a file")
    tree = lilypond_files.Folder(folder)
    own = lilypond_files.own_includes()
    names = suffixed(folder, [".ly"])
    included = {path for name in names for path in lilypond_files.included(name, tree)}
    readers: dict[str, Callable[[], dict[str, str]]] = {
        name: lambda name=name: lilypond_files.read(name, tree, own)
        for name in names
        if name not in included
    }
    for name in suffixed(folder, score_text.SUFFIXES):
        readers[name] = lambda name=name: _read_score(folder / name)
    if not readers:
        raise ValueError(f"{folder}: no scores (.ly, {', '.join(score_text.SUFFIXES)}) in it")
    return [
        Item(piece_id(name), f"{folder}/{name}", split_of(name), reader)
        for name, reader in readers.items()
    ]


def with_includes(mains: list[Path], folder: Path) -> list[Path]:
    """Scores of a folder and the files there that they include, each once, sorted."""
    tree, own = lilypond_files.Folder(folder), lilypond_files.own_includes()
    found = set(mains)
    for main in mains:
        if main.suffix == ".ly":
            with contextlib.suppress(ValueError):  # the table of pieces will say what is wrong
                places = lilypond_files.gather(
                    main.relative_to(folder).as_posix(), tree, own
                ).values()
                found.update(folder / place for place in places)
    return sorted(found)


def of_corpus() -> list[Item]:
    """The piano works of music21's corpus."""
    from pipeline.reading import (  # slow to import, and only this source needs it
        music21_piano,
    )

    return [
        Item(
            work.piece_id,
            f"music21:{work.path}",
            None,
            lambda work=work: music21_piano.read(work),
        )
        for work in music21_piano.works()
    ]


def of_msmd(archive: Path, pieces: Path, split: Path) -> list[Item]:
    """MSMD's candidates, from the Mutopia archive and MSMD's lists of pieces and splits."""
    tree = dict(catalogue.members(archive, msmd.FOLDER))
    own = lilypond_files.own_includes()

    def reader(piece: str) -> Callable[[], dict[str, str]]:
        return lambda: lilypond_files.read(
            msmd.file_of(piece, tree), tree, own, msmd.composer_folder(piece)
        )

    return [
        Item(piece, msmd.source(piece, tree), name, reader(piece))
        for piece, name in msmd.splits(pieces, split).items()
    ]
