"""Sources of whole scores: files in a folder, MSMD's pieces, piano works of music21's corpus.

A folder has LilyPond, MusicXML, MEI, Humdrum and ABC files; MSMD's pieces lie in the Mutopia
archive. Each piece is read as texts by name, in its own format.
"""

import contextlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.reading import lilypond_files, match_files, msmd, performance_files, score_text
from pipeline.reading.archives import members
from pipeline.reading.listing import files_below, read_file
from pipeline.reading.pieces import (
    PerformanceFile,
    Piece,
    ids_of,
    piece_id_of,
    printable,
    split_of,
)

SUFFIXES = (lilypond_files.MAIN, *score_text.SUFFIXES)


def _read_score(path: Path) -> dict[str, str]:
    return score_text.read(read_file(path, score_text.MAX_BYTES), path.name)


def pieces_of_folder(folder: Path) -> list[Piece]:
    """The scores of a folder: its LilyPond files that no other includes, and all in other formats,
    with the match files that belong to them.

    Raises:
        ValueError: if it is no folder, or has no scores.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: whole scores are read from a folder, not from a file")
    tree = lilypond_files.Folder(folder)
    own = lilypond_files.own_includes()
    names = files_below(folder, [lilypond_files.MAIN])
    included = {path for name in names for path in lilypond_files.included(name, tree)}
    readers: dict[str, Callable[[], dict[str, str]]] = {
        name: lambda name=name: _read_lilypond(name, tree, own)
        for name in names
        if name not in included
    }
    for name in files_below(folder, score_text.SUFFIXES):
        readers[name] = lambda name=name: _read_score(folder / name)
    if not readers:
        raise ValueError(f"{folder}: no scores ({', '.join(SUFFIXES)}) in it")
    matches = performance_files.by_score(readers, files_below(folder, [match_files.SUFFIX]))
    _report_strays(matches[None], str(folder))
    ids = ids_of(readers)
    return [
        Piece(
            ids[name],
            printable(f"{folder}/{name}"),
            split_of(name),
            reader,
            folder / name,
            work=piece_id_of(name),
            performances=tuple(
                PerformanceFile(
                    performer,
                    printable(f"{folder}/{match}"),
                    lambda match=match: read_file(folder / match, match_files.MAX_BYTES),
                    folder / match,
                )
                for match, performer in _with_performers(matches[name], name)
            ),
        )
        for name, reader in readers.items()
    ]


def _with_performers(matches: list[str], score: str) -> zip:
    return zip(matches, performance_files.performers(matches, score), strict=True)


def _report_strays(matches: list[str], source: str) -> None:
    for match in matches:
        print(
            f"warning: {printable(f'{source}/{match}')}: left out, no score has its name,"
            " nor is there just one in its folder",
            file=sys.stderr,
        )


def pieces_of_performed(archive: Path, names: str | list[str]) -> list[Piece]:
    """The scores of an archive that people play, with the match files that belong to them.

    Args:
        archive: with MusicXML and match files.
        names: of the members that are read.
    """
    tree = dict(members(archive, names))
    matches = [name for name in tree if name.endswith(match_files.SUFFIX)]
    scores = [name for name in tree if name not in set(matches)]
    found = performance_files.by_score(scores, matches)
    _report_strays(found[None], archive.name)
    return [
        Piece(
            piece_id_of(performance_files.piece_name(score)),
            f"{archive.name}:{score}",
            None,
            lambda score=score: score_text.read(tree[score], score),
            performances=tuple(
                PerformanceFile(
                    performer, f"{archive.name}:{match}", lambda match=match: tree[match]
                )
                for match, performer in _with_performers(found[score], score)
            ),
        )
        for score in scores
    ]


def _read_lilypond(name: str, tree: lilypond_files.Folder, own: Iterable[str]) -> dict[str, str]:
    """The texts of a score by name. Raises ValueError if a name is no text on one line."""
    if name not in tree:
        read_file(f"{tree.root}/{name}", 0)  # says what it is instead of a file
        raise ValueError("a link that leads out of the source's folder")
    texts = lilypond_files.texts_of(name, tree, own)
    for inner in texts:
        if printable(inner) != inner:
            raise ValueError(
                f"the file name {printable(inner)} has control characters or is not UTF-8;"
                " rename the file"
            )
    return texts


def with_includes(mains: list[Path], folder: Path) -> list[Path]:
    """Files of a folder and the files there that they include, each once, sorted."""
    tree, own = lilypond_files.Folder(folder), lilypond_files.own_includes()
    found = set(mains)
    for main in mains:
        name = main.relative_to(folder).as_posix()
        if main.suffix.lower() == lilypond_files.MAIN and name in tree:
            with contextlib.suppress(ValueError):  # the table of pieces will say what is wrong
                found.update(
                    folder / path for path in lilypond_files.gather(name, tree, own).values()
                )
    return sorted(found)


def pieces_of_corpus() -> list[Piece]:
    """The piano works of music21's corpus."""
    from pipeline.reading import music21_piano  # slow to import, and only this source needs it

    return [
        Piece(
            work.piece_id,
            f"music21:{work.path}",
            None,
            lambda work=work: music21_piano.read(work),
        )
        for work in music21_piano.works()
    ]


def pieces_of_msmd(archive: Path, pieces: Path, split: Path) -> list[Piece]:
    """MSMD's candidates, from the Mutopia archive and MSMD's lists of pieces and splits."""
    tree = dict(members(archive, msmd.FOLDER))
    own = lilypond_files.own_includes()

    def reader(piece: str) -> Callable[[], dict[str, str]]:
        return lambda: lilypond_files.texts_of(
            msmd.file_of(piece, tree), tree, own, msmd.composer_folder(piece)
        )

    return [
        Piece(piece, msmd.source_name(piece, tree), name, reader(piece))
        for piece, name in msmd.splits(pieces, split).items()
    ]
