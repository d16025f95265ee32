"""Select the pieces of a collection: read each source, keep melodies (A 3.1) and whole scores.

Every piece of the source is in the table; one that is left out has a reason.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from pipeline import tables
from pipeline.engraving import looks as page_looks
from pipeline.reading import (
    catalogue,
    lilypond_files,
    lilypond_header,
    match_files,
    melody,
    midi,
    score_metadata,
    sources,
)
from pipeline.reading.pieces import Piece
from pipeline.sandbox import lilypond


@dataclass(frozen=True)
class MelodySettings:
    """How a collection of melodies is read.

    Attributes:
        durations: lengths that a printed note may have, in quarter notes.
        tempo: in quarter notes a minute, for works that state none.
        track: number or name of the MIDI track with the melody; None for the first pitched one.
        metre: beats and beat unit, for MIDI files that state none.
        pickup: length of the first bar in quarter notes, for MIDI files that state none; 0 for a
            whole bar, `accents` to find it from the loudest notes.
    """

    durations: frozenset[Fraction]
    tempo: float
    track: int | str | None = None
    metre: tuple[int, int] = (4, 4)
    pickup: float | Literal["accents"] = 0


def _draw(text: str) -> float:
    """A number in [0, 1) that depends on a text alone, uniformly distributed."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def chunk_of(piece_id: str, chunks: int) -> int:
    """The chunk of a piece; depends on its id alone."""
    return int(_draw(piece_id) * chunks)


def drawn_split(piece_id: str, seed: int, shares: dict[str, float]) -> str:
    """Draw a split for a piece by seed, independent of the other pieces."""
    number = _draw(f"split:{seed}:{piece_id}")
    for split in catalogue.DRAWN[:-1]:
        if number < shares[split]:
            return split
        number -= shares[split]
    return catalogue.DRAWN[-1]


def _read_melody(piece: Piece, settings: MelodySettings) -> tuple[melody.Melody, list[dict]]:
    """A piece as a melody and as its sounding notes. Raises ValueError if it is left out."""
    content = piece.read()
    if isinstance(content, bytes):
        found = midi.read_melody(
            content, settings.tempo, settings.track, settings.metre, settings.pickup
        )
        _check_durations(found, settings.durations)
        return found, melody.sounding_notes(found)
    from pipeline.reading import music21_tunes  # slow to import, and only this source needs it

    part = music21_tunes.parse_work(content)
    found = music21_tunes.melody_of_part(part, piece.piece_id, settings.tempo)
    _check_durations(found, settings.durations)
    notes = melody.sounding_notes(found)
    expected = music21_tunes.expanded_notes(part)
    if [(note["onset"], note["duration"], note["pitch"]) for note in notes] != expected:
        raise ValueError("repeat signs that can be read in two ways")
    return found, notes


def _check_durations(found: melody.Melody, durations: frozenset[Fraction]) -> None:
    """Raise ValueError if a printed note has a length that is not allowed."""
    for bar in found.bars:
        for element in bar.elements:
            if element.pitch is not None and element.duration not in durations:
                raise ValueError(
                    f"a note of {element.duration} quarters is not among those allowed"
                )
            if element.pitch is None and element.duration not in melody.WRITTEN:
                raise ValueError(f"a rest of {element.duration} quarters cannot be written")


def melody_row(piece: Piece, settings: MelodySettings) -> dict:
    """Columns of the pieces table that the content of a melody determines."""
    try:
        found, notes = _read_melody(piece, settings)
        text = melody.lilypond(found)
    except ValueError as error:
        return {"reason": str(error)}
    return {
        "composer": found.composer,
        "title": found.title,
        "score": [{"name": "score.ly", "text": text}],
        "melody": [{**note, "onset": float(note["onset"]), "duration": float(note["duration"])}
                   for note in notes],
    }  # fmt: skip


def whole_scores(chosen: list[Piece], performers: int | None, seed: int) -> Iterator[dict]:
    """Columns of the pieces table that the content of whole scores determines, a row a piece."""
    texts: dict[str, dict[str, str]] = {}
    others: dict[str, dict[str, str]] = {}  # of other formats than LilyPond's
    reasons: dict[str, str] = {}
    for piece in tqdm(chosen, desc="read", disable=None):
        try:
            files = piece.read()
            is_lilypond = next(iter(files)).lower().endswith(lilypond_files.SUFFIXES)
            (texts if is_lilypond else others)[piece.piece_id] = files
        except ValueError as error:
            reasons[piece.piece_id] = str(error)
    converted = dict(zip(texts, lilypond_files.convert(list(texts.values())), strict=True))
    for piece in chosen:
        if files := converted.get(piece.piece_id) or others.get(piece.piece_id):
            if piece.piece_id in others:
                known = score_metadata.read(files)
            else:
                known = lilypond_header.header_fields(files.values())
            yield {name: value for name, value in known.items() if value} | {
                "score": [{"name": name, "text": text} for name, text in files.items()],
                "performances": _performances(piece, performers, seed),
            }
        else:
            yield {"reason": reasons[piece.piece_id]}


