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

from pipeline.reading.listing import files_below, read_file
from pipeline.reading.pieces import piece_id_of, with_digest

RECORDINGS = "recordings"  # in place of a sound font
RECORDED = "recorded"  # in place of a tempo ratio: that of the recording
SUFFIXES = (  # of sound files, and of videos, whose sound is taken
    *(".wav", ".flac", ".ogg", ".opus", ".oga", ".mp3", ".aif", ".aiff", ".m4a", ".aac", ".wma"),
    *(".mp4", ".mkv", ".mov", ".webm", ".avi"),
)
COLUMNS = ("piece", "file")
MAX_BYTES = 50_000_000  # of a table


@dataclass(frozen=True)
class Recording:
    """A recording of a piece, not yet read.

    Attributes:
        piece: Id of the piece, or the name of its score, relative to the source.
        performer: From the table, or the recording's own name.
        path: The file, which need not be there.
    """

    piece: str
    performer: str
    path: Path

    @property
    def piece_ids(self) -> set[str]:
        """The ids that `piece` may stand for: itself, or that of a score of this name."""
        return {self.piece, piece_id_of(self.piece)}


def find(source: Path | str) -> list[Recording]:
    """The recordings of a folder or a table, in order of piece and performer.

    Performers of one piece whose names differ in case at most get a digest of the file's name.

    Raises:
        ValueError: That names the source, if it is neither a folder nor a table with these columns.
    """
    source = Path(source)
    if source.is_dir():
        names = files_below(source, SUFFIXES)
        found = [Recording(piece_id_of(name), _stem(name), source / name) for name in names]
    else:
        found = _table(source)
    counts = Counter((one.piece, one.performer.casefold()) for one in found)
    told_apart = [
        Recording(one.piece, with_digest(one.performer, str(one.path)), one.path)
        if counts[one.piece, one.performer.casefold()] > 1
        else one
        for one in found
    ]
    return sorted(told_apart, key=lambda one: (one.piece, one.performer))


def _stem(name: str) -> str:
    """A performer's name, written as ids of pieces are."""
    return piece_id_of(posixpath.basename(name))


def _table(path: Path) -> list[Recording]:
    if not path.exists():
        raise ValueError(f"{path}: no such folder or table of recordings")
    try:
        content = read_file(path, MAX_BYTES)
        if len(content) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES:,} bytes; is it a table?")
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        names = rows.fieldnames or []
        if lacking := [name for name in COLUMNS if name not in names]:
            raise ValueError(f"no column '{lacking[0]}'; its first line must name {COLUMNS}")
        found = []
        for row in rows:
            piece, file = (row[name] or "" for name in COLUMNS)
            if not piece or not file or "\0" in file:
                raise ValueError(f"line {rows.line_num}: piece and file must both be given")
            performer = row.get("performer") or _stem(file)
            found.append(Recording(piece, piece_id_of(f"{performer}."), path.parent / file))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text; write it as a CSV file") from None
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from None
    return found
