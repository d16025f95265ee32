"""Recordings that a collection names for its pieces: a folder of equal names, or a table.

In a folder, `suite/air.flac` is a recording of `suite/air.musicxml`. A table is a CSV file with the
columns `piece` and `file`, and `performer` if it likes; a piece may have several recordings there.
"""

import csv
import io
import posixpath
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pipeline.reading import lilypond_files, melody_sources, score_text
from pipeline.reading.listing import files_below, read_file
from pipeline.reading.pieces import piece_id_of, with_digest

RECORDINGS = "recordings"  # in place of a sound font
RECORDED = "recorded"  # in place of a tempo ratio: that of the recording
SUFFIXES = (  # of sound files, and of videos, whose sound is taken
    *(".wav", ".flac", ".ogg", ".opus", ".oga", ".mp3", ".aif", ".aiff", ".m4a", ".aac", ".wma"),
    *(".mp4", ".mkv", ".mov", ".webm", ".avi"),
)
SCORES = (lilypond_files.MAIN, *score_text.SUFFIXES, *melody_sources.SUFFIXES)
COLUMNS = ("piece", "file")
MAX_BYTES = 50_000_000  # of a table


@dataclass(frozen=True)
class Recording:
    """A recording of a piece, not yet read.

    Attributes:
        name: The file, as the folder or the table has it.
        piece_ids: Of the piece. Two for a score's name, whose suffix is part of the id if another
            score differs in it alone.
        performer: From the table, or the recording's own name; written as ids of pieces are.
        path: The file, which need not be there.
    """

    name: str
    piece_ids: frozenset[str]
    performer: str
    path: Path


def find(source: Path | str) -> list[Recording]:
    """Find the recordings that a folder or a table names, in order of their names.

    Raises:
        ValueError: That names the source, if it is neither a folder nor a table with these columns.
    """
    source = Path(source)
    if source.is_dir():
        return [
            Recording(name, frozenset([piece_id_of(name)]), _stem(name), source / name)
            for name in files_below(source, SUFFIXES)
        ]
    return sorted(_table(source), key=lambda one: (one.name, one.performer))


def of_piece(recordings: list[Recording], piece_ids: set[str]) -> dict[str, Recording]:
    """The recordings of one piece by performer, each file once.

    Performers whose names differ in case at most get a digest of the file's name.

    Args:
        recordings: Of all pieces.
        piece_ids: Ids that the piece goes by.
    """
    own = {one.path: one for one in recordings if piece_ids & one.piece_ids}.values()
    counts = Counter(one.performer.casefold() for one in own)
    return {
        with_digest(one.performer, one.name)
        if counts[one.performer.casefold()] > 1
        else one.performer: one
        for one in own
    }


def _stem(name: str) -> str:
    return piece_id_of(posixpath.basename(name))


def _ids(piece: str) -> frozenset[str]:
    """The ids that the name of a score, or an id itself, may stand for."""
    whole = piece_id_of(f"{piece}.")
    is_score = piece.lower().endswith(SCORES)
    return frozenset([piece_id_of(piece), whole] if is_score else [whole])


def _table(path: Path) -> list[Recording]:
    if not path.exists():
        raise ValueError(f"{path}: no such folder or table; name where the recordings are")
    try:
        content = read_file(path, MAX_BYTES)
        if len(content) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES:,} bytes; is it a table?")
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if lacking := [name for name in COLUMNS if name not in (rows.fieldnames or [])]:
            raise ValueError(
                f"no column '{lacking[0]}'; its first line must be 'piece,file' or"
                " 'piece,file,performer'"
            )
        found = []
        for row in rows:
            piece, file = (row[name] or "" for name in COLUMNS)
            if not piece or not file or "\0" in file:
                raise ValueError(f"line {rows.line_num}: piece and file must both be given")
            performer = piece_id_of(f"{row.get('performer') or _stem(file)}.")
            found.append(Recording(file, _ids(piece), performer, path.parent / file))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text; write it as a CSV file in UTF-8") from None
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from None
    return found
