"""The alignment of a recording with its score: a table, what it says of itself, and its pages.

Every way to align makes one `Alignment`; the page, the video and the exports are made from it.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.replacing import replacing
from pipeline.tables import field as column
from pipeline.tables import read

ABOUT = b"partimento.alignment"  # key of the metadata in a Parquet file
What = Literal["silence", "applause or talk", "not in the score", "cut"]

ALIGNMENT = pa.schema(
    [
        column("time", pa.float64(), "at which the onset is heard in the recording", "s"),
        column("page", pa.int32(), "image that shows the onset, numbered as in the tables"),
        column("system", pa.int32(), "system of the onset, numbered as in the tables"),
        column("bar", pa.string(), "printed number of the bar; null if not known"),
        column(
            "system_bar",
            pa.int16(),
            "if the printed number is not known, which bar of its system it is, from 1; null if not"
            " known either",
        ),
        column("beat", pa.float64(), "from the beginning of the bar; null if unknown", "quarters"),
        column("x", pa.float32(), "centre of the onset's noteheads in the page image", "px"),
        column(
            "y",
            pa.float32(),
            "centre of the onset's noteheads, or of the system if none is known",
            "px",
        ),
        column("pass", pa.int16(), "how often the place has been heard by now, this time counted"),
        column("onset", pa.float64(), "in the printed score; null if not known", "quarter notes"),
        column(
            "note_ids",
            pa.list_(pa.string()),
            "the notes of the onset: ids of the score's file, or numbers of the table of notes",
        ),
        column("notehead_ids", pa.list_(pa.int32()), "their noteheads, numbered as in the tables"),
        column("sureness", pa.float32(), "of the time, 0 to 1"),
    ]
)


@dataclass(frozen=True)
class Span:
    """A part of the recording that is not aligned, in s, and what is heard there.

    `cut` has equal start and end: there the performer leaves out a part of the score.
    """

    start: float
    end: float
    what: What


@dataclass(frozen=True)
class About:
    """What is known of an alignment as a whole.

    Attributes:
        recording: Name of the recording's file.
        duration: Of the recording, in s.
        method: `notes` or `image`.
        route: The way through the score in words: "bars 1-16, 1-16, 17-32".
        unaligned: Parts of the recording that are not aligned, in order.
        sureness: Of the whole alignment, 0 to 1.
        fit: How well recording and score agree; what a number means depends on the method.
        fits: Whether the recording seems to be of this score at all.
        verdict: The same in one sentence for the user.
    """

    recording: str
    duration: float
    method: Literal["notes", "image"]
    route: str
    unaligned: list[Span] = field(default_factory=list)
    sureness: float = 0.0
    fit: float = 0.0
    fits: bool = True
    verdict: str = ""


@dataclass(frozen=True)
class Sheet:
    """What is printed, and what is known of it.

    Attributes:
        pages: PNG bytes of each page; a `page` of ALIGNMENT is an index into them.
        systems: Schema SYSTEMS without the piece.
        noteheads: Schema NOTEHEADS without the piece; no rows if none is known (a scan).
        notes: Schema NOTES without the piece; no rows if none is known.
        title: Of the piece; empty if not known.
        composer: Of the piece; empty if not known.
    """

    pages: list[bytes]
    systems: pa.Table
    noteheads: pa.Table
    notes: pa.Table
    title: str = ""
    composer: str = ""


@dataclass(frozen=True, kw_only=True)
class Alignment(Sheet):
    """A sheet and a recording that is followed in it: all that a page or a video shows.

    Attributes:
        table: Schema ALIGNMENT, a row for each onset in the order heard.
        about: What is known of the alignment as a whole.
        recording: The sound file, or the video, that was followed.
    """

    table: pa.Table
    about: About
    recording: Path


def table(rows: list[dict], about: About) -> pa.Table:
    """A table of schema ALIGNMENT that carries `about` as metadata."""
    made = pa.Table.from_pylist(rows, schema=ALIGNMENT)
    return made.replace_schema_metadata({ABOUT: json.dumps(asdict(about)).encode()})


def about(alignment: pa.Table) -> About:
    """What a table of schema ALIGNMENT says of itself."""
    values = json.loads(alignment.schema.metadata[ABOUT])
    spans = [Span(**span) for span in values.pop("unaligned")]
    return About(unaligned=spans, **values)


def write_parquet(alignment: pa.Table, path: Path | str) -> None:
    """Write the table with its metadata."""
    with replacing(path) as temporary:
        pq.write_table(alignment, temporary, compression="zstd")


def read_parquet(path: Path | str) -> pa.Table:
    """Read a table that `write_parquet` wrote."""
    return read(path, ALIGNMENT)
