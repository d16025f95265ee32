"""Engrave a chunk: LilyPond or Verovio gives the images, noteheads and sounding notes of a piece.

Print and sound are linked by the location or the id of a note in the source; no alignment is
estimated. A piece that fails is recorded with its reason, and the chunk goes on.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
from tqdm import tqdm

from pipeline import tables
from pipeline.engraving import compilation, degrade, extraction, verovio_runs
from pipeline.engraving.looks import Look, from_settings
from pipeline.reading import lilypond_files
from pipeline.sandbox import lilypond
from pipeline.sandbox.worker import Worker

SETTINGS = {"unfold": compilation.SETTINGS, "once": compilation.SETTINGS.with_name("once.ily")}
SOUNDING = {  # where a score states no sound
    "unfold": compilation.SETTINGS.with_name("engrave-sounding.ily"),
    "once": compilation.SETTINGS.with_name("once-sounding.ily"),
}

LILYPOND = "LilyPond, Emmentaler"  # engraver and music font
REASON_LENGTH = 500  # characters
Extracted = tuple[dict[str, pa.Table], dict] | str  # rows by table and counts, or a reason


@contextlib.contextmanager
def _extractor() -> Iterator[Worker]:
    """A worker on a temporary folder, which imports while the first score is compiled."""
    with (
        tempfile.TemporaryDirectory(prefix="engrave-") as name,
        extraction.start(Path(name)) as extractor,
    ):
        yield extractor


def _staves(pieces: list[dict], repeats: str) -> Iterator[tuple[dict, Extracted]]:
    """Each tune with its rows, or with the reason why it has none; many share a run."""
    del repeats  # a tune states them itself
    with _extractor() as extractor:
        folder = extractor.folder / "tunes"
        folder.mkdir()
        for start in range(0, len(pieces), compilation.SCORES_A_RUN):
            group = {
                f"p{start + number}": piece
                for number, piece in enumerate(pieces[start : start + compilation.SCORES_A_RUN])
            }
            failures = compilation.compile_all(
                {name: piece["score"][0]["text"] for name, piece in group.items()}, folder
            )
            for name, piece in group.items():
                yield (
                    piece,
                    failures.get(name)
                    or extraction.extract(
                        extractor,
                        piece_id=piece["piece_id"],
                        layout="staves",
                        folder=folder.name,
                        name=name,
                        melody=piece["melody"],
                    ),
                )


def _page_rows(extractor: Worker, piece: dict, settings: Path) -> Extracted:
    with tempfile.TemporaryDirectory(dir=extractor.folder) as name:
        failure, complaints = compilation.compile_score(piece["score"], Path(name), settings)
        found = failure or extraction.extract(
            extractor,
            piece_id=piece["piece_id"],
            layout="pages",
            folder=Path(name).name,
            score=piece["score"],
        )
    if isinstance(found, str):
        return found
    rows, counts = found
    return rows, counts | {"warnings": complaints + counts["warnings"]}


def _pages(pieces: list[dict], repeats: str) -> Iterator[tuple[dict, Extracted]]:
    """Each piece with its rows, or with the reason why it has none; each runs by itself, long ones
    first. What states no sound is played as it is printed."""
    with _extractor() as extractor:
        for piece in sorted(pieces, key=lambda piece: -sum(len(f["text"]) for f in piece["score"])):
            rows = _page_rows(extractor, piece, SETTINGS[repeats])
            if rows == compilation.NO_MIDI:
                rows = _page_rows(extractor, piece, SOUNDING[repeats])
            yield piece, rows


def _by_verovio(
    pieces: list[dict], repeats: str, looks: dict[str, Look], parts: str | list
) -> Iterator[tuple[dict, Extracted]]:
    """Each piece with its rows, or with the reason why it has none."""
    with (
        tempfile.TemporaryDirectory(prefix="engrave-") as name,
        verovio_runs.start(Path(name)) as engraver,
    ):
        for piece in pieces:
            (file,) = piece["score"]
            look = looks.get(piece["look"], Look())
            yield (
                piece,
                verovio_runs.engrave(engraver, piece["piece_id"], file, repeats, look, parts),
            )


def _is_lilypond(piece: dict) -> bool:
    return piece["score"][0]["name"].lower().endswith(lilypond_files.SUFFIXES)


def pages_by_either(
    pieces: list[dict], repeats: str, looks: dict[str, Look], parts: str | list
) -> Iterator[tuple[dict, Extracted]]:
    """Each piece by the engraver that its source is for."""
    for engraver, group in (
        (lambda group: _pages(group, repeats), [p for p in pieces if _is_lilypond(p)]),
        (
            lambda group: _by_verovio(group, repeats, looks, parts),
            [p for p in pieces if not _is_lilypond(p)],
        ),
    ):
        if group:
            yield from engraver(group)


def _one_line(reason: str) -> str:
    """A reason as a table can print it, whatever a score put into it."""
    return "".join(filter(str.isprintable, " ".join(reason.split())))[:REASON_LENGTH]


def engrave(
    pieces: Path,
    layout: Literal["staves", "pages"],
    repeats: Literal["unfold", "once"],
    unconfined: Literal["warn", "refuse"],
    images: Path,
    systems: Path,
    noteheads: Path,
    notes: Path,
    engraved: Path,
    looks: list[dict] | None = None,
    parts: list | str = "all",
    seed: int = 0,
) -> None:
    """Engrave the kept pieces of a chunk.

    Args:
        pieces: Parquet table of PIECES.
        layout: Make an image of each staff of a tune, or of each page.
        repeats: Play the repeats of a foreign score out, or all of it once.
        unconfined: What to do if this machine cannot confine the programs that read scores.
        images: Parquet table of IMAGES to write.
        systems: Parquet table of SYSTEMS to write.
        noteheads: Parquet table of NOTEHEADS to write.
        notes: Parquet table of NOTES to write.
        engraved: Parquet table of ENGRAVED to write: how much of each piece was engraved, or why
            nothing was.
        looks: Looks that the pieces name: engraver, music font, page width, spacing.
        parts: `all`, the `piano`, or names and numbers of parts; LilyPond's scores keep all.
        seed: Of the draws that degrade pages.

    Raises:
        OSError: If programs cannot be confined and `unconfined` is `refuse`, or the disk is full.
    """
    known_looks = from_settings(looks)
    lilypond.confine(unconfined == "refuse")
    table = tables.read(pieces, tables.PIECES, ["piece_id", "reason", "score", "look", "melody"])
    kept = [row for row in table.to_pylist() if row["reason"] is None]
    if layout == "staves":
        done = _staves(kept, repeats)
    else:
        done = pages_by_either(kept, repeats, known_looks, parts)
    extracted: dict[str, dict[str, pa.Table]] = {}
    outcomes: dict[str, dict] = {}
    for piece, found in tqdm(done, total=len(kept), desc=f"engrave {pieces.stem}", disable=None):
        piece_id = piece["piece_id"]
        outcome = outcomes[piece_id] = {"piece_id": piece_id}
        if isinstance(found, str):
            outcome["reason"] = _one_line(found)
        else:
            extracted[piece_id], counts = found
            sizes = {kind: table.num_rows for kind, table in extracted[piece_id].items()}
            outcome |= sizes | {"engraving": LILYPOND} | counts
            scan = known_looks[piece["look"]].scan if piece["look"] in known_looks else None
            if scan:
                extracted[piece_id] = degrade.tables_of(extracted[piece_id], scan, seed, piece_id)

    def in_order(kind: str) -> Iterator[dict]:
        for piece in kept:
            if piece["piece_id"] in extracted:
                yield from extracted[piece["piece_id"]][kind].to_pylist()

    tables.write(in_order("images"), tables.IMAGES, images)
    tables.write(in_order("systems"), tables.SYSTEMS, systems, row_group=4096)
    tables.write(in_order("noteheads"), tables.NOTEHEADS, noteheads, row_group=4096)
    tables.write(in_order("notes"), tables.NOTES, notes, row_group=4096)
    tables.write((outcomes[piece["piece_id"]] for piece in kept), tables.ENGRAVED, engraved)
