"""What recordings become as data, where every onset is known: `python -m benchmarks.recordings`.

Four performances of Vienna 4x22, and the same scores without rubato, as written at the mean tempo
of the performance; both played with the piano of FluidR3 in a room, and aligned as recordings of a
collection are. The archive comes from the mirror.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from benchmarks import follow, performances
from models.following import recordings
from pipeline import performing, rooms
from pipeline.constants import AUDIO_RATE_HZ
from pipeline.rendering import Instrument, render

ARCHIVE = "vienna4x22-decce45.tar.xz"
LIMITS = (0.0, 0.5, 0.8, 0.9, 0.95)  # of sureness


def as_written(notes: list[dict], seconds: float) -> tuple[list[performing.Note], list[dict]]:
    """The score at an even tempo that lasts so long, and its onsets."""
    ratio = max(note["onset_s"] for note in notes) / seconds
    sounding, true = [], []
    for note in notes:
        onset, length = note["onset_s"] / ratio, note["duration_s"] / ratio
        sounding.append(performing.Note(onset, length, note["pitch"]))
        if note["notehead_id"] is not None:
            true.append({"notehead_id": note["notehead_id"], "onset_s": onset})
    return sounding, true


def played_twice(
    font: Instrument, text: str, match: str
) -> Iterator[tuple[str, np.ndarray, list[dict]]]:
    """Kind, sound and onsets of a human performance, and of the score as written."""
    heads, notes = performances.tables_of(text)
    true = performances.truth(match, heads)
    yield "as played", performances.recorded(match, font), true
    last = max(row["onset_s"] for row in true)
    played, true = as_written(notes.to_pylist(), last)
    yield "as written", render(played, font), true


def offsets(found: list[dict], true: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Of each true note: s from its onset to the one found (inf if none), and its sureness."""
    times: dict[int, list[tuple[float, float]]] = {}
    for row in found:
        if row.get("onset_s") is not None and row.get("notehead_id") is not None:
            times.setdefault(row["notehead_id"], []).append((row["onset_s"], row["sureness"]))
    off, sure = [], []
    for row in true:
        time_s, certain = min(
            times.get(row["notehead_id"], [(np.inf, 0.0)]),
            key=lambda pair: abs(pair[0] - row["onset_s"]),
        )
        off.append(abs(time_s - row["onset_s"]))
        sure.append(certain)
    return np.array(off), np.array(sure)


def main() -> None:
    mirror = performances.mirror([ARCHIVE])
    if mirror is None:
        return
    gathered: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    begin = time.process_time()
    print("| performance | kind | s | notes | all: ms | < 50 | < 100 | kept | kept: ms | < 50 "
          "| < 100 |\n" + "|---" * 11 + "|", flush=True)  # fmt: skip
    with (
        Instrument(mirror / performances.FONT) as font,
        tempfile.TemporaryDirectory() as folder,
    ):
        for name, text, match in performances.sources(mirror, [ARCHIVE]):
            heads, notes = (table.to_pylist() for table in performances.tables_of(text))
            for kind, dry, true in played_twice(font, text, match):
                path = Path(folder, "recording.flac")
                sound = rooms.record(dry, AUDIO_RATE_HZ, performances.ROOM, f"{name} {kind}")
                soundfile.write(path, np.clip(sound, -1, 1), AUDIO_RATE_HZ, subtype="PCM_16")
                try:
                    found = recordings.aligned(path, heads, notes)
                except ValueError as error:
                    print(f"| {name} | {kind} | left out: {error} |")
                    continue
                off, sure = offsets(found, true)
                gathered.setdefault(kind, []).append((off, sure))
                kept = sure >= recordings.LEAST_SURE
                print(f"| {name} | {kind} | {len(sound) / AUDIO_RATE_HZ:.0f} | {len(true)} | "
                      f"{follow.spread(off)} | {kept.mean():.3f} | {follow.spread(off[kept])} |",
                      flush=True)  # fmt: skip
    print("\n| kind | least sureness | kept | ms | < 50 | < 100 |\n" + "|---" * 6 + "|")
    for kind, pairs in gathered.items():
        off, sure = (np.concatenate(columns) for columns in zip(*pairs, strict=True))
        for limit in LIMITS:
            kept = sure >= limit
            print(f"| {kind} | {limit:g} | {kept.mean():.3f} | {follow.spread(off[kept])} |")
    print(f"\n{time.process_time() - begin:.0f} s of one core")


if __name__ == "__main__":
    main()
