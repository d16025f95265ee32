"""Snippets that show the same notes elsewhere in their piece: `python -m benchmarks.twins [DATA]`.

DATA is a collection of scores that the workflow made, by default what `make` leaves. If two
snippets show the same chords in the same order around their onsets, except for one chord at an
edge, a recording hardly tells them apart. The script prints the share of onsets that have such a
twin, with and without the rhythm, and the R@1 that is left if of twins one is found at random.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.constants import SNIPPET_WIDTH_PX

DATA = "results/data/piano"
SPLITS = ("valid", "test")
KINDS = {"chords": False, "chords and rhythm": True}  # whether the rhythm counts
Chord = tuple[int, ...]
Onset = tuple[float, float, Chord]  # x in px, time in crotchets, pitches
View = tuple[list[tuple[Chord, float]], list[tuple[Chord, float]]]


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


def shown(onsets: list[Onset], index: int) -> View:
    """What a snippet shows, from its onset to the left and to the right: chords and their times.

    Times are in crotchets from the onset's own, whose chord is the first to the right.
    """
    x, own, _ = onsets[index]
    near = sorted(onset for onset in onsets if abs(onset[0] - x) <= SNIPPET_WIDTH_PX / 2)
    left = [(chord, round(time - own, 3)) for at, time, chord in near if at < x]
    right = [(chord, round(time - own, 3)) for at, time, chord in near if at >= x]
    return left[::-1], right


def alike(one: View, other: View, rhythm: bool) -> bool:
    """Whether two snippets show the same, but for at most one chord at an edge."""
    lacking = sum(abs(len(side) - len(same)) for side, same in zip(one, other, strict=True))
    return lacking <= 1 and all(
        chord == same and (time == when or not rhythm)
        for sides in zip(one, other, strict=True)
        for (chord, time), (same, when) in zip(*sides, strict=False)
    )


def twins(onsets: list[Onset], rhythm: bool) -> list[int]:
    """For each onset, how many of its piece look like it, itself included."""
    views = [shown(onsets, index) for index in range(len(onsets))]
    by_chord = defaultdict(list)
    for view, (_, _, chord) in zip(views, onsets, strict=True):
        by_chord[chord].append(view)
    return [
        sum(alike(view, other, rhythm) for other in by_chord[chord])
        for view, (_, _, chord) in zip(views, onsets, strict=True)
    ]


def main() -> None:
    data = Path((sys.argv[1:] or [DATA])[0])
    for split in SPLITS:
        held = list(pieces(data, split))
        count = sum(map(len, held))
        if not count:
            print(f"{data}: no shards of the split {split}; run `make` first, or name others")
            continue
        print(f"{split}: {count:,} onsets of {len(held)} pieces")
        for kind, rhythm in KINDS.items():
            counts = [number for onsets in held for number in twins(onsets, rhythm)]
            share = sum(number > 1 for number in counts) / count
            hit = sum(1 / number for number in counts) / count
            print(f"  same {kind}: {share:.1%} have a twin, R@1 about {hit:.1%}")


if __name__ == "__main__":
    main()
