"""Strips and snippets: a piece as one long image, and the window of it around an onset (B 3.2).

Two croppings. `padded` is ours: what lies outside a page or a strip is white. `2019` is that of
the published experiments, kept so that both can be reported: pages stand on top of one another,
their outermost rows are repeated, and near the ends of a strip a snippet misses its onset.
"""

import math
from typing import Literal, get_args

import numpy as np

from pipeline.constants import (
    CROP_WIDTH_PX,
    SNIPPET_HEIGHT_PX,
    SNIPPET_WIDTH_PX,
    STRIP_HEIGHT_PX,
    WHITE,
)

Cropping = Literal["padded", "2019"]
AROUND_PX = 40  # rows that a taller strip has above and below its tallest system


def box(system: dict) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of a row of SYSTEMS in whole pixels, the last two exclusive.

    Left and top are rounded down, right and bottom up: every pixel of the staff lines is inside.
    """
    return (
        math.floor(system["left"]),
        math.floor(system["top"][0]),
        math.ceil(system["right"]),
        math.ceil(system["bottom"][-1]),
    )


def height(systems: list[dict], cropping: Cropping = "padded") -> int:
    """Rows of a strip: 200, or an even number that the tallest system needs.

    In `2019` it is always 200, and taller systems lack their outer staff lines.
    """
    tallest = max((bottom - top for _, top, _, bottom in map(box, systems)), default=0)
    if cropping == "2019" or tallest <= STRIP_HEIGHT_PX:
        return STRIP_HEIGHT_PX
    return 2 * math.ceil(tallest / 2) + 2 * AROUND_PX


def strip(
    pages: list[np.ndarray], systems: list[dict], cropping: Cropping = "padded"
) -> tuple[np.ndarray, dict[int, int]]:
    """Cut the systems of a piece out of its pages and join them from left to right.

    pages: grey images (height, width) uint8 in order; systems: rows of SYSTEMS in order.
    Gives the strip, (`height`, W) uint8, and for every system what is to be added to an x on its
    page to get the x in the strip (px). A system's rows are those about the middle between its
    first and last staff line, its columns reach from left to right of the staff lines. Without
    systems W is 0.
    Raises ValueError for an unknown cropping, and in `2019` for pages of different widths.
    """
    rows = height(systems, cropping)
    sheets = _with_margins(pages, cropping, rows // 2)
    parts = [np.empty((rows, 0), np.uint8)]
    shifts, width = {}, 0
    for system in systems:
        left, top, right, bottom = box(system)
        left = max(left, 0)
        first = (top + bottom) // 2  # within the margins; rows // 2 above the middle
        part = sheets[system["image"]][first : first + rows, left:right]
        parts.append(part)
        shifts[system["system"]] = width - left
        width += part.shape[1]
    return np.hstack(parts), shifts


def _with_margins(pages: list[np.ndarray], cropping: Cropping, margin: int) -> list[np.ndarray]:
    """Each page with `margin` more rows above and below, as the cropping fills them."""
    _check(cropping)
    margins = ((margin, margin), (0, 0))
    if cropping == "padded":
        return [np.pad(page, margins, constant_values=WHITE) for page in pages]
    if len(widths := {page.shape[1] for page in pages}) > 1:
        raise ValueError(f"pages of {sorted(widths)} px cannot stand on top of one another")
    stack = np.pad(np.vstack(pages), margins, mode="edge")
    starts = np.cumsum([0, *(len(page) for page in pages)])
    return [
        stack[start : start + len(page) + 2 * margin]
        for start, page in zip(starts, pages, strict=False)
    ]


def snippet(strip: np.ndarray, x: float, cropping: Cropping = "padded") -> np.ndarray:
    """The window of a strip, (at least 200, W) uint8, around an onset at x (px): (160, 200) uint8.

    The pixel that contains x comes to stand in column 100. In `2019` a crop of 800 px about x,
    pushed back inside the strip, is cut at its own middle instead, so that onsets in the first or
    last 400 px of a strip, and all of a strip up to 800 px, share one snippet.
    Raises ValueError for an unknown cropping, for x outside the strip, and in `2019` for a strip
    of up to 200 px, which those experiments left out.
    """
    _check(cropping)
    width = strip.shape[1]
    column = math.floor(x)
    if not 0 <= column < width:
        raise ValueError(f"x is {x}, outside a strip of {width} px")
    first_row = (len(strip) - SNIPPET_HEIGHT_PX) // 2
    rows = strip[first_row : first_row + SNIPPET_HEIGHT_PX]
    if cropping == "2019":
        if width <= SNIPPET_WIDTH_PX:
            raise ValueError(f"a strip of {width} px is too narrow for a snippet of 2019")
        crop = min(CROP_WIDTH_PX, width)
        column = min(max(column - CROP_WIDTH_PX // 2, 0), width - crop) + crop // 2
    left = column - SNIPPET_WIDTH_PX // 2
    right = left + SNIPPET_WIDTH_PX
    inside = rows[:, max(left, 0) : right]
    return np.pad(inside, ((0, 0), (max(-left, 0), max(right - width, 0))), constant_values=WHITE)


def _check(cropping: str) -> None:
    if cropping not in get_args(Cropping):
        raise ValueError(f"cropping is {cropping}; it is one of {', '.join(get_args(Cropping))}")
