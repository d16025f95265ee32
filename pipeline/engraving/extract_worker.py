"""Extract the rows of pieces from what LilyPond wrote, as a worker within the walls.

A question is a line of JSON, the path of a request (see `extraction`). An answer is a frame of
JSON, the counts or the reason why there are none, then the rows of each table as an Arrow stream.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from pipeline.engraving import pages, staves
from pipeline.engraving.extraction import SCHEMAS
from pipeline.sandbox import worker


def rows(request: dict, folder: Path) -> dict:
    """The rows of a request, by table, and its counts."""
    if request["layout"] == "staves":
        return staves.rows(request["piece_id"], folder, request["name"], request["melody"])
    return pages.rows(request["piece_id"], folder, request["score"])


def number_passes(notes: list[dict]) -> None:
    """Count for each note (row of NOTES, in order) how often its notehead has sounded by then."""
    sounded: Counter[int] = Counter()
    for note in notes:
        notehead = note["notehead_id"]
        sounded[notehead] += 1
        note["pass"] = None if notehead is None else sounded[notehead]


def answer(
    request: dict, folder: Path, rows: Callable[[dict, Path], dict]
) -> tuple[dict, list[pa.RecordBatch]]:
    """What an answer says: {"counts"} with the rows by table, or {"reason"} without any.

    MemoryError is passed on; all else that is raised says that what the score wrote cannot be read,
    since a score is a program and may write whatever it likes.
    """
    empty = [pa.RecordBatch.from_pylist([], schema) for schema in SCHEMAS.values()]
    try:
        found = rows(request, folder)
    except MemoryError:
        raise
    except ValueError as error:
        return {"reason": str(error)}, empty
    except Exception as error:
        reason = f"what it wrote cannot be read ({type(error).__name__}: {error})"
        return {"reason": reason}, empty
    number_passes(found["notes"])
    try:
        packed = [
            pa.RecordBatch.from_pylist(found[kind], schema) for kind, schema in SCHEMAS.items()
        ]
    except (ValueError, TypeError, OverflowError) as error:
        return {"reason": f"what it wrote fits no column ({error})"}, empty
    return {"counts": {name: value for name, value in found.items() if name not in SCHEMAS}}, packed


def _stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def serve(rows: Callable[[dict, Path], dict]) -> None:
    """Answer questions with what `rows` makes of a request, until there are no more."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    out.write(worker.frame(worker.READY))
    out.flush()
    for line in sys.stdin:
        path = Path(json.loads(line))
        request = json.loads(path.read_text())
        try:
            said, packed = answer(request, path.parent / request["folder"], rows)
            frames = [json.dumps(said).encode(), *map(_stream, packed)]
        except MemoryError:
            os._exit(worker.OUT_OF_MEMORY)
        for content in frames:
            out.write(worker.frame(content))
        out.flush()


if __name__ == "__main__":
    # pretty_midi imports it where it can, which starts programs; nothing is played here.
    sys.modules["fluidsynth"] = None  # type: ignore[assignment]
    from pipeline.engraving import pages, staves

    serve(rows)
