"""Write a video of a followed recording: pages with a running cursor, and the recording's sound."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from models.following import ffmpeg, timeline
from models.following.alignment import Alignment
from models.following.picture import HEIGHT, WIDTH, Picture, Place, spreads
from pipeline.replacing import replacing

FPS = 25
QUALITY = 20  # x264's constant rate factor; 18 cannot be told from the original
SOUND_KBITS = 160


def write_video(alignment: Alignment, path: Path | str) -> None:
    """Write an alignment as a video: MP4 with H.264 and AAC, 1920 x 1080, 25 pictures a second.

    Args:
        alignment: With the recording that is heard.
        path: File to write, whole or not at all.

    Raises:
        FileNotFoundError: If the recording does not exist.
        ValueError: If ffmpeg is missing, or cannot read the recording.
    """
    ffmpeg.require(Path(path))
    if not alignment.recording.is_file():
        raise FileNotFoundError(f"{alignment.recording}: no such recording")
    with replacing(path) as temporary, tempfile.TemporaryFile() as errors:
        command = [
            *ffmpeg.QUIET, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}",
            "-r", FPS, "-i", "pipe:0", *ffmpeg.sound_of(alignment.recording),
            "-map", "0:v", "-map", "1:a:0", "-map_metadata", "-1",
            "-c:v", "libx264", "-preset", "superfast", "-crf", QUALITY, "-pix_fmt", "yuv420p",
            "-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709",
            "-color_trc", "bt709", "-af", "asetpts=N/SR/TB", "-c:a", "aac",
            "-b:a", f"{SOUND_KBITS}k", "-movflags", "+faststart",
            "-metadata", f"title={alignment.title or alignment.about.recording}",
            "-f", "mp4", f"file:{Path(temporary).resolve()}",
        ]  # fmt: skip
        with subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stderr=errors
        ) as process:
            assert process.stdin
            try:
                for frame in _shown(alignment):
                    process.stdin.write(frame)
                process.stdin.close()
            except BrokenPipeError:
                pass  # ffmpeg says why
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
            why = said[-1] if said else "no reason given"
            raise ValueError(f"{path}: ffmpeg cannot encode {alignment.recording} ({why})")


def _shown(alignment: Alignment) -> Iterator[memoryview]:
    """The bytes of every frame, with a progress bar that counts seconds."""
    count = max(int(np.ceil(alignment.about.duration * FPS)), 1)
    bar = "{l_bar}{bar}| {n:.0f} of {total:.0f} s [{elapsed}<{remaining}]"
    with tqdm(
        total=count / FPS, desc="video", bar_format=bar, disable=None, file=sys.stderr
    ) as progress:
        for frame in frames(alignment, count):
            yield frame.data
            progress.update(1 / FPS)


def frames(alignment: Alignment, count: int) -> Iterator[np.ndarray]:
    """The frames of a video, yuv420p; every frame is the same array, drawn on anew."""
    about = alignment.about
    stops, soundings = timeline.stops(alignment), timeline.soundings(alignment)
    papers, places = spreads(alignment.pages)
    systems = {row["system"]: row for row in alignment.systems.to_pylist()}
    heads = {row["notehead_id"]: row for row in alignment.noteheads.to_pylist()}
    times = np.arange(count) / FPS
    right = {system: row["right"] for system, row in systems.items()}
    end = timeline.end_s(stops, soundings, about.duration)
    index, x = (
        timeline.positions(stops, right, end, times) if stops else (np.zeros(count, int), times)
    )
    title = " · ".join(filter(None, [alignment.title or about.recording, alignment.composer]))
    picture = Picture()
    spread, drawn, said = -1, None, ""
    for number, sounding in enumerate(_sounding(soundings, count)):
        system = systems[stops[index[number]].system] if stops else None
        place = places[system["image"]] if system else places[0]
        if place.spread != spread:
            spread, drawn, said = place.spread, None, ""
            picture.turn(papers[spread])
        hidden = any(span.start <= times[number] < span.end for span in about.unaligned)
        at = None if hidden or system is None else round(place.left + x[number] * place.scale)
        if (state := (at, system and system["system"], sounding)) != drawn:
            drawn = state
            picture.clean()
            for notehead in sorted(sounding & heads.keys()):
                _notehead(picture, heads[notehead], places, spread)
            if at is not None and system:
                picture.cursor(at, *_reach(system, place))
        words = timeline.readout(stops, about.unaligned, float(times[number]))
        if words != said:
            said = words
            picture.words(title, words)
        yield picture.data


def _sounding(soundings: list[timeline.Sounding], count: int) -> Iterator[frozenset[int]]:
    """The noteheads that sound at each frame."""
    changes: dict[int, list[tuple[int, int]]] = {}
    for note in soundings:
        ends = (note.onset_s, note.onset_s + note.duration_s)
        for by, frame in zip((1, -1), np.ceil(np.array(ends) * FPS), strict=True):
            changes.setdefault(int(frame), []).append((note.notehead_id, by))
    counts: dict[int, int] = {}
    now: frozenset[int] = frozenset()
    for frame in range(count):
        for notehead, by in changes.get(frame, []):
            counts[notehead] = counts.get(notehead, 0) + by
        if frame in changes:
            now = frozenset(notehead for notehead, times in counts.items() if times > 0)
        yield now


def _notehead(picture: Picture, head: dict, places: list[Place], spread: int) -> None:
    """Colour a notehead, if its page is shown."""
    place = places[head["image"]]
    if place.spread == spread:
        picture.notehead(
            place.left + head["x"] * place.scale,
            place.top + head["y"] * place.scale,
            head["width"] * place.scale,
            head["height"] * place.scale,
        )


def _reach(system: dict, place: Place) -> tuple[float, float]:
    """From where to where the cursor stands in a system, in px of the picture."""
    top, bottom = min(system["top"]), max(system["bottom"])
    beyond = (system["bottom"][0] - system["top"][0]) / 2
    return place.top + (top - beyond) * place.scale, place.top + (bottom + beyond) * place.scale
