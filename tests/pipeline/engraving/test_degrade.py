"""Degraded pages: coordinates still sit on the ink of their noteheads."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw

from pipeline import tables
from pipeline.engraving import degrade, page_checks, svg

WIDTH, HEIGHT = 835, 1181


def drawn(seed: int = 0) -> tuple[np.ndarray, list[dict]]:
    """A page of black ellipses of a notehead's size, and their rows of NOTEHEADS."""
    image = Image.new("L", (WIDTH, HEIGHT), 255)
    pen = ImageDraw.Draw(image)
    heads = []
    for x in range(30, WIDTH - 20, 61):
        for y in range(30, HEIGHT - 20, 67):
            pen.ellipse([x - 5, y - 4, x + 5, y + 4], fill=0)
            heads.append({"x": x + 0.5, "y": y + 0.5, "width": 11.0, "height": 9.0})
    return np.asarray(image), heads


def ink_centre(pixels: np.ndarray, x: float, y: float) -> tuple[float, float]:
    """The centre of gravity of the ink about a point."""
    left, top = int(x) - 12, int(y) - 12
    dark = 255.0 - pixels[top : top + 25, left : left + 25]
    dark = np.where(dark > dark.max() / 2, dark, 0)
    rows, columns = np.mgrid[0:25, 0:25] + 0.5
    return (dark * columns).sum() / dark.sum() + left, (dark * rows).sum() / dark.sum() + top


@pytest.mark.parametrize("scan", ["copier", "phone"])
@pytest.mark.parametrize("seed", range(3))
def test_coordinates_follow_the_ink(scan, seed):
    pixels, heads = drawn()
    scanned, matrix = degrade.page(pixels, pixels[::-1], scan, np.random.default_rng(seed))
    assert scanned.shape == pixels.shape and scanned.dtype == np.uint8
    x, y = degrade.move(matrix, *np.array([(h["x"], h["y"]) for h in heads]).T)
    for u, v in zip(x, y, strict=True):
        if 14 < u < WIDTH - 14 and 14 < v < HEIGHT - 14:
            assert ink_centre(scanned, u, v) == pytest.approx((u, v), abs=0.8)
    moved = [h | {"x": u, "y": v} for h, u, v in zip(heads, x, y, strict=True)]
    assert page_checks.off_ink(scanned, moved) == 0
    assert np.hypot(x - [h["x"] for h in heads], y - [h["y"] for h in heads]).max() > 0.5


def test_a_degraded_page_is_grey_noisy_and_lit_unevenly():
    pixels, _ = drawn()
    scanned, _ = degrade.page(pixels, None, "phone", np.random.default_rng(1))
    paper = scanned[scanned > 120].astype(float)
    assert paper.std() > 3 and len(np.unique(scanned)) > 50


def piece() -> dict[str, pa.Table]:
    pixels, heads = drawn()
    rows = {
        "images": [{"image": 0, "png": svg.png(pixels), "width": WIDTH, "height": HEIGHT}],
        "systems": [
            {"system": 0, "image": 0, "left": 30.0, "right": 800.0, "top": [100.0, 200.0],
             "bottom": [128.0, 228.0]}
        ],
        "noteheads": [h | {"image": 0, "notehead_id": n} for n, h in enumerate(heads)],
        "notes": [{"note_id": 0, "notehead_id": 0}],
    }  # fmt: skip
    return {
        name: pa.Table.from_pylist(
            [{"piece_id": "p"} | row for row in own], schema=getattr(tables, name.upper())
        )
        for name, own in rows.items()
    }


def test_the_tables_of_a_piece_are_moved_along_and_follow_from_the_seed():
    before = piece()
    after = degrade.tables_of(before, "phone", 7, "p")
    again = degrade.tables_of(before, "phone", 7, "p")
    other = degrade.tables_of(before, "phone", 8, "p")
    assert after["images"].equals(again["images"]) and not after["images"].equals(other["images"])
    assert after["notes"].equals(before["notes"])
    page = np.asarray(Image.open(io.BytesIO(after["images"]["png"][0].as_py())))
    assert page_checks.off_ink(page, after["noteheads"].to_pylist()) == 0
    (system,) = after["systems"].to_pylist()
    assert system["bottom"][1] - system["top"][0] == pytest.approx(128, abs=3)
    assert system["right"] - system["left"] == pytest.approx(770, abs=15)
