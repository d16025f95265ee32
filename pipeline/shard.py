"""Shards: what training reads. One row a performance, with its staff images, its spectrogram, and
for every sounding onset the frame it falls in and the place where it is printed."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import constants, sources, tables
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
    stretch = passes([head["staff"] if head else None for head in printed])
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
        columns["image"].append(head["staff"] if head else None)
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
    pieces: Path, staves: Path, noteheads: Path, notes: Path, features: Path, out: dict[str, Path]
) -> None:
    """Join the tables of one batch and one set of performances; `out` has a file for each split."""
    split_of = dict(
        zip(*tables.read(pieces, tables.PIECES, ["piece_id", "split"]).to_pydict().values(),
            strict=True)
    )  # fmt: skip
    images = _by_piece(staves, tables.STAVES)
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
                "images": [row["image"] for row in images[piece_id]],
                "left": [row["left"] for row in images[piece_id]],
                "right": [row["right"] for row in images[piece_id]],
                **onsets(sounding[piece_id], by_id, rho, fps),
            }

    for split, path in out.items():
        tables.write(rows(split), tables.SHARDS, path, row_group=8)


def _reasons(paths: list[Path], schema: pa.Schema) -> list[tuple[str, str | None]]:
    """(piece_id, reason) of every row of a table that has these columns."""
    found = []
    for path in paths:
        table = tables.read(path, schema, ["piece_id", "reason"])
        found += zip(*table.to_pydict().values(), strict=True)
    return found


def _kind(reason: str) -> str:
    """A reason without its particulars, to be counted with others of its kind."""
    return reason.split(" (")[0].split(":")[0]


def _table(head: tuple[str, ...], rows: list[tuple]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(f"{c:,}" if isinstance(c, int) else str(c) for c in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def card(
    pieces: list[Path],
    engraved: list[Path],
    performances: list[Path],
    shards: list[Path],
    max_failures: float,
    name: str,
    out: Path,
) -> None:
    """Write the data-set card: counts by split, and what was left out at each stage and why.

    Raises ValueError where more than the share `max_failures` of the selected pieces failed later.
    """
    selected = _reasons(pieces, tables.PIECES)
    kept = {piece_id for piece_id, reason in selected if reason is None}
    failed = {
        piece_id: reason
        for stage in (
            _reasons(engraved, tables.ENGRAVED),
            _reasons(performances, tables.PERFORMANCES),
        )
        for piece_id, reason in stage
        if reason is not None
    }
    if not kept:
        raise ValueError(f"{name}: no piece was kept; the reasons: {_count(selected)}")
    if len(failed) > max_failures * len(kept):
        raise ValueError(
            f"{name}: {len(failed)} of {len(kept)} pieces failed, more than max_failures "
            f"({max_failures:.0%}) allows; the reasons: {_count(failed.items())}"
        )

    licences = Counter()
    for path in pieces:
        table = tables.read(path, tables.PIECES, ["licence", "reason"]).to_pydict()
        licences.update(
            licence
            for licence, reason in zip(table["licence"], table["reason"], strict=True)
            if reason is None
        )
    counts: dict[str, Counter] = {split: Counter() for split in sources.SPLITS}
    dropped: Counter = Counter()
    pieces_of: dict[str, set] = defaultdict(set)
    for path in shards:
        file = pq.ParquetFile(path)
        columns = ["piece_id", "split", "reason", "frame", "fps", "images"]
        for group in file.iter_batches(batch_size=64, columns=columns):
            for row in group.to_pylist():
                count = counts[row["split"]]
                if row["piece_id"] not in pieces_of[row["split"]]:
                    pieces_of[row["split"]].add(row["piece_id"])
                    count["staves"] += len(row["images"])
                count["performances"] += 1
                count["onsets"] += len(row["reason"])
                count["examples"] += row["reason"].count(None)
                dropped.update(reason for reason in row["reason"] if reason)
    for split in sources.SPLITS:
        counts[split]["pieces"] = len(pieces_of[split])
    measures = ("pieces", "staves", "performances", "onsets", "examples")
    licence = "; ".join(f"{licence} ({number} pieces)" for licence, number in licences.items())
    left_out = Counter(_kind(reason) for _, reason in selected if reason)
    front = {
        "pretty_name": f"Partimento {name}",
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": "validation" if s == "valid" else s, "path": f"{s}/*.parquet"}
                    for s in sources.SPLITS
                ],
            }
        ],
    }
    text = f"""---
{json.dumps(front, indent=1)}
---
# {name}: aligned audio and staff images

One row a performance (a piece, a sound font, a tempo ratio). Units and meanings stand in the
metadata of each Parquet column. Licence of the scores: {licence}.

{_table(("", *sources.SPLITS), [(m, *(counts[s][m] for s in sources.SPLITS)) for m in measures])}

An onset is an example where its excerpt ({EXCERPT_FRAMES} frames, the last {FRAMES_AFTER_ONSET} of
them after the onset) lies within the recording and within this pass over its staff, and where it
is the last onset that the excerpt hears. The others stay in the shards with the reason.

{_table(("onsets that are no example", "number"), dropped.most_common())}

{_table(("pieces left out in selection", "number"), left_out.most_common())}

{_table(("pieces that failed later", "reason"), sorted(failed.items()))}
"""
    with tables.replacing(out) as temporary:
        temporary.write_text(text)


def _count(reasons) -> str:
    counted = Counter(_kind(reason) for _, reason in reasons if reason)
    return "; ".join(f"{reason} ({number})" for reason, number in counted.most_common(5))
