"""Read noteheads and staves out of LilyPond's SVG, and draw parts of it as pixels.

LilyPond's SVG measures in staff spaces, origin top left, and places everything by translations.
"""

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import resvg_py
from PIL import Image

_NS = "{http://www.w3.org/2000/svg}"
_TRANSLATE = re.compile(r"translate\(\s*([-\d.]+)[ ,]+([-\d.]+)\s*\)")


@dataclass(frozen=True)
class Head:
    """A notehead; lengths in staff spaces, its box's centre at (x, y)."""

    where: str  # file:line:column of the note in the source
    pitch: int
    system: int
    moment: Fraction  # quarters, in the printed score
    grace: bool
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Staff:
    """The five lines of one staff in one system; lengths in staff spaces."""

    system: int
    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True)
class Page:
    """What an SVG shows. `mm` is the length of a staff space."""

    heads: list[Head]
    staves: list[Staff]
    mm: float


def _offset(element: ET.Element) -> tuple[float, float]:
    match = _TRANSLATE.search(element.get("transform", ""))
    return (float(match[1]), float(match[2])) if match else (0.0, 0.0)


def _head(group: ET.Element) -> Head:
    x, y = _offset(group[0])
    x0, x1, y0, y1 = (float(value) for value in group.get("data-box").split())
    return Head(
        group.get("data-where"),
        int(group.get("data-pitch")),
        int(group.get("data-system")),
        4 * Fraction(group.get("data-moment")),
        group.get("data-grace") != "0",
        x + (x0 + x1) / 2,
        y - (y0 + y1) / 2,  # LilyPond's y points upwards
        x1 - x0,
        y1 - y0,
    )


def _staff(group: ET.Element) -> Staff:
    lines = []
    for place in group:
        x, y = _offset(place)
        for line in place.iter(f"{_NS}line"):
            lines.append((x + float(line.get("x1")), x + float(line.get("x2")), y))
    left, right, y = (np.array(values) for values in zip(*lines, strict=True))
    return Staff(
        int(group.get("data-system")),
        float(left.min()),
        float(right.max()),
        float(y.min()),
        float(y.max()),
    )


def read(text: str) -> Page:
    """Find heads and staves in an SVG that was made with engrave.ily."""
    root = ET.fromstring(text)
    marked = [group for group in root.iter(f"{_NS}g") if group.get("data-kind")]
    heads = [_head(group) for group in marked if group.get("data-kind") == "head"]
    staves = [_staff(group) for group in marked if group.get("data-kind") == "staff"]
    width = float(root.get("width").removesuffix("mm"))
    units = float(root.get("viewBox").split()[2])
    return Page(heads, sorted(staves, key=lambda staff: staff.top), width / units)


def draw(text: str, x: float, y: float, scale: float, width: int, height: int) -> np.ndarray:
    """Draw the part of an SVG whose top left corner is (x, y), in staff spaces.

    `scale` is in pixels a staff space. Gives uint8 (height, width), white 255. Nothing is rounded
    to pixels before it is drawn, so a staff looks the same wherever it stood on the page.
    """
    start, end = text.index("<svg"), text.index(">", text.index("<svg")) + 1
    opening = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}" '
        f'viewBox="{x:.6f} {y:.6f} {width / scale:.6f} {height / scale:.6f}">'
    )
    png = resvg_py.svg_to_bytes(
        svg_string=text[:start] + opening + text[end:], background="white", skip_system_fonts=True
    )
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))


def png(pixels: np.ndarray) -> bytes:
    """uint8 (height, width) as a PNG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=False)
    return out.getvalue()
