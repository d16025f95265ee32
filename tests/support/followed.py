"""A followed recording, made up: two pages, the first of which is played twice, then applause."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile
from PIL import Image, ImageDraw

from models.following.alignment import About, Alignment, Span, table
from pipeline import tables

RATE = 22_050
QUARTER_S = 0.5
LEAD_S, APPLAUSE_S = 1.0, 1.0
WIDTH, HEIGHT = 420, 600  # px, of a page
LEFT, RIGHT, SPACE = 30, 400, 6
TOPS = (100, 170)  # px, first lines of the two staves of the only system on a page
PRINTED = [  # page, x (px), pitch; two in a bar
    (0, 80, 60), (0, 160, 62), (0, 240, 64), (0, 320, 65), (1, 90, 67), (1, 250, 69),
]  # fmt: skip
PLAYED = [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]
UNSURE = (6, 7)  # of those that are played
DURATION_S = LEAD_S + QUARTER_S * len(PLAYED) + APPLAUSE_S


def onset_s(number: int) -> float:
    """When one of those that are played is heard."""
    return LEAD_S + QUARTER_S * number


def alignment(folder: Path, title: str = "A tune", played: int = len(PLAYED)) -> Alignment:
    """The alignment of as many notes as are played, with its recording in `folder`."""
    end = LEAD_S + QUARTER_S * played
    spans = [Span(0, LEAD_S - 0.1, "silence"), Span(end, end + APPLAUSE_S, "applause or talk")]
    about = About("tune.wav", end + APPLAUSE_S, "notes", "bars 1–2, 1–2, 3", spans)
    rows = []
    for number, head in enumerate(PLAYED[:played]):
        page, x, _ = PRINTED[head]
        rows.append({
            "time": onset_s(number), "page": page, "system": page, "bar": str(1 + head // 2),
            "beat": float(head % 2), "x": x, "y": TOPS[0] + SPACE,
            "pass": 1 + (head in PLAYED[:number]), "onset": float(head),
            "note_ids": [str(number)], "notehead_ids": [head],
            "sureness": 0.1 if number in UNSURE else 0.9,
        })  # fmt: skip
    systems = [
        {"system": page, "image": page, "left": LEFT, "right": RIGHT, "top": TOPS,
         "bottom": [top + 4 * SPACE for top in TOPS]}
        for page in (0, 1)
    ]  # fmt: skip
    heads = [
        {"notehead_id": number, "image": page, "system": page, "staff": 0, "x": x,
         "y": TOPS[0] + SPACE, "width": 8, "height": 6, "pitch": pitch, "moment": float(number),
         "grace": False, "tied": False}
        for number, (page, x, pitch) in enumerate(PRINTED)
    ]  # fmt: skip
    notes = [
        {"note_id": number, "pitch": PRINTED[head][2], "duration": 1.0, "notehead_id": head}
        for number, head in enumerate(PLAYED[:played])
    ]
    return Alignment(
        table=table(rows, about),
        about=about,
        recording=recording(folder / "tune.wav", played),
        pages=[_page(0), _page(1)],
        systems=pa.Table.from_pylist(systems, tables.without_piece(tables.SYSTEMS)),
        noteheads=pa.Table.from_pylist(heads, tables.without_piece(tables.NOTEHEADS)),
        notes=pa.Table.from_pylist(notes, tables.without_piece(tables.NOTES)),
        title=title,
        composer="Nobody",
    )


def tone(pitch: int, seconds: float = QUARTER_S) -> np.ndarray:
    """A note, loudest where it begins."""
    t = np.arange(int(seconds * RATE)) / RATE
    return 0.4 * np.exp(-4 * t) * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t)


def recording(path: Path, played: int) -> Path:
    """Silence, the notes, and noise."""
    notes = [tone(PRINTED[head][2]) for head in PLAYED[:played]]
    noise = 0.1 * np.random.default_rng(0).normal(size=int(APPLAUSE_S * RATE))
    soundfile.write(path, np.concatenate([np.zeros(int(LEAD_S * RATE)), *notes, noise]), RATE)
    return path


def _page(number: int) -> bytes:
    image = Image.new("L", (WIDTH, HEIGHT), 255)
    pen = ImageDraw.Draw(image)
    for top in TOPS:
        for line in range(5):
            pen.line((LEFT, top + line * SPACE, RIGHT, top + line * SPACE), fill=0)
    for page, x, _ in PRINTED:
        if page == number:
            y = TOPS[0] + SPACE
            pen.ellipse((x - 4, y - 3, x + 4, y + 3), fill=0)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
