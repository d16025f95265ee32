"""The pieces of any source, and the files that a job of selection reads.

A source is named in the config by a key of `catalogue.yaml`, or by a path. For the layout `staves`
the path is a folder or a zip of MIDI files, or a text file that lists MIDI files line by line;
`music21:FOLDER` names the works of one folder of music21's corpus. For the layout `pages` it is a
folder of LilyPond and MusicXML files, and of match files, in which people play them.
"""

import os
from collections.abc import Callable
from pathlib import Path

from pipeline.reading import catalogue, melody_sources, score_sources
from pipeline.reading.pieces import Piece, told_apart

STAVES, PAGES = "staves", "pages"


def pieces_of(source: str, downloads: Path | str, layout: str) -> list[Piece]:
    """All pieces of a source, sorted by id; fetched files lie in `downloads`.

    Raises:
        ValueError: if the source is unknown, was not fetched, holds no pieces for that layout, or
            two files for one piece.
    """
    entry = _entry(source, layout)
    if entry is None:
        found = _pieces_of_path(Path(source), layout)
    else:
        needed = catalogue.needed(source, downloads)
        for path in needed.values():
            if not path.exists():
                raise ValueError(f"{path}: not there; 'python -m partimento fetch' brings it")
        if "works" in entry:
            found = melody_sources.pieces_of_corpus(entry["works"])
        elif "piano" in entry:
            found = score_sources.pieces_of_corpus()
        elif "performed" in entry:
            found = score_sources.pieces_of_performed(needed["archive"], entry["members"])
        elif "scores" in entry:
            found = score_sources.pieces_of_msmd(**needed)
        else:
            found = melody_sources.pieces_of_midi(needed["archive"])
    return told_apart(found)


def _entry(source: str, layout: str) -> dict | None:
    """A source's row of the table, None for a path; ValueError if it has another layout."""
    entry = catalogue.entry_of(source)
    if entry is None or entry.get("layout") == layout:
        return entry
    if "layout" not in entry:
        raise ValueError(f"{source} ({entry['title']}) is no source of pieces")
    kind = {STAVES: "melodies", PAGES: "whole scores"}[entry["layout"]]
    raise ValueError(f"{source} holds {kind}; set 'layout: {entry['layout']}' for it")


def _pieces_of_path(path: Path, layout: str) -> list[Piece]:
    if not path.exists():
        known = ", ".join(n for n, e in catalogue.catalogue().items() if "layout" in e)
        raise ValueError(f"{path}: no such folder, zip or list, nor one of {known}")
    if layout == PAGES:
        return score_sources.pieces_of_folder(path)
    return melody_sources.pieces_of_midi(path)


# --- what a job of selection depends on
def files(
    source: str, downloads: Path | str, layout: str, chunks: int, chunk_of: Callable[[str], int]
) -> list[list[Path]]:
    """The files that have to exist so that each chunk's pieces can be read.

    Files of one's own that cannot be read do not count: their pieces are left out with a reason.

    Args:
        source: as in the config.
        downloads: folder of fetched files.
        layout: of the collection.
        chunks: number of chunks.
        chunk_of: the chunk of a piece, from its id.

    Returns:
        A list of files for each chunk.

    Raises:
        ValueError: as `pieces_of`.
    """
    if _entry(source, layout):
        return [list(catalogue.needed(source, downloads).values())] * chunks
    path = Path(source)
    own: list[list[Path]] = [[] for _ in range(chunks)]
    for piece in pieces_of(source, downloads, layout):
        for file in (piece.file, *(played.file for played in piece.performances)):
            if file is not None and os.access(file, os.R_OK) and file.is_file():
                own[chunk_of(piece.piece_id)].append(file)
    if layout == PAGES:
        return [score_sources.with_includes(mains, path) for mains in own]
    if path.is_dir():
        return own
    return [[path, *listed] for listed in own]  # the zip or list itself
