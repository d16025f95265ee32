"""The pieces of any source, for the layout that a collection has.

A source is named in the config by a key of `catalogue.yaml`, or by a path of one's own. For the
layout `staves` that is a folder or a zip of MIDI files, or a text file that lists MIDI files line
by line; `music21:FOLDER` names the works of one folder of music21's corpus. For the layout `pages`
it is a folder of LilyPond and MusicXML files.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pipeline.reading import catalogue, midi_files, score_files

STAVES, PAGES = "staves", "pages"


def files(
    source: str, downloads: Path | str, layout: str, chunks: int, chunk_of: Callable[[str], int]
) -> list[list[Path]]:
    """The files that have to be there to read the pieces of each chunk, which follows from the id.

    Raises ValueError where the source is unknown, holds no pieces, or none for that layout.
    """
    if _entry(source, layout):
        return [list(catalogue.needed(source, downloads).values())] * chunks
    path = Path(source)
    own: list[list[Path]] = [[] for _ in range(chunks)]
    for item in items(source, downloads, layout):
        own[chunk_of(item.piece_id)].append(Path(item.source))
    if layout == PAGES:
        return [score_files.with_includes(mains, path) for mains in own]
    if path.suffix == ".zip":
        return [[path]] * chunks
    return own if path.is_dir() else [[path, *listed] for listed in own]


def newest(files: list[Path]) -> list[Path]:
    """The one of some files that was changed last; none where none is there."""
    there = [path for path in files if path.exists()]
    return sorted(there, key=lambda path: path.stat().st_mtime_ns)[-1:]


def digest(files: list[Path]) -> str:
    """Differs where files have other names or sizes; one that is not there has none."""
    sizes = ((str(path), path.stat().st_size if path.exists() else None) for path in files)
    return hashlib.sha256(repr(sorted(sizes)).encode()).hexdigest()


def _entry(source: str, layout: str) -> dict | None:
    """A source's row of the table, None for a path; ValueError where it has another layout."""
    entry = catalogue.entry_of(source)
    if entry is None or entry.get("layout") == layout:
        return entry
    if "layout" not in entry:
        raise ValueError(f"{source} ({entry['title']}) is no source of pieces")
    kind = {STAVES: "melodies", PAGES: "whole scores"}[entry["layout"]]
    raise ValueError(f"{source} holds {kind}; set 'layout: {entry['layout']}' for it")


def items(source: str, downloads: Path | str, layout: str) -> list[catalogue.Item]:
    """All pieces of a source, sorted by id; fetched files lie in `downloads`.

    Raises ValueError where the source is unknown, holds no pieces, or none for that layout.
    """
    entry = _entry(source, layout)
    if entry is None:
        path = Path(source)
        if not path.exists():
            known = ", ".join(n for n, e in catalogue.catalogue().items() if "layout" in e)
            raise ValueError(f"{source}: no such folder, zip or list, nor one of {known}")
        found = score_files.of_folder(path) if layout == PAGES else midi_files.of_midi(path)
    else:
        needed = catalogue.needed(source, downloads)
        for path in needed.values():
            if not path.exists():
                raise ValueError(f"{path}: not there; 'python -m pipeline fetch' brings it")
        if "works" in entry:
            found = midi_files.of_corpus(entry["works"])
        elif "piano" in entry:
            found = score_files.of_corpus()
        elif "scores" in entry:
            found = score_files.of_msmd(**needed)
        else:
            found = midi_files.of_midi(needed["archive"])
    for piece_id, count in Counter(item.piece_id for item in found).items():
        if count > 1:
            twins = ", ".join(item.source for item in found if item.piece_id == piece_id)
            raise ValueError(f"two files for one piece '{piece_id}': {twins}; rename one")
    return sorted(found, key=lambda item: item.piece_id)
