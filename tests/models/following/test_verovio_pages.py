"""Pages that Verovio engraved, as following by image sees them."""

import random

import numpy as np
import pytest

from models.following import image
from models.following.alignment import Sheet
from partimento import scores
from tests.support import musicxml

BARS = 16


def bars(staves: int) -> list[str]:
    """Quavers and minims, with bars 5 to 8 between repeat signs."""
    draw = random.Random(1)
    made = []
    for number in range(1, BARS + 1):
        music = musicxml.repeat("forward") if number == 5 else ""
        music += "".join(musicxml.note(f"{draw.choice('CDEFGAB')}5", 0.5) for _ in range(8))
        if staves == 2:
            low = [musicxml.note(f"{draw.choice('CDEFGAB')}3", 2, voice=2, staff=2) for _ in "12"]
            music += musicxml.backup(4) + "".join(low)
        made.append(music + (musicxml.repeat("backward") if number == 8 else ""))
    return made


@pytest.mark.parametrize("staves", [1, 2])
def test_bars_are_found_and_every_notehead_is_in_its_own(staves):
    text = musicxml.score(bars(staves), staves=staves)
    engraved = scores.engraved_tables(text, suffix=".musicxml")
    pages = engraved["images"]["png"].to_pylist()
    sheet = Sheet(pages, *(engraved[name].drop_columns(["piece_id"]) for name in scores.TABLES[1:]))
    printed = image.read_print(sheet)
    assert printed.numbers == [str(number) for number in range(1, BARS + 1)]
    assert sheet.systems.num_rows > 1
    for head in sheet.noteheads.to_pylist():
        inside = np.flatnonzero(printed.system == head["system"])
        nearest = inside[np.abs(printed.page_x[inside] - head["x"]).argmin()]
        assert printed.numbers[printed.bar[nearest]] == head["bar"]
