"""Choose the pieces: read each source's pieces, and keep those that are such a melody as A 3.1
asks for, or a score that LilyPond can be given. Every piece left out stays in the table with its
reason."""

import hashlib
from collections.abc import Iterator
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
    melody,
    midi,
    score_metadata,
    sources,
)
from pipeline.sandbox import lilypond


def _draw(text: str) -> float:
    """A number in [0, 1) that follows from a text alone, evenly spread."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def chunk_of(piece_id: str, chunks: int) -> int:
    """The chunk that carries a piece; depends on nothing but its id."""
    return int(_draw(piece_id) * chunks)


def drawn_split(piece_id: str, seed: int, shares: dict[str, float]) -> str:
    """Draw a split by piece: seeded, and the same whatever other pieces there are."""
    number = _draw(f"split:{seed}:{piece_id}")
    for split in catalogue.DRAWN[:-1]:
        if number < shares[split]:
            return split
        number -= shares[split]
    return catalogue.DRAWN[-1]


def _read(
    item: catalogue.Item, durations: set[Fraction], tempo: float
) -> tuple[melody.Melody, list]:
    """A piece as a score and as the notes that it sounds; ValueError where it does not serve."""
    content = item.read()
    if isinstance(content, bytes):
        found = midi.read(content)
        _check(found, durations)
        return found, melody.sounding_notes(found)
    from pipeline.reading import music21_tunes  # slow to import, and only this source needs it

    part = music21_tunes.load(content)
    found = music21_tunes.read(part, item.piece_id, tempo)
    _check(found, durations)
    notes = melody.sounding_notes(found)
    expected = music21_tunes.played_out(part)
    if [(note["onset"], note["duration"], note["pitch"]) for note in notes] != expected:
        raise ValueError("repeat signs that can be read in two ways")
    return found, notes


def _check(found: melody.Melody, durations: set[Fraction]) -> None:
    """Raise ValueError where a printed note or rest lasts what is not allowed."""
    for bar in found.bars:
        for element in bar.elements:
            if element.pitch is not None and element.duration not in durations:
                raise ValueError(
                    f"a note of {element.duration} quarters is not among those allowed"
                )
            if element.pitch is None and element.duration not in melody.WRITTEN:
                raise ValueError(f"a rest of {element.duration} quarters cannot be written")


def melody_row(item: catalogue.Item, durations: set[Fraction], tempo: float) -> dict:
    """What the table of pieces says of a melody, but for its collection, split and chunk."""
    try:
        found, notes = _read(item, durations, tempo)
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


def whole_scores(chosen: list[catalogue.Item]) -> Iterator[dict]:
    """What the table of pieces says of whole scores, but for their collection, split and chunk."""
    texts: dict[str, dict[str, str]] = {}
    others: dict[str, dict[str, str]] = {}  # of other formats than LilyPond's
    reasons: dict[str, str] = {}
    for item in tqdm(chosen, desc="read", disable=None):
        try:
            files = item.read()
            (texts if next(iter(files)).endswith(".ly") else others)[item.piece_id] = files
        except ValueError as error:
            reasons[item.piece_id] = str(error)
    converted = dict(zip(texts, lilypond_files.convert(list(texts.values())), strict=True))
    for item in chosen:
        if files := converted.get(item.piece_id) or others.get(item.piece_id):
            if item.piece_id in others:
                known = score_metadata.read(files)
            else:
                known = lilypond_header.read(files.values())
            yield {name: value for name, value in known.items() if value} | {
                "score": [{"name": name, "text": text} for name, text in files.items()]
            }
        else:
            yield {"reason": reasons[item.piece_id]}


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
    looks: list[dict] | None = None,
    every_look: bool = False,
) -> None:
    """Write the table of pieces of one chunk of a collection.

    `downloads` holds what was fetched. `layout` is `staves` for melodies, `pages` for whole scores.
    `fraction` is the share of the source's pieces that is looked at, drawn by id and seed.
    `shares` (train, valid, test) draws the split by piece; None takes the source's own, and a
    piece without one is left out. A piece has one of the `looks`, or a row for each (`every_look`).
    For melodies, `durations` are the lengths a printed note may have
    (quarters), and `tempo` (quarters a minute) serves works that name none. Where
    convert-ly cannot be confined, `unconfined` warns or raises OSError.
    """
    if layout == sources.PAGES:
        lilypond.confine(unconfined == "refuse")
    if layout == sources.STAVES and (durations is None or tempo is None):
        raise ValueError(
            f"collections.{collection}: 'layout: staves' needs 'durations' and 'tempo'"
        )
    allowed = {Fraction(value).limit_denominator(96) for value in durations or []}
    if odd := sorted(allowed - melody.WRITTEN.keys()):
        raise ValueError(f"durations: no single notehead shows {', '.join(map(str, odd))} quarters")
    look_names = list(page_looks.from_settings(looks))
    licence = (catalogue.entry_of(source) or {"licence": "the user's own files"})["licence"]
    splits = {
        item: drawn_split(item.piece_id, seed, shares) if shares else item.split
        for item in sources.items(source, downloads, layout)
        if chunk_of(item.piece_id, chunks) == chunk
        and _draw(f"take:{seed}:{item.piece_id}") < fraction
    }
    chosen = [item for item, split in splits.items() if split]

    def found() -> Iterator[dict]:
        if layout == sources.PAGES:
            yield from whole_scores(chosen)
        else:
            for item in tqdm(chosen, desc=f"select {collection} {chunk}", disable=None):
                yield melody_row(item, allowed, tempo)

    def rows() -> Iterator[dict]:
        contents = found()
        for item, split in splits.items():
            row = {
                "collection": collection,
                "split": split,
                "source": item.source,
                "licence": licence,
                "chunk": chunk,
                **(next(contents) if split else {"reason": "in no split of its source"}),
            }
            for look in page_looks.of_piece(item.piece_id, look_names, every_look, seed):
                name = page_looks.variant_id(item.piece_id, look, every_look)
                yield {"piece_id": name, "look": look} | row

    tables.write(rows(), tables.PIECES, out)
