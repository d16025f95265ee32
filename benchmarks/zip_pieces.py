"""Reading the tunes of a zip archive: `python -m benchmarks.zip_pieces`.

The peer is a bare loop of zipfile and mido over the same archive, opened once: the least that any
reader of these files does. `seconds` is for all tunes; a reader that opens the archive for every
tune grows with their square.
"""

import random
import tempfile
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import mido

from pipeline.reading import midi
from pipeline.reading.melody_sources import pieces_of_midi

SIZES = (500, 1_000, 2_000)
NOTES = 12


def tune(draw: random.Random) -> bytes:
    """A melody of twelve eighths as MIDI."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = file.add_track()
    for _ in range(NOTES):
        pitch = draw.randint(60, 79)
        track.append(mido.Message("note_on", note=pitch, velocity=80))
        track.append(mido.Message("note_off", note=pitch, time=240))
    out = BytesIO()
    file.save(file=out)
    return out.getvalue()


def list_and_read(path: Path) -> int:
    """Bytes of all pieces, listed and read as a job of selection does."""
    return sum(len(piece.read()) for piece in pieces_of_midi(path))


def melodies(path: Path) -> int:
    """Bars of all pieces, read as melodies."""
    return sum(len(midi.read_melody(piece.read()).bars) for piece in pieces_of_midi(path))


def peer_bytes(path: Path) -> int:
    """Bytes of all members, by zipfile alone."""
    with zipfile.ZipFile(path) as archive:
        return sum(len(archive.read(name)) for name in archive.namelist())


def peer_messages(path: Path) -> int:
    """Messages of all members, by zipfile and mido alone."""
    with zipfile.ZipFile(path) as archive:
        files = (mido.MidiFile(file=BytesIO(archive.read(name))) for name in archive.namelist())
        return sum(len(track) for file in files for track in file.tracks)


def seconds(work: Callable[[Path], int], path: Path) -> float:
    start = time.perf_counter()
    work(path)
    return time.perf_counter() - start


def main() -> None:
    draw = random.Random(0)
    print("tunes  list and read  zipfile  melodies  zipfile and mido  (seconds)")
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            path = Path(folder, f"{size}.zip")
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for number in range(size):
                    archive.writestr(f"tunes/{number}.mid", tune(draw))
            times = [
                seconds(work, path) for work in (list_and_read, peer_bytes, melodies, peer_messages)
            ]
            print(f"{size:5}  {times[0]:13.2f}  {times[1]:7.2f}  {times[2]:8.2f}  {times[3]:16.2f}")


if __name__ == "__main__":
    main()
