"""Engrave a chunk: one LilyPond compile a piece gives images, noteheads and sounding notes.

Print and sound are linked by the place in the source that both come from; no alignment is
estimated. A piece that fails is recorded with its reason, and the chunk goes on.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
from tqdm import tqdm

from pipeline import tables
from pipeline.engraving import compilation, pages, staves
from pipeline.sandbox import lilypond

SCHEMAS = {
    "images": tables.IMAGES,
    "systems": tables.SYSTEMS,
    "noteheads": tables.NOTEHEADS,
    "notes": tables.NOTES,
}
SETTINGS = {"unfold": compilation.SETTINGS, "once": compilation.SETTINGS.with_name("once.ily")}
SOUNDING = {  # where a score states no sound
    "unfold": compilation.SETTINGS.with_name("engrave-sounding.ily"),
    "once": compilation.SETTINGS.with_name("once-sounding.ily"),
}


def _staves(pieces: list[dict], repeats: str) -> Iterator[tuple[dict, dict | str]]:
    """Each tune with its rows, or with the reason why it has none; many share a run."""
    del repeats  # a tune states them itself
    with tempfile.TemporaryDirectory(prefix="engrave-") as name:
        folder = Path(name)
        for start in range(0, len(pieces), compilation.SCORES_A_RUN):
            group = {
                f"p{start + number}": piece
                for number, piece in enumerate(pieces[start : start + compilation.SCORES_A_RUN])
            }
            failures = compilation.compile_all(
                {name: piece["score"][0]["text"] for name, piece in group.items()}, folder
            )
            for name, piece in group.items():
                try:
                    if name in failures:
                        raise ValueError(failures[name])
                    yield piece, staves.rows(piece["piece_id"], folder, name, piece["melody"])
                except ValueError as error:
                    yield piece, str(error)


def _page_rows(piece: dict, settings: Path) -> dict | str:
    with tempfile.TemporaryDirectory(prefix="engrave-") as name:
        failure, warnings = compilation.compile_score(piece["score"], Path(name), settings)
        if failure:
            return failure
        try:
            rows = pages.rows(piece["piece_id"], Path(name), piece["score"])
            return rows | {"warnings": warnings + rows["warnings"]}
        except OSError:
            raise
        except ValueError as error:
            return str(error)
        except Exception as error:  # a score is a program, and may write whatever it likes
            return f"what it wrote cannot be read ({type(error).__name__}: {error})"


def _pages(pieces: list[dict], repeats: str) -> Iterator[tuple[dict, dict | str]]:
    """Each piece with its rows, or with the reason why it has none; each runs by itself, long ones
    first. What states no sound is played as it is printed."""
    for piece in sorted(pieces, key=lambda piece: -sum(len(f["text"]) for f in piece["score"])):
        rows = _page_rows(piece, SETTINGS[repeats])
        yield piece, _page_rows(piece, SOUNDING[repeats]) if rows == compilation.NO_MIDI else rows


def _packed(rows: dict) -> dict[str, pa.RecordBatch] | str:
    """A piece's rows by table, or why one does not fit: a score may write whatever it likes."""
    try:
        return {kind: pa.RecordBatch.from_pylist(rows[kind], of) for kind, of in SCHEMAS.items()}
    except (ValueError, TypeError, OverflowError) as error:
        return f"what it wrote fits no column ({error})"


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
) -> None:
    """Engrave the kept pieces of one chunk.

    Reads a table of pieces; writes the tables of images, systems, noteheads and notes, and one that
    says of every piece how much was engraved or why nothing was. `layout` makes an image of each
    staff of a tune, or of each page. `repeats` plays what a foreign score unfolds once or in full.
    """
    lilypond.confine(unconfined == "refuse")
    table = tables.read(pieces, tables.PIECES, ["piece_id", "reason", "score", "melody"])
    kept = [row for row in table.to_pylist() if row["reason"] is None]
    done = {"staves": _staves, "pages": _pages}[layout](kept, repeats)
    packed: dict[str, dict[str, pa.RecordBatch]] = {}  # an Arrow row takes a tenth of a dict
    outcomes: dict[str, dict] = {}
    for piece, rows in tqdm(done, total=len(kept), desc=f"engrave {pieces.stem}", disable=None):
        piece_id = piece["piece_id"]
        outcome = outcomes[piece_id] = {"piece_id": piece_id}
        found = rows if isinstance(rows, str) else _packed(rows)
        if isinstance(found, str):
            outcome["reason"] = re.sub(r"\s+", " ", found)
        else:
            packed[piece_id] = found
            outcome |= {k: len(v) if k in SCHEMAS else v for k, v in rows.items()}

    def in_order(kind: str) -> Iterator[dict]:
        for piece in kept:
            if piece["piece_id"] in packed:
                yield from packed[piece["piece_id"]][kind].to_pylist()

    tables.write(in_order("images"), tables.IMAGES, images)
    tables.write(in_order("systems"), tables.SYSTEMS, systems, row_group=4096)
    tables.write(in_order("noteheads"), tables.NOTEHEADS, noteheads, row_group=4096)
    tables.write(in_order("notes"), tables.NOTES, notes, row_group=4096)
    tables.write((outcomes[piece["piece_id"]] for piece in kept), tables.ENGRAVED, engraved)
