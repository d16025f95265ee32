"""Write a page on which a recording is heard and its score runs along: one self-contained file."""

import io
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from models.following import ffmpeg, timeline
from models.following.alignment import Alignment
from models.retrieval.audio import open_recording
from pipeline.describing import page

SCRIPT = Path(__file__).with_name("page.js")
KBITS = (96, 64, 48, 32)  # a second, of the sound in a page
SOUND_BYTES = 12_000_000  # at most, down to the least of KBITS; a third more as text in a page
COLUMNS = 1_200  # of the waveform
BLOCK_S = 60  # of sound that are read at once
METHODS = {
    "notes": "followed by its notes",
    "image": "followed by the image of the score",
}


def write_page(alignment: Alignment, path: Path | str) -> None:
    """Write an alignment as a page: cursor, coloured noteheads, sound and how sure it is.

    The sound is embedded as AAC if ffmpeg is installed, else as Vorbis.

    Args:
        alignment: With the recording that is heard.
        path: HTML file to write, whole or not at all.

    Raises:
        FileNotFoundError: If the recording does not exist.
        ValueError: If it cannot be read.
    """
    about, stops = alignment.about, timeline.stops(alignment)
    sounding = timeline.soundings(alignment)
    kind, sound = encoded(alignment.recording, about.duration)
    heads = alignment.noteheads.select(list(page.NOTEHEAD)).to_pylist()
    pitch = {head["notehead_id"]: head["pitch"] for head in heads}
    content = {
        "title": alignment.title,
        "composer": alignment.composer,
        "piece_id": about.recording,
        "recording": about.recording,
        "method": METHODS[about.method],
        "route": about.route,
        "verdict": about.verdict,
        "unit": "page",
        "audio": page.data_url(kind, sound),
        "duration_s": about.duration,
        "end_s": timeline.end_s(stops, sounding, about.duration),
        "wave": waveform(alignment.recording, COLUMNS),
        "unaligned": [
            asdict(span) | {"label": timeline.described(span)} for span in about.unaligned
        ],
        "images": [
            {"image": number, "src": page.data_url("image/png", png)} | _size(png)
            for number, png in enumerate(alignment.pages)
        ],
        "systems": alignment.systems.select(
            ["system", "image", "left", "right", "top", "bottom"]
        ).to_pylist(),
        "heads": heads,
        "notes": [
            {"onset_s": round(note.onset_s, 4), "duration_s": round(note.duration_s, 4),
             "pitch": pitch[note.notehead_id], "head": note.notehead_id, "stop": note.stop}
            for note in sounding if note.notehead_id in pitch
        ],
        "stops": [asdict(stop) for stop in stops],
    }  # fmt: skip
    page.write(content, SCRIPT, Path(path))


def _size(png: bytes) -> dict[str, int]:
    with Image.open(io.BytesIO(png)) as image:
        return {"width": image.width, "height": image.height}


# --- sound -----------------------------------------------------------------------------------
def encoded(recording: Path, seconds: float) -> tuple[str, bytes]:
    """The sound of a recording, mono, for a page: its media type and content.

    Args:
        recording: Anything that soundfile or ffmpeg reads.
        seconds: Its duration, which decides on the bit rate.
    """
    if not ffmpeg.installed():
        with open_recording(recording) as sound:
            samples = np.concatenate(list(_blocks(sound)))
            return "audio/ogg", page.vorbis(np.clip(samples, -1, 1), sound.samplerate)
    rate = next((rate for rate in KBITS if rate * 125 * seconds <= SOUND_BYTES), KBITS[-1])
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        out = Path(folder) / "sound.m4a"
        ffmpeg.run([*ffmpeg.sound_of(recording), "-ac", "1", *ffmpeg.aac(rate), out], recording)
        return "audio/mp4", out.read_bytes()


def _blocks(sound: soundfile.SoundFile) -> Iterator[np.ndarray]:
    """A recording's samples, channels averaged, a minute at a time."""
    for block in sound.blocks(BLOCK_S * sound.samplerate, dtype="float32", always_2d=True):
        yield block.mean(axis=1)


def waveform(recording: Path, columns: int) -> list[int]:
    """The loudest sample in each of so many equal parts of a recording.

    Returns:
        0 to 100: roots of the share of the loudest of all, so that soft music is seen.

    Args:
        recording: Anything that soundfile or ffmpeg reads.
        columns: How many parts.
    """
    with open_recording(recording) as sound:
        peaks = np.zeros(columns)
        first = 0
        for block in _blocks(sound):
            column = (first + np.arange(len(block))) * columns // sound.frames
            np.maximum.at(peaks, np.minimum(column, columns - 1), np.abs(block))
            first += len(block)
    return np.rint(100 * np.sqrt(peaks / max(peaks.max(), 1e-9))).astype(int).tolist()
