"""Draw a page beside its degraded scan, each with its noteheads marked."""

from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from pipeline import tables
from pipeline.engrave import pages_by_either
from pipeline.engraving import degrade
from pipeline.engraving.looks import from_settings
from pipeline.images import grey
from pipeline.replacing import replacing
from pipeline.sandbox import lilypond

MOST_HEIGHT = 560  # px of a page that are shown
GAP = 12  # px between the two
MARK = (213, 94, 0)  # of a notehead's box


def _marked(found: dict[str, pa.Table]) -> Image.Image:
    """The first page of a piece with its noteheads' boxes."""
    first = found["images"].slice(0, 1).to_pylist()[0]
    picture = Image.fromarray(grey(first["png"])).convert("RGB")
    brush = ImageDraw.Draw(picture)
    for head in found["noteheads"].to_pylist():
        if head["image"] == first["image"]:
            half = np.array([head["width"], head["height"]]) / 2
            centre = np.array([head["x"], head["y"]])
            brush.rectangle([*(centre - half), *(centre + half)], outline=MARK)
    return picture.crop((0, 0, picture.width, min(picture.height, MOST_HEIGHT)))


def _rows(pieces: Path) -> list[dict]:
    """The pieces of a chunk with their scores."""
    columns = ["piece_id", "reason", "score", "look"]
    return tables.read(pieces, tables.PIECES, columns).to_pylist()


def _lengths(pieces: Path, looks: set[str]) -> list[tuple[int, str, Path]]:
    """How long the scores of a chunk's pieces with such looks are, in characters; their ids."""
    return [
        (sum(len(file["text"]) for file in row["score"]), row["piece_id"], pieces)
        for row in _rows(pieces)
        if row["reason"] is None and row["look"] in looks
    ]


def scans(
    pieces: list[Path],
    repeats: Literal["unfold", "once"],
    looks: list[dict],
    unconfined: Literal["warn", "refuse"],
    out: Path,
    parts: list | str = "all",
    seed: int = 0,
) -> None:
    """Draw the first page of the shortest piece whose look has a `scan`, clean and degraded.

    Args:
        pieces: Parquet tables of PIECES.
        repeats: As for `engrave`.
        looks: Looks that the pieces name.
        unconfined: What to do if this machine cannot confine the programs that read scores.
        out: PNG to write; blank if no piece can be drawn.
        parts: As for `engrave`.
        seed: Of the draws that degrade pages.

    Raises:
        OSError: If programs cannot be confined and `unconfined` is `refuse`.
    """
    known = from_settings(looks)
    lilypond.confine(unconfined == "refuse")
    scanned_looks = {name for name, look in known.items() if look.scan}
    shortest_first = sorted(found for path in pieces for found in _lengths(path, scanned_looks))
    both = [Image.new("RGB", (1, 1), "white")] * 2
    for _, piece_id, path in shortest_first:
        piece = next(row for row in _rows(path) if row["piece_id"] == piece_id)
        ((_, found),) = pages_by_either([piece], repeats, known, parts)
        scan = known[piece["look"]].scan
        if not isinstance(found, str) and scan:
            clean, _ = found
            scanned = degrade.tables_of(clean, scan, seed, piece["piece_id"])
            both = [_marked(clean), _marked(scanned)]
            break
    canvas = Image.new(
        "RGB", (sum(p.width for p in both) + GAP, max(p.height for p in both)), "white"
    )
    canvas.paste(both[0], (0, 0))
    canvas.paste(both[1], (both[0].width + GAP, 0))
    with replacing(out) as temporary:
        canvas.save(temporary)
