"""Place windows over recordings and strips, and crop them to the input of a network."""

from pathlib import Path

import numpy as np
import soundfile

from models.retrieval import audio
from pipeline.constants import (
    CONTEXTS,
    RETRIEVAL,
    SNIPPET_FACTOR,
    SNIPPET_HEIGHT_PX,
    SNIPPET_WIDTH_PX,
    WHITE,
)
from pipeline.strips import snippet

WINDOWS = 100  # of a recording, at most
STEP_FRAMES = 10  # between windows of a short recording, 0.5 s


def window_centres(count: int, context: int) -> np.ndarray:
    """Middle frames of the windows over a recording: (windows,) int64.

    Equally spaced inside the recording, about half a second apart, at most WINDOWS; a single one
    if the recording is no longer than the shortest window. Longer ones hang over its ends, where
    they hear silence: short recordings have more windows so, and find their score more often.

    Args:
        count: frames of the recording.
        context: frames of a window.
    """
    inside = min(context, *CONTEXTS.values())
    if count <= inside:
        return np.array([count // 2])
    first, last = inside // 2, count - inside + inside // 2
    windows = min(WINDOWS, 1 + (last - first) // STEP_FRAMES)
    if windows == 1:
        return np.array([count // 2])
    return np.rint(np.linspace(first, last, windows)).astype(np.int64)


def recording_windows(
    recording: Path, context: int, at: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Excerpts of a recording, brought to the level and tuning that the networks were trained on.

    Args:
        recording: any sound file.
        context: frames of an excerpt.
        at: second around which to take a single one; else those of `window_centres`, without those
            that are silent.

    Returns:
        (n,) middle frames, and (n, 1, 92, context) float32 excerpts.

    Raises:
        ValueError: if the recording is silent or `at` lies outside.
    """
    with audio.open_recording(recording) as sound:
        count = audio.count_frames(sound)
        seconds = count / RETRIEVAL.fps
        if at is None:
            frames = window_centres(count, context)
        elif 0 <= at < seconds:
            frames = np.array([round(at * RETRIEVAL.fps)])
        else:
            raise ValueError(f"{recording}: {at:g} s is outside; it lasts {seconds:.1f} s")
        excerpts = read_windows(sound, frames, context, audio.measure_tuning(sound, at))
    audible = audio.audible(excerpts)
    if not audible.any():
        where = "" if at is None else f" around {at:g} s"
        raise ValueError(
            f"{recording}: the recording is silent{where}; there is nothing to search for"
        )
    levelled = audio.normalise_level(excerpts[audible]).transpose(0, 2, 1)[:, None]
    return frames[audible], np.ascontiguousarray(levelled)


def read_windows(
    sound: soundfile.SoundFile, centres: np.ndarray, context: int, tuning: float = 0.0
) -> np.ndarray:
    """Excerpts around frames of an open recording, zeros beyond its ends.

    Those that overlap are read together, since no part is transformed twice then; those of a long
    recording lie apart and are read one by one.

    Args:
        sound: from `audio.open_recording`.
        centres: (n,) frames in ascending order; each is in row context // 2 of its excerpt.
        context: frames of an excerpt.
        tuning: of the instrument, from `audio.measure_tuning`.

    Returns:
        (n, context, 92) float32.
    """
    starts = centres - context // 2
    length = starts[-1] + context - starts[0]
    if length > len(starts) * context:
        each = (audio.read_frames(sound, start, context, tuning) for start in starts.tolist())
        return np.stack(list(each))
    together = audio.read_frames(sound, int(starts[0]), int(length), tuning)
    return together[(starts - starts[0])[:, None] + np.arange(context)]


def crop_snippets(strip: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Snippets around positions of a strip, as the network takes them.

    Args:
        strip: (200, width) uint8, white 255.
        x: (n,) px from its left end.

    Returns:
        (n, 1, 80, 100) float32, white 1 and ink 0.
    """
    snippets = np.stack([snippet(strip, position) for position in x]).astype(np.float32)
    rows, columns = SNIPPET_HEIGHT_PX // SNIPPET_FACTOR, SNIPPET_WIDTH_PX // SNIPPET_FACTOR
    halved = snippets.reshape(len(x), 1, rows, SNIPPET_FACTOR, columns, SNIPPET_FACTOR)
    return halved.mean(axis=(3, 5)) / WHITE


def halve_strip(strip: np.ndarray, margin_px: int) -> np.ndarray:
    """The rows of a strip that snippets see, from end to end, as the network takes them.

    Args:
        strip: (at least 200, width) uint8, white 255.
        margin_px: white to add at either end.

    Returns:
        (80, (width + 2 margin_px) // 2) float32, white 1 and ink 0.
    """
    top = (len(strip) - SNIPPET_HEIGHT_PX) // 2
    seen = strip[top : top + SNIPPET_HEIGHT_PX]
    seen = np.pad(seen, ((0, 0), (margin_px, margin_px)), constant_values=WHITE)
    rows, columns = (size // SNIPPET_FACTOR for size in seen.shape)
    whole = seen[:, : columns * SNIPPET_FACTOR]
    parts = whole.reshape(rows, SNIPPET_FACTOR, columns, SNIPPET_FACTOR)
    return parts.sum(axis=(1, 3), dtype=np.float32) / (WHITE * SNIPPET_FACTOR**2)


def crop_excerpts(spectrogram: np.ndarray, frames: np.ndarray, context: int) -> np.ndarray:
    """Excerpts around frames of a spectrogram, zeros beyond its ends.

    Args:
        spectrogram: (length, 92) float32.
        frames: (n,) indices; each is in column context // 2 of its excerpt.
        context: frames of an excerpt.

    Returns:
        (n, 1, 92, context) float32, bins x frames.
    """
    padded = np.pad(spectrogram, ((context, context), (0, 0)))
    rows = (frames + context - context // 2)[:, None] + np.arange(context)
    return np.ascontiguousarray(padded[rows].transpose(0, 2, 1)[:, None], np.float32)
