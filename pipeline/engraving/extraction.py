"""Have the rows of a piece extracted from what LilyPond wrote, by a worker within the walls."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import tables
from pipeline.sandbox import confined, lilypond, worker

SECONDS = 300  # a piece; the longest take ten
PACKAGES = ("lilypond", "numpy", "PIL", "pyarrow", "resvg_py")
UNREADABLE = "what it wrote cannot be read"
REQUEST = "request.json"  # in the folder that the worker may read
SCHEMAS = {
    "images": tables.IMAGES,
    "systems": tables.SYSTEMS,
    "noteheads": tables.NOTEHEADS,
    "notes": tables.NOTES,
}


def start(folder: Path) -> worker.Worker:
    """A worker that extracts pieces from what was compiled in folders below this one."""
    program = Path(lilypond.program())
    home = program.resolve().parents[1]
    return worker.Worker(
        "pipeline.engraving.extract_worker",
        PACKAGES,
        folder,
        SECONDS,
        {home: home},
        {"PATH": f"{program.parent}:{confined.ENVIRONMENT['PATH']}"},
    )


def extract(extractor: worker.Worker, **request) -> tuple[dict[str, pa.Table], dict] | str:
    """Extract a piece.

    Args:
        extractor: from `start`.
        request: `piece_id`; the `folder` in which it was compiled, relative to the worker's;
            `layout`; and `name` and `melody` of a tune, or the `score` of pages.

    Returns:
        Its rows by table, and the counts; or the reason why there are none.

    Raises:
        OSError: if the worker cannot be started.
    """
    (extractor.folder / REQUEST).write_text(json.dumps(request))
    path = confined.seen(extractor.folder / REQUEST, confined.INSIDE / REQUEST)
    answer = extractor.ask(json.dumps(str(path)), 1 + len(SCHEMAS))
    if isinstance(answer, str):
        return f"{UNREADABLE}: {answer}"
    try:
        said = json.loads(answer[0])
        if "reason" in said:
            return str(said["reason"])
        found = {
            kind: _table(content, schema, request["piece_id"])
            for content, (kind, schema) in zip(answer[1:], SCHEMAS.items(), strict=True)
        }
        counts = {str(name): number for name, number in said["counts"].items()}
        row = {"piece_id": request["piece_id"]} | counts
        pa.RecordBatch.from_pylist([row], tables.ENGRAVED)
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError) as error:
        return f"{UNREADABLE} ({error})"
    return found, counts


def _table(content: bytes, schema: pa.Schema, piece_id: str) -> pa.Table:
    """The rows of a frame. Raises ValueError unless they are valid, and of this piece."""
    with pa.ipc.open_stream(content) as stream:
        table = stream.read_all()
    table.validate(full=True)
    if not table.schema.equals(schema):
        raise ValueError("its rows have other columns")
    if pc.unique(table["piece_id"]).to_pylist() not in ([], [piece_id]):
        raise ValueError("its rows are of another piece")
    return table.replace_schema_metadata(schema.metadata)
