"""Twenty piano works through the data half beside the bare programs: `python -m benchmarks.pieces`.

Ours makes pages, heads, notes, links and checks, recordings, spectrograms and shards; the bare
programs, one call a piece, make SVG pages and FLAC files only. One process, one core.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipeline import engrave, select, shard, spectrogram, synthesize, tables
from pipeline.reading.fonts import font_path
from pipeline.sandbox import lilypond

PIECES = 20
FONT = "pretty_midi:TimGM6mb.sf2"
SOURCE = {"source": "music21-piano", "layout": "pages", "collection": "piano", "fraction": 1.0}


def chosen(folder: Path) -> Path:
    """A table of the first works of music21's piano collection."""
    path = folder / "pieces.parquet"
    everything = folder / "everything.parquet"
    select.select(
        **SOURCE,
        downloads=str(folder),
        chunk=0,
        chunks=1,
        shares={"train": 1, "valid": 0, "test": 0},
        seed=0,
        unconfined="warn",
        out=everything,
    )
    rows = [row for row in tables.read(everything, tables.PIECES).to_pylist() if row["score"]]
    tables.write(rows[:PIECES], tables.PIECES, path)
    return path


def bare(pieces: Path, folder: Path) -> dict[str, float]:
    """Seconds that LilyPond and FluidSynth take, one call a piece each."""
    taken = {"lilypond": 0.0, "fluidsynth": 0.0}
    for number, row in enumerate(tables.read(pieces, tables.PIECES).to_pylist()):
        place = folder / str(number)
        lilypond.write(row["score"], place)
        begin = time.perf_counter()
        command = [lilypond.program(), "--silent", "-dbackend=svg", row["score"][0]["name"]]
        subprocess.run(command, cwd=place, check=True, capture_output=True)
        taken["lilypond"] += time.perf_counter() - begin
        (midi,) = place.glob("*.midi")
        begin = time.perf_counter()
        output = ["-F", str(midi.with_suffix(".flac")), "-O", "s16", "-T", "flac", "-r", "44100"]
        command = ["fluidsynth", "-ni", *output, str(font_path(FONT)), str(midi)]
        subprocess.run(command, check=True, capture_output=True)
        taken["fluidsynth"] += time.perf_counter() - begin
    return taken


def ours(pieces: Path, folder: Path) -> dict[str, float]:
    """Seconds that each of our stages takes."""
    names = ("images", "systems", "noteheads", "notes", "engraved")
    made = {name: folder / f"{name}.parquet" for name in names}
    performances, features = folder / "performances.parquet", folder / "features.parquet"
    taken: dict[str, float] = {}

    def stage(function: Callable, *arguments, **named) -> None:
        begin = time.perf_counter()
        function(*arguments, **named)
        taken[function.__name__] = time.perf_counter() - begin

    stage(engrave.engrave, pieces, "pages", "unfold", "warn", **made)
    stage(
        synthesize.synthesize,
        made["notes"],
        pieces,
        ["train"],
        "font",
        FONT,
        bank=0,
        preset=0,
        tempo_ratio="1.0",
        seed=0,
        loudness_db=None,
        audio=folder / "audio",
        out=performances,
    )
    stage(spectrogram.extract, performances, folder / "audio", "retrieval", features)
    made.pop("engraved")
    out = {"train": folder / "train.parquet"}
    stage(shard.shard, pieces, **made, features=features, layout="pages", out=out)
    return taken


def main() -> None:
    if not shutil.which("fluidsynth"):
        print("the program fluidsynth is not installed: nothing to compare with")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pieces = chosen(folder)
        peer, own = bare(pieces, folder / "bare"), ours(pieces, folder)
    print(f"{PIECES} piano works of music21's corpus, one process")
    for title, taken in (("bare programs", peer), ("ours", own)):
        stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in taken.items())
        print(f"{title:14} {sum(taken.values()):6.1f} s  ({stages})")
    print(f"ours / bare    {sum(own.values()) / sum(peer.values()):6.2f}")


if __name__ == "__main__":
    main()
