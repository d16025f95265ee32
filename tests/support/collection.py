"""A tiny data set as its tables: three pieces, two splits, one of them with two performances."""

import shutil
from pathlib import Path

from pipeline import tables
from pipeline.describing import croissant
from tests.support import staves

PIECES = {  # piece: split, composer, onsets (s), notes without a notehead
    "waltz": ("train", "Schubert", [0.0, 0.5, 1.0, 1.0, 1.5], 2),
    "march": ("train", "Schumann", [0.0, 1.0, 2.0], 0),
    "fugue": ("test", "Bach", [0.0, 0.25, 0.51, 0.52], 0),
}
LEFT_OUT = {"song": "not for piano: Voice", "duo": "not for piano: Violin", "none": "no score"}
NO_NOTEHEAD = "an ornament: trill"
LICENCE = "CC0"
PLAYED = [("waltz", 1.0), ("waltz", 2.0), ("march", 1.0), ("fugue", 1.0)]  # piece, tempo ratio


def note(piece_id: str, number: int, onset_s: float, unlinked: int) -> dict:
    """A note of half a second; the first `unlinked` of a piece have no notehead."""
    if number < unlinked:
        linked = {"notehead_id": None, "reason": NO_NOTEHEAD}
    else:
        linked = {"notehead_id": number}
    return {"piece_id": piece_id, "onset_s": onset_s, "duration_s": 0.5, **linked}


def write(
    folder: Path,
    failed: dict[str, str] | None = None,
    warnings: dict[str, list[str]] | None = None,
) -> dict[str, list[Path]]:
    """Write the tables that the card reads; gives the files by table.

    `failed` are further pieces and why engraving failed; `warnings` what LilyPond said of others.
    """
    failed, warnings = failed or {}, warnings or {}

    def one(name: str, schema, rows) -> list[Path]:
        path = folder / name / "0.parquet"
        tables.write(rows, schema, path)
        return [path]

    kept = [
        {"piece_id": i, "split": split, "composer": composer, "licence": LICENCE}
        for i, (split, composer, *_) in PIECES.items()
    ]
    others = [{"piece_id": i, "split": "train", "reason": why} for i, why in LEFT_OUT.items()]
    later = [{"piece_id": i, "split": "valid", "licence": LICENCE} for i in failed]
    numbers = {"images": 2, "systems": 6, "noteheads": 10, "notes": 8}
    numbers |= {"off_ink": 1, "midi_frames": 5}
    shards = [
        staves.write_shard(
            folder / "shards" / split / "grand-1.0-0.parquet",
            [
                staves.performance(piece_id, split=split, tempo_ratio=tempo_ratio)
                for piece_id, tempo_ratio in PLAYED
                if PIECES[piece_id][0] == split
            ],
        )
        for split in ("train", "valid", "test")
    ]
    staves.write_shard(folder / "shards/train/grand-1.0-1.parquet", [])  # nothing of it is played
    return {
        "pieces": one("pieces", tables.PIECES, [*kept, *others, *later]),
        "engraved": one(
            "engraved",
            tables.ENGRAVED,
            [{"piece_id": i, **numbers, "warnings": warnings.get(i, [])} for i in PIECES]
            + [{"piece_id": i, "reason": why} for i, why in failed.items()],
        ),
        "notes": one(
            "notes",
            tables.NOTES,
            [
                note(i, number, onset_s, unlinked)
                for i, (_, _, onsets, unlinked) in PIECES.items()
                for number, onset_s in enumerate(onsets)
            ],
        ),
        "performances": one(
            "performances",
            tables.PERFORMANCES,
            [
                {"piece_id": i, "tempo_ratio": tempo_ratio, "duration_s": 720.0}
                for i, tempo_ratio in PLAYED
            ],
        ),
        "shards": shards,
    }


def describe(folder: Path, shards: list[Path]) -> None:
    """Write the Croissant description of a run with these shards, as it does at its end."""
    records = croissant.Records("all", tables.SHARDS, "shards/*/*.parquet", shards)
    croissant.write(folder.name, [records], [], folder / "croissant.json")


def fewer_chunks(folder: Path) -> None:
    """Make a collection of one chunk that of a run after one with two: chunk 1, whose pieces are in
    chunk 0 now, stays, and the description lists the shards of chunk 0."""
    for path in sorted(folder.glob("*/0.parquet")):
        shutil.copy(path, path.with_name("1.parquet"))
    shards = sorted(folder.glob("shards/*/*-0.parquet"))
    describe(folder, shards or [staves.write_shard(folder / "shards/test/grand-1.0-0.parquet", [])])
