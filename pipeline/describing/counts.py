"""Count by split what a data set holds. Only the columns needed are read, one file at a time."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import tables
from pipeline.reading.recording_files import RECORDINGS

SECONDS_PER_HOUR = 3600
ENGRAVED = [field.name for field in tables.ENGRAVED if field.type == pa.int32()]  # numbers
NOT_STATED = "not stated"
By = dict[str, Counter]  # split -> what is counted -> number


@dataclass(frozen=True)
class Scores:
    """What the scores of a data set hold, by split.

    Attributes:
        numbers: Pieces, composers, hours, aligned pairs, and the numbers of ENGRAVED.
        composers: Pieces by composer.
        licences: Pieces by licence.
        unlinked: Notes without a notehead, by reason.
        complaints: Pieces by what LilyPond complained of.
    """

    numbers: By
    composers: By
    licences: By
    unlinked: By
    complaints: By


def kind(reason: str) -> str:
    """The part of a reason that others of its kind share: up to the first colon or bracket."""
    return reason.split(" (")[0].split(":")[0]


def _frames(paths: list[Path], schema: pa.Schema, columns: list[str]) -> Iterator[pd.DataFrame]:
    for path in paths:
        yield tables.read(path, schema, columns).to_pandas()


def reasons(paths: list[Path], schema: pa.Schema) -> dict[str, str | None]:
    """The reason of every piece of a table that has this column; None for pieces without.

    If only some performances of a piece have a reason, the piece has it. Recordings of people, with
    which nothing can be wrong but they themselves, do not count.
    """
    found: dict[str, str | None] = {}
    performed = ["font"] if schema == tables.PERFORMANCES else []
    for frame in _frames(paths, schema, ["piece_id", "reason", *performed]):
        if performed:
            frame = frame[frame["font"] != RECORDINGS]
        for piece_id, reason in zip(frame["piece_id"], frame["reason"], strict=True):
            found[piece_id] = reason if isinstance(reason, str) else found.get(piece_id)
    return found


def splits(paths: list[Path], schema: pa.Schema) -> dict[str, str]:
    """The split of every piece of PIECES or SHARDS."""
    found: dict[str, str] = {}
    for frame in _frames(paths, schema, ["piece_id", "split"]):
        found |= zip(frame["piece_id"], frame["split"], strict=True)
    return found


def scores(
    split_of: dict[str, str], pieces: list[Path], engraved: list[Path], notes: list[Path]
) -> Scores:
    """Count the scores of the pieces in `split_of` (split by piece id)."""
    composers: By = defaultdict(Counter)
    licences: By = defaultdict(Counter)
    unlinked: By = defaultdict(Counter)
    complaints: By = defaultdict(Counter)
    numbers: By = defaultdict(Counter)

    def grouped(paths, schema, columns):
        for frame in _frames(paths, schema, ["piece_id", *columns]):
            frame["split"] = frame["piece_id"].map(split_of)
            yield from frame[frame["split"].notna()].groupby("split")

    for split, rows in grouped(pieces, tables.PIECES, ["composer", "licence"]):
        numbers[split]["pieces"] += len(rows)
        composers[split].update(rows["composer"].replace("", None).fillna(NOT_STATED))
        licences[split].update(rows["licence"].replace("", None).fillna(NOT_STATED))
    for split, rows in grouped(engraved, tables.ENGRAVED, [*ENGRAVED, "warnings"]):
        sums = rows[ENGRAVED].sum(min_count=1).dropna()  # null if nothing was checked
        numbers[split].update(sums.astype(int).to_dict())
        for warnings in rows["warnings"].dropna():
            complaints[split].update(set(map(kind, warnings)))
    for split, rows in grouped(
        notes, tables.NOTES, ["onset_s", "duration_s", "notehead_id", "reason"]
    ):
        ends = (rows["onset_s"] + rows["duration_s"]).groupby(rows["piece_id"]).max()
        hours = float(ends.sum()) / SECONDS_PER_HOUR
        numbers[split]["hours"] += hours  # type: ignore[assignment]  # not a whole number
        numbers[split]["aligned"] += int(rows["notehead_id"].notna().sum())
        unlinked[split].update(map(kind, rows["reason"].dropna()))
    for split, of_split in composers.items():
        numbers[split]["composers"] = len(of_split)
    return Scores(numbers, composers, licences, unlinked, complaints)


def played_by_people(performances: list[Path], recorded: bool) -> Counter:
    """Notes in performances by people that are no pairs of note and notehead, by reason.

    Args:
        performances: Tables of performances.
        recorded: Count the recordings of people; else what was played from match files.
    """
    found: Counter = Counter()
    for path in performances:
        table = tables.read(path, tables.PERFORMANCES, ["font", "performer", "onsets"])
        alike = pc.equal(pc.equal(pc.fill_null(table["font"], ""), RECORDINGS), recorded)
        chosen = table.filter(pc.and_(pc.is_valid(table["performer"]), alike))
        onsets = pc.list_flatten(chosen["onsets"])
        for reason in pc.value_counts(pc.struct_field(onsets, "reason")).to_pylist():
            if reason["values"] is not None:
                found[kind(reason["values"])] += reason["counts"]
    return found


def recordings(performances: list[Path]) -> pd.DataFrame:
    """The recordings of people: piece_id, performer, and reason if one was left out."""
    columns = ["piece_id", "performer", "reason"]
    frames = _frames(performances, tables.PERFORMANCES, ["font", *columns])
    found = [frame.loc[frame["font"] == RECORDINGS, columns] for frame in frames]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)


def performances(
    split_of: dict[str, str], performances: list[Path], shards: list[Path]
) -> tuple[By, Counter]:
    """Performances, their hours, onsets and examples by split, and why the other onsets are not
    training examples."""
    numbers: By = defaultdict(Counter)
    others: Counter = Counter()
    for frame in _frames(performances, tables.PERFORMANCES, ["piece_id", "duration_s"]):
        seconds = frame["duration_s"].groupby(frame["piece_id"].map(split_of)).sum()
        for split, total in seconds.items():
            hours = float(total) / SECONDS_PER_HOUR
            numbers[split]["hours_played"] += hours  # type: ignore[assignment]  # as above
    known = pa.array(list(split_of), pa.string())
    for path in shards:
        table = tables.read(path, tables.SHARDS, ["piece_id", "split", "frame", "reason"])
        table = table.filter(pc.is_in(table["piece_id"], known))
        for split in pc.unique(table["split"]).to_pylist():
            rows = table.filter(pc.equal(table["split"], split))
            why = pd.Series(pc.list_flatten(rows["reason"]).to_pylist(), dtype=object)
            numbers[split]["performances"] += rows.num_rows
            numbers[split]["onsets"] += pc.sum(pc.list_value_length(rows["frame"])).as_py() or 0
            numbers[split]["examples"] += int(why.isna().sum())
            others.update(why.dropna())
    return numbers, others
