"""Which files each job of a selection reads, and in which state they are."""

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from pipeline import select
from pipeline.reading import catalogue, recording_files, sources


@functools.cache
def by_chunk(source: str, layout: str, chunks: int, downloads: str) -> list[list[Path]]:
    """The files that the jobs of a collection read, by chunk.

    Args:
        source: a name of the catalogue, or a path.
        layout: `staves` for melodies, `pages` for whole scores.
        chunks: number of chunks.
        downloads: folder of fetched archives; these need not be there yet.

    Raises:
        ValueError: if the source holds no pieces, or names a file that is not there.
        OSError: if it cannot be read.
    """
    return sources.files(
        source, downloads, layout, chunks, lambda piece: select.chunk_of(piece, chunks)
    )


def fetched(source: str, downloads: str) -> list[Path]:
    """The fetched files that a source is read from; none for a user's own source."""
    return list(catalogue.needed(source, downloads).values())


def state(files: Iterable[Path | str], times: bool = True) -> str:
    """A digest that differs if files have other names, sizes or, with `times`, modification times.

    It stands for a job's own files in place of inputs: a time in the future neither fails the job
    nor reruns it for ever, and any name will do.
    """
    seen = []
    for path in sorted(map(str, files)):
        try:
            about = Path(path).stat()
            seen.append((path, about.st_size, about.st_mtime_ns if times else None))
        except OSError:
            seen.append((path, None, None))
    return hashlib.sha256(repr(seen).encode(errors="surrogateescape")).hexdigest()


def recordings_state(source: str, chunk: int, chunks: int) -> str:
    """A digest that differs if a chunk has other recordings, or other files of recordings.

    Args:
        source: a folder or a table of recordings.
        chunk: number of the chunk of pieces.
        chunks: how many there are.

    Raises:
        ValueError: if the source cannot be used.
    """
    seen = [
        (sorted(one.piece_ids), one.performer, state([one.path]))
        for one in recording_files.find(source)
        if chunk in {select.chunk_of(piece_id, chunks) for piece_id in one.piece_ids}
    ]
    return hashlib.sha256(repr(seen).encode(errors="surrogateescape")).hexdigest()


def stray_recordings(recordings: str, source: str, layout: str) -> list[str]:
    """Files that belong to no piece of a source of the user's own, each with the piece named.

    Those of a source of the catalogue, which need not be fetched yet, are not compared.

    Raises:
        ValueError: if the recordings or the source cannot be used.
    """
    found = recording_files.find(recordings)
    if catalogue.entry_of(source):
        return []
    known = {piece.piece_id for piece in sources.pieces_of(source, "", layout)}
    return [f"{one.name} ({min(one.piece_ids)})" for one in found if not known & one.piece_ids]


def expected(source: str) -> str:
    """A digest of what a source of the catalogue holds once it is fetched; known before it is."""
    names = [source, *(catalogue.entry_of(source) or {}).get("scores", {}).values()]
    contents = [(name, (catalogue.entry_of(name) or {}).get("digest")) for name in names]
    return hashlib.sha256(repr(contents).encode()).hexdigest()
