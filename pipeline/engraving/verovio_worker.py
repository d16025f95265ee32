"""Engrave scores with Verovio and check what they play, as a worker within the walls: Verovio is a
C++ library that may end its process on a broken score."""

import tempfile
from pathlib import Path


def rows(request: dict, folder: Path) -> dict:
    """The rows of a request (see `verovio_runs`), by table, and its counts.

    Raises:
        ValueError: the piece cannot serve; the message is the reason.
    """
    from pipeline.engraving import verovio_pages
    from pipeline.engraving.looks import Look

    return verovio_pages.rows(
        request["piece_id"],
        folder / request["name"],
        request["repeats"],
        Look(**request["look"]),
        request["parts"],
        sorted(map(str, folder.glob("*.ttf"))),
    )


if __name__ == "__main__":
    tempfile.tempdir = "/nonexistent"  # music21 asks for a folder; there is none to write to
    from pipeline.engraving import verovio_pages  # noqa: F401 - before a question
    from pipeline.engraving.extract_worker import serve
    from pipeline.reading.libraries import partitura

    partitura()
    serve(rows)
