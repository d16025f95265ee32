"""A made-up piece as a data set: two pages, three systems, the last played twice, and its sound."""

import io
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image, ImageDraw

from pipeline import tables

PIECE = "BachJS/minuet"
TITLE = "</title></script><i>Minuet</i> & Trio"
RATE = 44_100
SPACE = 7  # px between staff lines
LEFT, RIGHT = 60, 780  # px, of every system
SYSTEMS = [(0, (80, 150)), (0, (300, 370)), (1, (120, 190))]  # image, top line of each staff
QUARTER = 0.5  # s
ORNAMENT = "an ornament without a notehead"

# One line a quarter: system, x of the upper head and its pitch, pitch of the lower head or None.
# The last system is played twice; in between sounds an ornament that nobody printed.
LINE = [
    (0, 100, 76, 48), (0, 250, 74, None), (0, 330, 72, 52), (0, 560, 71, None),
    (1, 110, 69, 53), (1, 300, 71, None), (1, 500, 72, 55), (1, 700, 74, None),
    (2, 150, 79, 60), (2, 600, 77, 59),
]  # fmt: skip
ORNAMENT_AT = len(LINE)
REPEAT_AT = ORNAMENT_AT + 1
PLAYED = [*LINE, None, *LINE[8:]]


def height(system: int, staff: int, pitch: int) -> float:
    """Some height on the staff, px; its pitch does not matter here."""
    return SYSTEMS[system][1][staff] + SPACE * (1 + pitch % 4 / 2)


def draw_image(number: int, heads: list[dict]) -> bytes:
    """A page with staff lines and round black heads."""
    image = Image.new("L", (835, 520), 255)
    pen = ImageDraw.Draw(image)
    for where, tops in SYSTEMS:
        for top in tops if where == number else ():
            for line in range(5):
                pen.line((LEFT, top + line * SPACE, RIGHT, top + line * SPACE), fill=0)
    for head in heads:
        if head["image"] == number:
            x, y = head["x"], head["y"]
            pen.ellipse((x - 5, y - 4, x + 5, y + 4), fill=0)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def score() -> tuple[list[dict], list[dict]]:
    """Rows of NOTEHEADS and NOTES."""
    heads, printed = [], {}
    for moment, (system, x, upper, lower) in enumerate(LINE):
        for staff, pitch in ((0, upper), (1, lower)):
            if pitch is not None:
                printed[moment, staff] = len(heads)
                heads.append({
                    "piece_id": PIECE, "notehead_id": len(heads), "image": SYSTEMS[system][0],
                    "system": system, "staff": staff, "x": x + 3.0 * staff,
                    "y": height(system, staff, pitch), "width": 10.0, "height": 8.0,
                    "pitch": pitch, "moment": float(moment), "grace": False, "tied": False,
                })  # fmt: skip
    tied = heads[-1] | {"notehead_id": len(heads), "x": 700.0, "moment": 10.0, "tied": True}
    heads.append(tied)
    notes = []

    def sound(quarter, pitch, notehead_id, reason=None):
        notes.append({
            "piece_id": PIECE, "note_id": len(notes), "onset": float(quarter),
            "onset_s": quarter * QUARTER, "duration": 1.0, "duration_s": QUARTER,
            "pitch": pitch, "notehead_id": notehead_id, "reason": reason,
        })  # fmt: skip

    for quarter, played in enumerate(PLAYED):
        if played is None:
            sound(quarter, 90, None, ORNAMENT)
            continue
        moment = LINE.index(played)
        for staff, pitch in ((0, played[2]), (1, played[3])):
            if pitch is not None:
                sound(quarter, pitch, printed[moment, staff])
    return heads, notes


def frequency(pitch: int) -> float:
    return 440 * 2 ** ((pitch - 69) / 12)


def sing(notes: list[dict]) -> np.ndarray:
    """Every note as a pure tone, loudest where it begins."""
    sound = np.zeros(int((len(PLAYED) * QUARTER + 1) * RATE), np.float32)
    for note in notes:
        t = np.arange(int(QUARTER * RATE)) / RATE
        start = int(note["onset_s"] * RATE)
        tone = 0.2 * np.exp(-4 * t) * np.sin(2 * np.pi * frequency(note["pitch"]) * t)
        sound[start : start + len(t)] += tone
    return sound


def write_data(folder: Path, recording: bool = True) -> None:
    """A data set of one chunk: a good piece, one left out in selection, one not engraved."""
    heads, notes = score()
    write = {
        "pieces": [
            {"piece_id": PIECE, "title": TITLE, "composer": "J. S. Bach", "split": "test",
             "collection": "piano", "licence": "Public Domain"},
            {"piece_id": "silent", "reason": "no score"},
            {"piece_id": "broken"},
        ],
        "engraved": [{"piece_id": PIECE}, {"piece_id": "broken", "reason": "LilyPond: time limit"}],
        "images": [
            {"piece_id": PIECE, "image": number, "png": draw_image(number, heads),
             "width": 835, "height": 520}
            for number in range(2)
        ],
        "systems": [
            {"piece_id": PIECE, "system": number, "image": image, "left": LEFT, "right": RIGHT,
             "top": tops, "bottom": [top + 4 * SPACE for top in tops]}
            for number, (image, tops) in enumerate(SYSTEMS)
        ],
        "noteheads": heads,
        "notes": notes,
        "performances/sines/1.0": [
            {"piece_id": PIECE, "font": "sines", "tempo_ratio": 1.0, "audio": "minuet.flac"}
        ],
    }  # fmt: skip
    for name, rows in write.items():
        schema = getattr(tables, name.split("/")[0].upper())
        tables.write(rows, schema, folder / name / "0.parquet")
    if recording:
        audio = folder / "audio/sines/1.0/0"
        audio.mkdir(parents=True)
        soundfile.write(audio / "minuet.flac", sing(notes), RATE)
