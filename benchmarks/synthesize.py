"""A chunk in one process beside one `fluidsynth` program a file: `python -m benchmarks.synthesize`.

Both play the same tunes with the same font to 44.1 kHz files. Without the program only ours runs.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pretty_midi
import soundfile

from pipeline import tables
from pipeline.constants import VELOCITY
from pipeline.reading.fonts import font_path
from pipeline.synthesize import synthesize

PIECES = 20
NOTES = 60  # half a second each
FONT = "pretty_midi:TimGM6mb.sf2"


def tune(seed: int) -> list[int]:
    """Pitches of a random melody."""
    return np.random.default_rng(seed).integers(60, 84, NOTES).tolist()


def write_table(path: Path) -> None:
    rows = [
        {"piece_id": f"{piece:03}", "onset_s": 0.5 * i, "duration_s": 0.5, "pitch": pitch}
        for piece in range(PIECES)
        for i, pitch in enumerate(tune(piece))
    ]
    tables.write(rows, tables.NOTES, path)
    pieces = [{"piece_id": f"{piece:03}", "split": "train"} for piece in range(PIECES)]
    tables.write(pieces, tables.PIECES, path.with_name("pieces.parquet"))


def write_midi(path: Path, seed: int) -> None:
    score = pretty_midi.PrettyMIDI()
    piano = pretty_midi.Instrument(program=0)
    piano.notes = [
        pretty_midi.Note(VELOCITY, pitch, 0.5 * i, 0.5 * (i + 1))
        for i, pitch in enumerate(tune(seed))
    ]
    score.instruments.append(piano)
    score.write(str(path))


def one_process(font: str, folder: Path) -> float:
    """Seconds of wall time."""
    write_table(folder / "notes.parquet")
    begin = time.perf_counter()
    synthesize(
        folder / "notes.parquet",
        folder / "pieces.parquet",
        ["train"],
        "font",
        font,
        bank=0,
        preset=0,
        tempo_ratio="1.0",
        seed=0,
        loudness_db=None,
        audio=folder / "audio",
        out=folder / "performances.parquet",
    )
    return time.perf_counter() - begin


def one_program_a_file(font: str, folder: Path) -> float:
    """Seconds of wall time."""
    for piece in range(PIECES):
        write_midi(folder / f"{piece:03}.mid", piece)
    begin = time.perf_counter()
    for piece in range(PIECES):
        name = folder / f"{piece:03}"
        output = ["-F", f"{name}.flac", "-O", "s16", "-T", "flac", "-r", "44100"]
        command = ["fluidsynth", "-ni", *output, str(font_path(font)), f"{name}.mid"]
        subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    font = sys.argv[1] if len(sys.argv) > 1 else FONT
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = one_process(font, folder)
        audio = (folder / "audio").iterdir()
        seconds = sum(soundfile.info(path).duration for path in audio)
        print(f"{PIECES} pieces, {seconds:.0f} s of audio, {font}")
        print(f"one process         {ours:7.2f} s  {seconds / ours:6.0f} x real time")
        if not shutil.which("fluidsynth"):
            print("one program a file  skipped: the fluidsynth program is not installed")
            return
        theirs = one_program_a_file(font, folder)
        print(f"one program a file  {theirs:7.2f} s  {seconds / theirs:6.0f} x real time")
        print(f"ratio               {theirs / ours:7.1f}")


if __name__ == "__main__":
    main()