def _performances(piece: Piece, at_most: int | None, seed: int) -> list[dict] | None:
    """The match files of a piece as the table of pieces has them; None if it has none."""
    drawn = sorted(
        piece.performances, key=lambda p: _draw(f"performer:{seed}:{piece.piece_id}:{p.performer}")
    )[:at_most]
    found = []
    for played in sorted(drawn, key=lambda played: played.performer):
        row = {"performer": played.performer, "source": played.source}
        try:
            found.append(row | {"match": match_files.text(played.read())})
        except ValueError as error:
            found.append(row | {"reason": str(error)})
    return found or None


def _metre(text: str | None) -> tuple[int, int]:
    """A metre of the config, such as 6/8."""
    beats, slash, unit = (text or "4/4").partition("/")
    if not (slash and beats.isdecimal() and unit.isdecimal() and int(beats) and int(unit)):
        raise ValueError(f"metre: '{text}' is no metre such as 6/8")
    return int(beats), int(unit)


def _unwanted(split: str | None) -> str:
    return f"in the split {split}, which is not taken" if split else "in no split of its source"


def select(
    source: str,
    downloads: str,
    collection: str,
    layout: str,
    chunk: int,
    chunks: int,
    fraction: float,
    shares: dict[str, float] | None,
    seed: int,
    unconfined: Literal["warn", "refuse"],
    out: Path,
    durations: list[float] | None = None,
    tempo: float | None = None,
    track: int | str | None = None,
    metre: str | None = None,
    pickup: float | Literal["accents"] | None = None,
    splits: list[str] | None = None,
    looks: list[dict] | None = None,
    every_look: bool = False,
    performers: int | None = None,
) -> None:
    """Write the table of pieces of one chunk of a collection.

    Args:
        source: a name of the catalogue, or a path; see `pipeline.reading.sources`.
        downloads: folder of fetched files.
        collection: name of the collection in the config.
        layout: `staves` for melodies, `pages` for whole scores.
        chunk: number of the chunk, from 0.
        chunks: number of chunks that share the pieces.
        fraction: share of the source's pieces that is looked at, drawn by id and seed.
        shares: of train, valid and test, to draw the split by piece; None takes the source's own
            splits, and a piece without one is left out.
        seed: of both draws.
        unconfined: what to do if convert-ly cannot be confined: warn, or refuse.
        out: the table to write.
        durations: lengths that a printed note of a melody may have, in quarter notes.
        tempo: in quarter notes a minute, for melodies that state none.
        track: of a MIDI file, number from 1 or name; None takes the first with pitched notes.
        metre: such as 6/8, for MIDI files that state none; None stands for 4/4.
        pickup: length of the first bar in quarter notes, for MIDI files that state none; `accents`
            finds it from the loudest notes.
        splits: that are taken; of pieces in others only the reason is written. None takes all.
        looks: of pages, see `pipeline.engraving.looks`; a piece has one of them.
        every_look: a piece has all of them, each in a row of its own.
        performers: at most so many performances by people of a piece, drawn; None takes all.

    Raises:
        ValueError: if a setting is missing or cannot be met, or the source cannot be read.
        OSError: if programs cannot be confined and `unconfined` is `refuse`.
    """
    if layout == sources.PAGES:
        lilypond.confine(unconfined == "refuse")
    if layout == sources.STAVES and (durations is None or tempo is None):
        raise ValueError(
            f"collections.{collection}: 'layout: staves' needs 'durations' and 'tempo'"
        )
    allowed = frozenset(Fraction(value).limit_denominator(96) for value in durations or [])
    if odd := sorted(allowed - melody.WRITTEN.keys()):
        raise ValueError(f"durations: no single notehead shows {', '.join(map(str, odd))} quarters")
    look_names = list(page_looks.from_settings(looks))
    settings = MelodySettings(allowed, tempo, track, _metre(metre), pickup or 0)
    licence = (catalogue.entry_of(source) or {"licence": "the user's own files"})["licence"]
    split_of = {
        piece: drawn_split(piece.work or piece.piece_id, seed, shares) if shares else piece.split
        for piece in sources.pieces_of(source, downloads, layout)
        if chunk_of(piece.piece_id, chunks) == chunk
        and _draw(f"take:{seed}:{piece.piece_id}") < fraction
    }
    wanted = splits or list(catalogue.SPLITS)
    chosen = [piece for piece, split in split_of.items() if split in wanted]

    def contents() -> Iterator[dict]:
        if layout == sources.PAGES:
            yield from whole_scores(chosen, performers, seed)
        else:
            for piece in tqdm(chosen, desc=f"select {collection} {chunk}", disable=None):
                yield melody_row(piece, settings)

    def rows() -> Iterator[dict]:
        remaining = contents()
        for piece, split in split_of.items():
            row = {
                "collection": collection,
                "split": split,
                "source": piece.source,
                "licence": licence,
                "chunk": chunk,
                **(next(remaining) if split in wanted else {"reason": _unwanted(split)}),
            }
            for look in page_looks.of_piece(piece.piece_id, look_names, every_look, seed):
                name = page_looks.variant_id(piece.piece_id, look, every_look)
                yield {"piece_id": name, "look": look} | row

    tables.write(rows(), tables.PIECES, out)
