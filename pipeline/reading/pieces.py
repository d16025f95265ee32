"""A piece of a source, not yet read: its id and its split follow from the name of its file."""

import hashlib
import posixpath
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.reading.catalogue import SPLITS

MAX_ID_BYTES = 200  # a recording is stored as `<piece id>.flac`, and names end at 255 bytes
DIGEST_CHARACTERS = 8
_RESERVED = frozenset('<>:"/\\|?*')  # not allowed in file names on all systems
_ODD_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})  # controls, surrogates, ...


@dataclass(frozen=True)
class Piece:
    """One piece of a source, not yet read."""

    piece_id: str
    source: str  # printable name of the file or work, for the table of pieces and for messages
    split: str | None  # None if the source has none
    read: Callable[[], object]  # MIDI bytes, path of a work, or LilyPond texts by name
    file: Path | None = None  # the user's own file that the piece is read from
    work: str | None = None  # shared by files that differ only in suffix, which share a split, too
    performances: tuple["PerformanceFile", ...] = ()


@dataclass(frozen=True)
class PerformanceFile:
    """A performance of a piece by a person, not yet read."""

    performer: str
    source: str  # printable name of the file
    read: Callable[[], bytes]
    file: Path | None = None  # the user's own file


def piece_id_of(name: str) -> str:
    """The id of a piece from the name of its file, relative to the source.

    The suffix is dropped and `/` becomes `__`. Ids are names of files and text of tables, so what
    not every file system and no text can hold becomes `_`: `<>:"\\|?*`, control and format
    characters, bytes that are not UTF-8, a leading `-`, `.` or space, a trailing `.` or space. Ids
    longer than 200 bytes are cut. An id changed so ends with a digest of the whole name. Letters
    are composed (NFC), as most systems write them.
    """
    plain = posixpath.splitext(name)[0].replace("/", "__")
    composed = unicodedata.normalize("NFC", plain)
    safe = "".join("_" if _is_odd(character) else character for character in composed)
    if safe[:1] in ("-", ".", " "):
        safe = "_" + safe[1:]
    if safe[-1:] in (".", " "):
        safe = safe[:-1] + "_"
    if safe == composed and safe and len(safe.encode()) <= MAX_ID_BYTES:
        return safe
    return with_digest(safe, name)


def with_digest(piece_id: str, name: str) -> str:
    """An id that no other name has: cut where it is too long, with a digest of a name."""
    room = MAX_ID_BYTES - DIGEST_CHARACTERS - 1
    cut = piece_id.encode()[:room].decode(errors="ignore")
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return f"{cut}-{digest[:DIGEST_CHARACTERS]}"


def ids_of(names: Iterable[str]) -> dict[str, str]:
    """The ids of pieces by the names of their files; files that differ only in their suffix keep it
    (`song.mxl` and `song.musicxml` beside each other)."""
    plain = {name: piece_id_of(name) for name in names}
    count = Counter(plain.values())
    return {
        name: piece_id_of(f"{name}.") if count[piece_id] > 1 else piece_id
        for name, piece_id in plain.items()
    }


def _is_odd(character: str) -> bool:
    return character in _RESERVED or unicodedata.category(character) in _ODD_CATEGORIES


def printable(name: str) -> str:
    """A file's name as text on one line: odd characters and bytes as escapes."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _ODD_CATEGORIES
        else character
        for character in name
    )


def split_of(name: str) -> str | None:
    """The split of a piece: the first folder on the way to its file that has a split's name."""
    return next((part for part in name.split("/")[:-1] if part in SPLITS), None)


def told_apart(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces, sorted by id. Ids that differ only in case get a digest, for file systems that do
    not tell these apart.

    Raises ValueError if two pieces have the same id.
    """
    alike: dict[str, list[Piece]] = defaultdict(list)
    for piece in pieces:
        alike[piece.piece_id.casefold()].append(piece)
    found = []
    for twins in alike.values():
        ids = {piece.piece_id for piece in twins}
        if len(ids) < len(twins):
            one = next(
                p.piece_id for p in twins if sum(p.piece_id == t.piece_id for t in twins) > 1
            )
            files = ", ".join(piece.source for piece in twins if piece.piece_id == one)
            raise ValueError(f"two files for one piece '{one}': {files}; rename one")
        if len(twins) > 1:
            twins = [replace(p, piece_id=with_digest(p.piece_id, p.piece_id)) for p in twins]
        found += twins
    return sorted(found, key=lambda piece: piece.piece_id)
