"""Shards: what training reads. One row a performance, with its images, its spectrogram, and for
its onsets the frame they fall in and the place where they are printed.

A tune keeps its staff images and an entry for every onset (A 2.1). A piece on pages becomes one
strip, with one entry for every frame in which a printed note begins (B 3.2).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import constants, images, strips, tables
from pipeline.constants import EXCERPT_FRAMES, FRAMES_AFTER_ONSET, FRAMES_BEFORE_ONSET
from pipeline.engraving import svg

BEFORE_RECORDING = f"its {EXCERPT_FRAMES} frames begin before the recording"
BEFORE_STAFF = f"its {EXCERPT_FRAMES} frames begin before the staff"
NOT_LAST = f"another onset within {FRAMES_AFTER_ONSET} frames"
RHO_DECIMALS = 6  # that single precision holds; restores the ratio that was played


def passes(staves: list[int | None]) -> list[int]:
    """Number the runs of consecutive notes that are printed on one staff.

    A note without a head belongs to the run before it.
    """
    numbers, number, current = [], 0, None
    for staff in staves:
        if staff is not None and staff != current:
            number += current is not None
            current = staff
        numbers.append(number)
    return numbers


def staff_onsets(
    notes: list[dict], heads: dict[int, dict], tempo_ratio: float, fps: float
) -> dict[str, list]:
    """Columns of SHARDS that describe the onsets of one performance of a tune (A 2.1, 3.2).

    An onset is an example where the excerpt that ends FRAMES_AFTER_ONSET frames after it lies
    within the recording and within this pass over its staff, and hears no later onset.
    """
    onsets = [note["onset_s"] / tempo_ratio for note in notes]
    frames = [constants.onset_frame(onset_s, fps) for onset_s in onsets]
    printed = [
        heads[note["notehead_id"]] if note["notehead_id"] is not None else None for note in notes
    ]
    run = passes([head["image"] if head else None for head in printed])
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, frame in zip(run, frames, strict=True):
        first.setdefault(number, frame)
        last[number] = frame
    columns = defaultdict(list)
    for index, (note, head, frame) in enumerate(zip(notes, printed, frames, strict=True)):
        reason = note["reason"]
        begin = frame - FRAMES_BEFORE_ONSET
        if reason is None and begin < 0:
            reason = BEFORE_RECORDING
        elif reason is None and begin < first[run[index]]:
            reason = BEFORE_STAFF
        elif (
            reason is None
            and index + 1 < len(frames)
            and frames[index + 1] <= frame + FRAMES_AFTER_ONSET
        ):
            reason = NOT_LAST
        columns["note_id"].append(note["note_id"])
        columns["onset_s"].append(onsets[index])
        columns["frame"].append(frame)
        columns["image"].append(head["image"] if head else None)
        columns["x"].append(head["x"] if head else None)
        columns["pitch"].append(note["pitch"])
        columns["moment"].append(head["moment"] if head else None)
        columns["first_frame"].append(first[run[index]])
        columns["last_frame"].append(last[run[index]])
        columns["reason"].append(reason)
    return columns


def strip_onsets(
    notes: list[dict],
    heads: dict[int, dict],
    shifts: dict[int, int],
    tempo_ratio: float,
    fps: float,
) -> dict[str, list]:
    """Columns of SHARDS that describe the onsets of one performance of a piece on pages (B 3.2).

    A frame has one entry at most: of the printed notes that begin in it the earliest, of several
    at once the highest. Notes with a reason, such as an unsure time, have none. `shifts` brings
    each system's x from its page into the strip (px). Whether an entry lies far enough from the
    ends for a network's windows is left to training.
    """
    printed = [
        note for note in notes if note["notehead_id"] is not None and note.get("reason") is None
    ]
    chosen: dict[int, dict] = {}
    for note in sorted(printed, key=lambda note: (note["onset_s"], -note["pitch"])):
        chosen.setdefault(constants.onset_frame(note["onset_s"] / tempo_ratio, fps), note)
    frames = list(chosen)
    shown = [heads[note["notehead_id"]] for note in chosen.values()]
    return {
        "note_id": [note["note_id"] for note in chosen.values()],
        "onset_s": [note["onset_s"] / tempo_ratio for note in chosen.values()],
        "frame": frames,
        "image": [0] * len(frames),
        "x": [head["x"] + shifts[head["system"]] for head in shown],
        "pitch": [note["pitch"] for note in chosen.values()],
        "first_frame": frames[:1] * len(frames),
        "last_frame": frames[-1:] * len(frames),
        "reason": [None] * len(frames),
        "moment": [head["moment"] for head in shown],
    }


@dataclass(frozen=True)
class _Performance:
    """A piece as the tables show it, and when it was played."""

    images: list[dict]
    systems: list[dict]
    heads: dict[int, dict]
    notes: list[dict]  # rows of NOTES, or onsets of the recording
    tempo_ratio: float  # that their times are to be divided by
    fps: float


def _staves(played: _Performance) -> dict[str, list]:
    """Columns of SHARDS that hold the staff images of a tune and its onsets."""
    return {
        "images": [row["png"] for row in played.images],
        "left": [row["left"] for row in played.systems],
        "right": [row["right"] for row in played.systems],
        **staff_onsets(played.notes, played.heads, played.tempo_ratio, played.fps),
    }


def _strip(played: _Performance) -> dict[str, list] | None:
    """Columns of SHARDS that hold the strip of a piece and its onsets; None for an empty strip."""
    pages = [images.grey(row["png"]) for row in played.images]
    pixels, shifts = strips.strip(pages, played.systems)
    if not pixels.size:
        return None
    return {
        "images": [svg.png(pixels)],
        "left": [0],
        "right": [pixels.shape[1]],
        **strip_onsets(played.notes, played.heads, shifts, played.tempo_ratio, played.fps),
    }


def _by_piece(path: Path, schema: pa.Schema) -> dict[str, list[dict]]:
    grouped = defaultdict(list)
    for row in tables.read(path, schema).to_pylist():
        grouped[row["piece_id"]].append(row)
    return grouped


def _recorded(performances: Path) -> Iterator[dict]:
    """The performances that have a recording, as FEATURES has them, one at a time."""
    tables.read(performances, tables.PERFORMANCES, columns=[])
    columns = ["piece_id", "performer", "room", "onsets", "reason"]
    for group in pq.ParquetFile(performances).iter_batches(1, columns=columns):
        (row,) = group.to_pylist()
        if row["reason"] is None:
            yield row


def shard(
    pieces: Path,
    images: Path,
    systems: Path,
    noteheads: Path,
    notes: Path,
    performances: Path,
    features: Path,
    layout: Literal["staves", "pages"],
    out: dict[str, Path],
    *,
    shared_works: Path | None = None,
    kept_apart: Path | None = None,
) -> None:
    """Join the tables of a chunk and one set of performances into shards, which training reads.

    Pieces without a system are skipped. Systems too tall for a strip are cut, and reported.

    Args:
        pieces: Parquet table of PIECES.
        images: Parquet table of IMAGES.
        systems: Parquet table of SYSTEMS.
        noteheads: Parquet table of NOTEHEADS.
        notes: Parquet table of NOTES.
        performances: Parquet table of PERFORMANCES, for when notes sound and where.
        features: Parquet table of FEATURES.
        layout: What the images show: single staves, or pages, which are cut into one strip.
        out: Parquet files to write, by split (--out.train FILE --out.valid FILE ...).
        shared_works: Parquet table of SHARED_WORKS; extra pieces that it does not list become
            training pieces.
        kept_apart: Such a table, too; training pieces that it lists become extra ones. Without
            these two all stay in their splits.
    """
    known = tables.read(pieces, tables.PIECES, ["piece_id", "split"]).to_pylist()
    split_of = {row["piece_id"]: row["split"] for row in known}
    for table, before, after in ((shared_works, "extra", "train"), (kept_apart, "train", "extra")):
        if table is not None:
            listed = set(tables.read(table, tables.SHARED_WORKS)["piece_id"].to_pylist())
            for piece_id, split in split_of.items():
                if split == before and (piece_id in listed) == (after == "extra"):
                    split_of[piece_id] = after
    shown = _by_piece(images, tables.IMAGES)
    lines = _by_piece(systems, tables.SYSTEMS)
    heads = _by_piece(noteheads, tables.NOTEHEADS)
    sounding = _by_piece(notes, tables.NOTES)
    heard = tables.read(features, tables.FEATURES, ["piece_id"])["piece_id"].to_pylist()
    splits = {split_of[piece_id] for piece_id in heard}
    columns_of: Callable[[_Performance], dict | None]
    columns_of = {"staves": _staves, "pages": _strip}[layout]

    def rows(split: str) -> Iterator[dict]:
        for group, about in zip(
            pq.ParquetFile(features).iter_batches(batch_size=1),
            _recorded(performances),
            strict=True,
        ):
            piece_id, performer = group["piece_id"][0].as_py(), group["performer"][0].as_py()
            if (piece_id, performer) != (about["piece_id"], about["performer"]):
                raise ValueError(f"{features}: not the features of {performances}")
            if split_of[piece_id] != split:
                continue
            tempo_ratio, fps = group["tempo_ratio"][0].as_py(), group["fps"][0].as_py()
            if (own := about["onsets"]) is None:
                played = sounding[piece_id], round(tempo_ratio, RHO_DECIMALS)
            else:
                played = [onset for onset in own if onset["onset_s"] is not None], 1.0
            performance = _Performance(
                shown[piece_id],
                lines[piece_id],
                {head["notehead_id"]: head for head in heads[piece_id]},
                *played,
                fps,
            )
            columns = columns_of(performance)
            if columns is None:
                continue
            if own is None:
                del columns["moment"]
            yield {
                "piece_id": piece_id,
                "split": split,
                "font": group["font"][0].as_py(),
                "tempo_ratio": tempo_ratio,
                "fps": fps,
                "bins": group["bins"][0].as_py(),
                "spectrogram": group["spectrogram"][0].values.to_numpy(),
                "performer": performer,
                "room": about["room"],
                **columns,
            }

    for split, path in out.items():
        tables.write(rows(split) if split in splits else [], tables.SHARDS, path, row_group=8)
