"""Snippets that show the same notes elsewhere in their piece: `python -m benchmarks.twins [DATA]`.

DATA is a collection of scores that the workflow made, by default what `make` leaves. If two
snippets show the same chords in the same order, the onset's own at the same place, no recording
tells them apart, but for what their edges show. The script prints the share of onsets that have
such a twin, with and without the rhythm, and the R@1 that is left if of twins one is found at
random.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.constants import SNIPPET_WIDTH_PX

DATA = "results/data/piano"
SPLITS = ("valid", "test")
# What is compared: with the chords alone, or with the time from each to the next as well.
KINDS = ("chords", "chords and rhythm")
Chord = tuple[int, ...]
Onset = tuple[float, float, Chord]  # x in px, time in crotchets, pitches


def chords(notes: Path) -> dict[str, dict[int, tuple[float, Chord]]]:
    """By piece and note_id, the time (crotchets) and the pitches of the chord that a note is of."""
    found: dict[str, dict[int, tuple[float, Chord]]] = {}
    columns = ["piece_id", "note_id", "onset", "onset_s", "pitch"]
    by_onset: dict[tuple[str, float], list[dict]] = {}
    for note in pq.read_table(notes, columns=columns).to_pylist():
        by_onset.setdefault((note["piece_id"], note["onset_s"]), []).append(note)
    for (piece, _), together in by_onset.items():
        pitches = tuple(sorted({note["pitch"] for note in together}))
        for note in together:
            found.setdefault(piece, {})[note["note_id"]] = (note["onset"], pitches)
    return found


def pieces(data: Path, split: str) -> Iterator[list[Onset]]:
    """The printed onsets of each piece of a split, each once, however often it is played."""
    seen = set()
    for path in sorted(data.glob(f"shards/{split}/*.parquet")):
        known = chords(data / "notes" / f"{path.stem.rsplit('-', 1)[1]}.parquet")
        table = pq.read_table(path, columns=["piece_id", "note_id", "x", "reason"])
        for row in table.to_pylist():
            if row["piece_id"] in seen:
                continue
            seen.add(row["piece_id"])
            printed: dict[float, Onset] = {}
            for note, x, reason in zip(row["note_id"], row["x"], row["reason"], strict=True):
                if reason is None:
                    printed.setdefault(x, (x, *known[row["piece_id"]][note]))
            yield list(printed.values())


def shown(onsets: list[Onset], index: int, kind: str) -> tuple:
    """What the snippet of an onset shows: its chords in order, and which is the onset's own."""
    middle = onsets[index][0]
    near = sorted(
        (x, time, chord, number == index)
        for number, (x, time, chord) in enumerate(onsets)
        if abs(x - middle) <= SNIPPET_WIDTH_PX / 2
    )
    first = near[0][1] if kind == "chords and rhythm" else 0
    return tuple(
        (chord, own, round(time - first, 3) if kind == "chords and rhythm" else None)
        for _, time, chord, own in near
    )


def main() -> None:
    data = Path((sys.argv[1:] or [DATA])[0])
    for split in SPLITS:
        held = list(pieces(data, split))
        count = sum(map(len, held))
        if not count:
            print(f"{data}: no shards of the split {split}; run `make` first, or name others")
            continue
        print(f"{split}: {count:,} onsets of {len(held)} pieces")
        for kind in KINDS:
            alike = [Counter(shown(onsets, i, kind) for i in range(len(onsets))) for onsets in held]
            twins = sum(n for piece in alike for n in piece.values() if n > 1)
            found = sum(map(len, alike))
            print(
                f"  same {kind}: {twins / count:.1%} have a twin, R@1 at most {found / count:.1%}"
            )


if __name__ == "__main__":
    main()
