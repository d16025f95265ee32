"""Shards: what training reads. One row a performance, with its staff images, its spectrogram, and
for every sounding onset the frame it falls in and the place where it is printed."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import constants, tables
from pipeline.constants import EXCERPT_FRAMES, FRAMES_AFTER_ONSET, FRAMES_BEFORE_ONSET

BEFORE_RECORDING = f"its {EXCERPT_FRAMES} frames begin before the recording"
BEFORE_STAFF = f"its {EXCERPT_FRAMES} frames begin before the staff"
NOT_LAST = f"another onset within {FRAMES_AFTER_ONSET} frames"


def passes(staves: list[int | None]) -> list[int]:
    """Number the stretches of consecutive notes that are printed on one staff.

    A note without a head belongs to the stretch before it.
    """
    numbers, number, current = [], 0, None
    for staff in staves:
        if staff is not None and staff != current:
            number += current is not None
            current = staff
        numbers.append(number)
    return numbers


def onsets(notes: list[dict], heads: dict[int, dict], rho: float, fps: float) -> dict[str, list]:
    """Columns of SHARDS that describe the onsets of one performance (A 2.1, 3.2).

    An onset is an example where the excerpt that ends FRAMES_AFTER_ONSET frames after it lies
    within the recording and within this pass over its staff, and hears no later onset.
    """
    frames = [constants.onset_frame(note["onset_s"] / rho, fps) for note in notes]
    printed = [heads[note["head_id"]] if note["head_id"] is not None else None for note in notes]
    stretch = passes([head["image"] if head else None for head in printed])
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, frame in zip(stretch, frames, strict=True):
        first.setdefault(number, frame)
        last[number] = frame
    columns = defaultdict(list)
    for index, (note, head, frame) in enumerate(zip(notes, printed, frames, strict=True)):
        reason = note["reason"]
        begin = frame - FRAMES_BEFORE_ONSET
        if reason is None and begin < 0:
            reason = BEFORE_RECORDING
        elif reason is None and begin < first[stretch[index]]:
            reason = BEFORE_STAFF
        elif (
            reason is None
            and index + 1 < len(frames)
            and frames[index + 1] <= frame + FRAMES_AFTER_ONSET
        ):
            reason = NOT_LAST
        columns["note_id"].append(note["note_id"])
        columns["frame"].append(frame)
        columns["image"].append(head["image"] if head else None)
        columns["x"].append(head["x"] if head else None)
        columns["pitch"].append(note["pitch"])
        columns["first_frame"].append(first[stretch[index]])
        columns["last_frame"].append(last[stretch[index]])
        columns["reason"].append(reason)
    return columns


def _by_piece(path: Path, schema: pa.Schema) -> dict[str, list[dict]]:
    grouped = defaultdict(list)
    for row in tables.read(path, schema).to_pylist():
        grouped[row["piece_id"]].append(row)
    return grouped


def shard(
    pieces: Path,
    images: Path,
    systems: Path,
    noteheads: Path,
    notes: Path,
    features: Path,
    out: dict[str, Path],
) -> None:
    """Join the tables of one batch and one set of performances; `out` has a file for each split."""
    split_of = dict(
        zip(*tables.read(pieces, tables.PIECES, ["piece_id", "split"]).to_pydict().values(),
            strict=True)
    )  # fmt: skip
    shown = _by_piece(images, tables.IMAGES)
    lines = _by_piece(systems, tables.SYSTEMS)  # one a staff image
    heads = _by_piece(noteheads, tables.NOTEHEADS)
    sounding = _by_piece(notes, tables.NOTES)
    tables.read(features, tables.FEATURES, ["piece_id"])  # refuses a file of another schema

    def rows(split: str) -> Iterator[dict]:
        for group in pq.ParquetFile(features).iter_batches(batch_size=1):
            piece_id = group["piece_id"][0].as_py()
            if split_of[piece_id] != split:
                continue
            rho, fps = group["rho"][0].as_py(), group["fps"][0].as_py()
            by_id = {head["head_id"]: head for head in heads[piece_id]}
            yield {
                "piece_id": piece_id,
                "split": split,
                "font": group["font"][0].as_py(),
                "rho": rho,
                "fps": fps,
                "bins": group["bins"][0].as_py(),
                "spectrogram": group["spectrogram"][0].values.to_numpy(),
                "images": [row["png"] for row in shown[piece_id]],
                "left": [row["left"] for row in lines[piece_id]],
                "right": [row["right"] for row in lines[piece_id]],
                **onsets(sounding[piece_id], by_id, rho, fps),
            }

    for split, path in out.items():
        tables.write(rows(split), tables.SHARDS, path, row_group=8)
