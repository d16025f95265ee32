"""Excerpts that sound the same elsewhere on their staff: `python -m benchmarks.ambiguity`.

`python -m benchmarks.ambiguity DATA PREDICTIONS` takes a collection of tunes that the workflow made
(by default what `make` leaves) and the predictions of a network. Where two passages of a staff have
the same notes in the same rhythm within an excerpt, no network can tell them apart. The script
prints what share of the notes the best guess finds then, by length of the excerpt, and how many of
a network's far errors are at a passage that sounds the same.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from pipeline.constants import (
    BUCKET_PX,
    BUCKETS,
    EXCERPT_FRAMES,
    FRAMES_AFTER_ONSET,
    SCORE_FOLLOWING,
)

DATA = "results/data/tunes"
PREDICTIONS = "results/predictions/score_following/PT.parquet"
LENGTHS = (EXCERPT_FRAMES, 72, 160)  # frames of an excerpt; the networks hear the first
COLUMNS = ["piece_id", "frame", "image", "x", "pitch", "reason", "note_id"]
SLACK_FRAMES = 1  # rounding of an onset to frames
Sound = tuple[tuple[int, int], ...]


def heard(frames: list[int], pitches: list[int], target: int, length: int) -> Sound:
    """Pitch and time of the notes that begin in the excerpt of an onset; times from the last."""
    first = frames[target] + FRAMES_AFTER_ONSET + 1 - length
    return tuple(
        (pitches[index], frames[target] - frames[index])
        for index in range(target, -1, -1)
        if frames[index] >= first
    )


def same(a: Sound, b: Sound) -> bool:
    """Whether two excerpts hold the same notes in the same rhythm."""
    return len(a) == len(b) and all(
        pitch == other and abs(time - when) <= SLACK_FRAMES
        for (pitch, time), (other, when) in zip(a, b, strict=True)
    )


def staves(data: Path, split: str) -> Iterator[list[dict]]:
    """The examples of each staff of a split, with what is heard by length of the excerpt."""
    for path in sorted(data.glob(f"shards/{split}/*.parquet")):
        for row in pq.read_table(path, columns=COLUMNS).to_pylist():
            by_staff = defaultdict(list)
            for index, reason in enumerate(row["reason"]):
                if reason is None:
                    by_staff[row["image"][index]].append(
                        {
                            "piece_id": row["piece_id"],
                            "note_id": row["note_id"][index],
                            "x": row["x"][index],
                            "bucket": int(row["x"][index] // BUCKET_PX),
                            **{n: heard(row["frame"], row["pitch"], index, n) for n in LENGTHS},
                        }
                    )
            yield from by_staff.values()


def best_guess(notes: list[dict], length: int) -> tuple[int, int]:
    """How many notes of a staff one bucket for all that sound the same finds at most.

    Exactly, and to the neighbouring bucket; each by the bucket that is best for it.
    """
    exact, near, left = 0, 0, list(notes)
    while left:
        alike = [note for note in left if same(note[length], left[0][length])]
        left = [note for note in left if not same(note[length], left[0][length])]
        counts = Counter(note["bucket"] for note in alike)
        exact += max(counts.values())
        near += max(sum(counts[b + d] for d in (-1, 0, 1)) for b in range(BUCKETS))
    return exact, near


def far_errors(notes: list[dict], predicted: dict[tuple, float]) -> tuple[int, int]:
    """Errors of more than a bucket on a staff, and those at a passage that sounds the same."""
    far = alike = 0
    for note in notes:
        guess = predicted.get((note["piece_id"], note["note_id"]))
        if guess is None or abs(guess - note["x"]) <= BUCKET_PX:
            continue
        far += 1
        alike += any(
            abs(guess - other["x"]) <= BUCKET_PX
            and same(note[EXCERPT_FRAMES], other[EXCERPT_FRAMES])
            for other in notes
        )
    return far, alike


def main() -> None:
    given = [*sys.argv[1:], *(DATA, PREDICTIONS)[len(sys.argv[1:]) :]]
    data, predictions = map(Path, given)
    for split in ("train", "valid", "test"):
        held = list(staves(data, split))
        count = sum(map(len, held))
        if not count:
            print(f"{data}: no shards of the split {split}; run `make` first, or name others")
            continue
        for length in LENGTHS:
            guesses = [best_guess(notes, length) for notes in held]
            exact, near = (sum(column) / count for column in zip(*guesses, strict=True))
            print(f"{split}: {count:,} notes, excerpts of {length / SCORE_FOLLOWING.fps:.2f} s: "
                  f"the best guess finds {exact:.1%}, to a bucket {near:.1%}")  # fmt: skip
        if split == "test" and predictions.exists():
            table = pd.read_parquet(predictions, columns=["piece_id", "note_id", "split", "x_max"])
            table = table[table.split == split]
            known = dict(
                zip(zip(table.piece_id, table.note_id, strict=True), table.x_max, strict=True)
            )
            errors = [far_errors(notes, known) for notes in held]
            far, alike = (sum(column) for column in zip(*errors, strict=True))
            print(f"{predictions}: {far} errors of more than a bucket, {alike} at a passage that "
                  "sounds the same")  # fmt: skip


if __name__ == "__main__":
    main()
