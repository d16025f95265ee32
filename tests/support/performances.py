"""Made-up piano music as retrieval sees it: one strip, its onsets and a spectrogram a row."""

import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from models.retrieval.token_network import PT
from pipeline.constants import RETRIEVAL, STRIP_HEIGHT_PX, WHITE, onset_frame
from tests.support.staves import png, write_shard

LOWEST = 60  # MIDI number
PITCHES = 24
STEP_PX = 4  # a pitch is printed this much higher than the one below it
BANDS = 3  # bins that a pitch sounds in
NOTE_S = (0.4, 0.6, 0.8, 1.0)  # times from one onset to the next, 0.7 s on average
NOTE_PX = 30.0  # between heads, give or take 5 px
STAFF_LINES = (*range(72, 101, 7), *range(128, 157, 7))  # rows, px


def performance(
    piece_id: str,
    *,
    split: str = "train",
    font: str = "grand",
    tempo_ratio: float = 1.0,
    notes: int = 40,
    seed: int = 0,
    **changes,
) -> dict:
    """A shard's row in which each pitch stands at its own height and sounds in its own bins.

    Font and tempo leave the notes and the strip alone, `changes` replace columns. 40 notes last
    30 s at tempo ratio 1, so that the middle ones lie inside for every context.
    """
    random = np.random.default_rng(seed)
    pitch = LOWEST + random.integers(0, PITCHES, notes)
    onset = 1.0 + np.cumsum(random.choice(NOTE_S, notes))
    x = 45.0 + NOTE_PX * np.arange(notes) + random.uniform(-5, 5, notes)
    width = int(NOTE_PX * (notes + 2))
    strip = np.full((STRIP_HEIGHT_PX, width), WHITE, np.uint8)
    strip[list(STAFF_LINES)] = 0
    frame = np.array([onset_frame(second / tempo_ratio, RETRIEVAL.fps) for second in onset])
    length = onset_frame(2.0 + onset[-1] / tempo_ratio, RETRIEVAL.fps)
    noise = np.random.default_rng(zlib.crc32(f"{piece_id} {font} {tempo_ratio}".encode()))
    spectrogram = noise.uniform(0, 0.05, (length, RETRIEVAL.bins)).astype(np.float32)
    for index, step in enumerate(pitch - LOWEST):
        row, column = 160 - STEP_PX * step, int(x[index])
        strip[row - 3 : row + 3, column - 4 : column + 5] = 0
        low = 8 + BANDS * step
        end = frame[index + 1] if index + 1 < notes else length
        fading = 0.97 ** np.arange(end - frame[index])
        spectrogram[frame[index] : end, low : low + BANDS] += fading[:, None].astype(np.float32)
    row = {
        "piece_id": piece_id,
        "split": split,
        "font": font,
        "tempo_ratio": tempo_ratio,
        "fps": RETRIEVAL.fps,
        "bins": RETRIEVAL.bins,
        "spectrogram": spectrogram.ravel(),
        "images": [png(strip)],
        "left": [0.0],
        "right": [float(width)],
        "note_id": np.arange(notes),
        "onset_s": onset / tempo_ratio,
        "frame": frame,
        "image": np.zeros(notes, int),
        "x": x,
        "pitch": pitch,
        "first_frame": np.full(notes, frame[0]),
        "last_frame": np.full(notes, frame[-1]),
        "reason": [None] * notes,
    }
    return row | changes


def noise(width: int, seed: int = 0) -> np.ndarray:
    """A strip on which no two places look alike."""
    return np.random.default_rng(seed).integers(0, 255, (200, width), np.uint8)


def on_strip(strip: np.ndarray, x: list[float], piece_id: str = "piece", **changes) -> dict:
    """A performance with onsets at the given places of a strip."""
    width = {"images": [png(strip)], "right": [float(strip.shape[1])]}
    return performance(piece_id, notes=len(x), **width, **({"x": x} | changes))


def shards(
    folder: Path, pieces: int = 3, tempo_ratios: tuple[float, ...] = (1.0,), **arguments
) -> dict[str, list[Path]]:
    """Two shards for each tempo, of the same pieces "tune0", "tune1", ...; the files by tempo."""
    files: dict[str, list[Path]] = {}
    for tempo_ratio in tempo_ratios:
        rows = [
            performance(f"tune{n}", tempo_ratio=tempo_ratio, seed=n, **arguments)
            for n in range(pieces)
        ]
        files[str(tempo_ratio)] = [
            write_shard(Path(folder) / f"{tempo_ratio}-{part}.parquet", rows[part::2])
            for part in (0, 1)
        ]
    return files


def titled(figure, start: str) -> list:
    """Axes whose title begins so, wherever it stands."""
    return [
        axes
        for axes in figure.axes
        if (axes.get_title() or axes.get_title(loc="left")).startswith(start)
    ]


def curve(axes) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the first line."""
    return tuple(map(np.asarray, axes.lines[0].get_data()))


def assert_drawn(folder, *names):
    """The files of these figures and no others; the pictures have ink on white."""
    assert {path.name for path in folder.iterdir()} == {
        f"{name}{suffix}" for name in names for suffix in (".png", ".pdf")
    }
    for name in names:
        pixels = np.asarray(Image.open(folder / f"{name}.png").convert("L"))
        assert pixels.shape[1] > 1000
        assert 0.005 < (pixels < 200).mean() < 0.9


def narrow_tokens() -> PT:
    """Our embedding network, of few weights."""
    return PT(channels=(2, 2, 2, 4, 4), width=8)
