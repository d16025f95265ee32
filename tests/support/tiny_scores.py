"""Scores of a few bars as tables, and recordings of them made of decaying tones."""

import io
import random

import numpy as np
import pyarrow as pa
from PIL import Image

from models.following.alignment import Sheet
from pipeline import tables
from pipeline.constants import SPECTROGRAM_RATE_HZ as RATE_HZ

BAR = 4  # quarters, one note each
BARS_A_SYSTEM = 4
SCALE = (60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79)


def drawn(bars: int, seed: int = 1) -> list[list[int]]:
    """Pitches of so many bars, four quarters each."""
    draw = random.Random(seed)
    return [[draw.choice(SCALE) for _ in range(BAR)] for _ in range(bars)]


def sheet(bars: list[list[int]], order: list[int], quarter_s: float = 0.5, **more) -> Sheet:
    """A printed score whose bars are played in this order, at so many seconds a quarter."""
    heads, notes = [], []
    for number, bar in enumerate(bars):
        system = number // BARS_A_SYSTEM
        for beat, pitch in enumerate(bar):
            heads.append(
                {
                    "notehead_id": len(heads), "image": 0, "system": system, "staff": 0,
                    "x": 100.0 + 150 * (number % BARS_A_SYSTEM) + 30 * beat,
                    "y": 120.0 + 100 * system, "width": 10.0, "height": 8.0, "pitch": pitch,
                    "moment": float(BAR * number + beat), "bar": str(number + 1),
                    "beat": float(beat), "grace": False, "tied": False,
                    "source_id": f"b{number + 1}n{beat}",
                }
            )  # fmt: skip
    heard: dict[int, int] = {}
    for place, number in enumerate(order):
        heard[number] = heard.get(number, 0) + 1
        for beat, pitch in enumerate(bars[number]):
            onset = float(BAR * place + beat)
            notes.append(
                {
                    "note_id": len(notes), "onset": onset, "onset_s": onset * quarter_s,
                    "duration": 1.0, "duration_s": quarter_s, "pitch": pitch,
                    "pass": heard[number], "notehead_id": BAR * number + beat,
                }
            )  # fmt: skip
    systems = [
        {"system": n, "image": 0, "left": 80.0, "right": 720.0,
         "top": [105.0 + 100 * n], "bottom": [135.0 + 100 * n]}
        for n in range(1 + (len(bars) - 1) // BARS_A_SYSTEM)
    ]  # fmt: skip
    page = io.BytesIO()
    Image.new("L", (835, 300), 255).save(page, "png")
    made = [
        pa.Table.from_pylist(rows, tables.without_piece(schema))
        for rows, schema in (
            (systems, tables.SYSTEMS),
            (heads, tables.NOTEHEADS),
            (notes, tables.NOTES),
        )
    ]
    return Sheet([page.getvalue()], *made, **more)


def played(bars: list[list[int]], order: list[int], quarter_s: float = 0.5) -> list[tuple]:
    """(onset in s, pitch, number of the bar, beat) of the bars in this order."""
    return [
        ((BAR * place + beat) * quarter_s, pitch, number, beat)
        for place, number in enumerate(order)
        for beat, pitch in enumerate(bars[number])
    ]


def sound(notes: list[tuple], before_s: float = 0.0, after_s: float = 1.0) -> np.ndarray:
    """Decaying tones with three partials at the onsets of `played`: (n,) float32, 22.05 kHz."""
    length = before_s + max(note[0] for note in notes) + 1 + after_s
    made = np.zeros(round(length * RATE_HZ), np.float32)
    time = np.arange(RATE_HZ) / RATE_HZ
    for onset, pitch, *_ in notes:
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * hertz * n * time) / n**2 for n in (1, 2, 3))
        start = round((before_s + onset) * RATE_HZ)
        made[start : start + RATE_HZ] += 0.1 * tone * np.exp(-4 * time) * np.minimum(time * 200, 1)
    return made
