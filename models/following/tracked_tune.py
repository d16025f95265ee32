"""Show a tune that was tracked staff by staff as a video: its staves and a running cursor."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.following import alignment
from models.following.alignment import About, Alignment
from models.following.video import write_video
from models.score_following.track import TRACKS, Tune, read_tunes
from pipeline import tables
from pipeline.constants import STAFF_HEIGHT_PX, STAFF_WIDTH_PX, WHITE
from pipeline.engraving import svg

GAP_PX = 30  # between two staves
STAVES_A_PAGE = 4  # wide enough to fill a picture; longer tunes have pages to turn


def tracking_video(
    tracks: Path, shards: list[Path], recording: Path, out: Path, *, way: str = "tracked"
) -> None:
    """Write the video of a recording that `track` followed.

    Args:
        tracks: Parquet table that `track` wrote.
        shards: Parquet shards that it followed.
        recording: The sound file of one of its tunes, named after the piece.
        out: MP4 file to write; needs ffmpeg.
        way: `tracked`, `arg-max`, `oracle` or `truth`.

    Raises:
        ValueError: if the piece was not followed, or ffmpeg is missing.
    """
    moments = tables.read(tracks, TRACKS)
    moments = moments.filter((pc.field("piece_id") == recording.stem) & (pc.field("way") == way))
    tune = next((t for t in read_tunes(shards) if t.piece_id == recording.stem), None)
    if tune is None or not moments.num_rows:
        raise ValueError(f"{recording}: no tune of this name was followed; see {tracks}")
    write_video(as_alignment(tune, moments, recording), out)


def as_alignment(tune: Tune, moments: pa.Table, recording: Path) -> Alignment:
    """The staves of a tune on pages, and the positions at each moment.

    Args:
        tune: From `read_tunes`.
        moments: Rows of TRACKS of one way.
        recording: Its sound file.
    """
    step = STAFF_HEIGHT_PX + GAP_PX
    shown = min(len(tune.images), STAVES_A_PAGE)
    tops = [GAP_PX + step * (number % shown) for number in range(len(tune.images))]
    count = 1 + (len(tune.images) - 1) // shown
    pages = np.full((count, GAP_PX + step * shown, STAFF_WIDTH_PX), WHITE, np.uint8)
    for number, (top, image) in enumerate(zip(tops, tune.images, strict=True)):
        pages[number // shown, top : top + STAFF_HEIGHT_PX] = image
    systems = [
        {
            "system": number,
            "image": number // shown,
            "left": float(tune.left[number]),
            "right": float(tune.right[number]),
            "top": [top + STAFF_HEIGHT_PX * 0.3],
            "bottom": [top + STAFF_HEIGHT_PX * 0.7],
        }
        for number, top in enumerate(tops)
    ]
    rows = [
        {
            "time": row["time"],
            "page": row["image"] // shown,
            "system": row["image"],
            "x": row["x"],
            "y": tops[row["image"]] + STAFF_HEIGHT_PX / 2,
            "pass": 1,
            "note_ids": [],
            "notehead_ids": [],
            "sureness": 1.0,
        }
        for row in moments.to_pylist()
    ]
    about = About(recording.name, rows[-1]["time"], "image", "", sureness=1.0, fit=1.0)
    return Alignment(
        table=alignment.table(rows, about),
        about=about,
        recording=recording,
        pages=[svg.png(page) for page in pages],
        systems=pa.Table.from_pylist(systems, tables.without_piece(tables.SYSTEMS)),
        noteheads=tables.without_piece(tables.NOTEHEADS).empty_table(),
        notes=tables.without_piece(tables.NOTES).empty_table(),
        title=tune.piece_id,
    )
