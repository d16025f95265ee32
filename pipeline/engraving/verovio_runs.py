"""Have pieces engraved by Verovio, by a worker within the walls."""

import dataclasses
from pathlib import Path

import pyarrow as pa

from pipeline.engraving import extraction, text_fonts
from pipeline.engraving.looks import Look
from pipeline.sandbox import worker

SECONDS = 300  # a piece; a movement of 5,000 notes takes five
PACKAGES = ("music21", "numpy", "partitura", "PIL", "pyarrow", "resvg_py", "verovio")


def start(folder: Path) -> worker.Worker:
    """A worker that engraves the scores that are put into this folder."""
    return worker.Worker("pipeline.engraving.verovio_worker", PACKAGES, folder, SECONDS)


def engrave(
    engraver: worker.Worker, piece_id: str, file: dict, repeats: str, look: Look, parts: str | list
) -> tuple[dict[str, pa.Table], dict] | str:
    """Engrave a piece.

    Args:
        engraver: from `start`.
        piece_id: of the piece.
        file: its score, {name, text}.
        repeats: `unfold` or `once`.
        look: what its pages look like.
        parts: `all`, `piano`, or names or numbers of parts.

    Returns:
        Its rows by table, and the counts; or the reason why there are none.

    Raises:
        OSError: if the worker cannot be started.
    """
    for name in (text_fonts.TEXT, look.music_font):
        text_fonts.unpack(name, engraver.folder)
    (engraver.folder / file["name"]).write_text(file["text"])
    found = extraction.extract(
        engraver,
        piece_id=piece_id,
        folder=".",
        name=file["name"],
        repeats=repeats,
        look=dataclasses.asdict(look),
        parts=parts,
    )
    if isinstance(found, str):
        return found.replace(f"{extraction.UNREADABLE}: ", "Verovio, or a second reader: ", 1)
    return found
