"""Read noteheads and staves out of LilyPond's SVG, and draw parts of it as pixels.

LilyPond's SVG measures in staff spaces, origin top left, and places everything by translations.
"""

import io
import math
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
import resvg_py
from PIL import Image

from pipeline import images
from pipeline.engraving import note_log
from pipeline.sandbox import lilypond

_NS = "{http://www.w3.org/2000/svg}"
_TRANSFORM = re.compile(r"(translate|scale)\(\s*+([-\d.]++)[ ,]++([-\d.]++)\s*+\)")
# What LilyPond draws with. Pictures, scripts, uses and filters come from elsewhere.
_ELEMENTS = {
    f"{_NS}{name}"
    for name in ("svg", "g", "a", "style", "path", "line", "rect", "circle", "ellipse", "polygon",
                 "polyline", "text", "tspan")
}  # fmt: skip
DEPTH = 100  # elements inside one another; LilyPond has six, and resvg's stack ends at a thousand
MAX_PIXELS = 64_000_000  # of a page; A4 has one million


@dataclass(frozen=True)
class Notehead:
    """A notehead; lengths in staff spaces, its box's centre at (x, y)."""

    location: str  # file:line:column of the note in the source
    pitch: int
    steps: int  # of the scale above middle C, as the note is spelled
    system: int
    staff: int
    moment: Fraction  # quarters, in the printed score
    grace: Fraction  # quarters of grace notes before the moment, negative
    x: float
    y: float
    width: float
    height: float
    number: int = -1  # tells the heads of a piece apart
    bar: int | None = None
    beat: Fraction | None = None  # quarters from the bar's beginning; negative in a pickup
    score: int = 0  # tells the scores of a file apart


@dataclass(frozen=True)
class Staff:
    """The lines of one staff in one system; lengths in staff spaces."""

    system: int
    number: int
    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True)
class Clef:
    """A clef; its origin stands on the line that it names."""

    system: int
    staff: int
    glyph: str
    x: float
    y: float


@dataclass(frozen=True)
class Key:
    """A key signature, or the naturals that take one back."""

    staff: int
    altered: dict[int, Fraction]  # semitones by step of the scale, 0 is C
    x: float


@dataclass(frozen=True)
class Bar:
    """A bar line of one staff."""

    staff: int
    x: float
    glyph: str  # by LilyPond's name: dots at its right begin a repeat, at its left they end one
    moment: Fraction  # quarters, in the printed score
    score: int  # tells the scores of a file apart


@dataclass(frozen=True)
class Page:
    """What an SVG shows, sizes in staff spaces. `mm` is the length of one."""

    heads: list[Notehead]
    staves: list[Staff]
    clefs: list[Clef]
    keys: list[Key]
    bars: list[Bar]
    accidentals: dict[int, str]  # glyph by number of the head
    ties: dict[int, int]  # number of the head at the right end -> at the left end
    width: float
    height: float
    mm: float


def _offset(element: ET.Element | None) -> tuple[float, float]:
    """Where the reference point of a grob stands: its groups' translations, scaled as they say."""
    x = y = 0.0
    wide = high = 1.0
    while element is not None and element.tag == f"{_NS}g":
        for kind, first, second in _TRANSFORM.findall(element.get("transform", "")):
            if kind == "translate":
                x, y = x + wide * float(first), y + high * float(second)
            else:
                wide, high = wide * float(first), high * float(second)
        element = next(iter(element), None)
    return x, y


def _head(group: ET.Element) -> Notehead:
    x, y = _offset(group[0])
    x0, x1, y0, y1 = _numbers(group.get("data-box"), 4)
    return Notehead(
        group.get("data-where"),
        int(group.get("data-pitch")),
        int(group.get("data-steps")),
        int(group.get("data-system")),
        int(group.get("data-staff")),
        4 * note_log.fraction(group.get("data-moment")),
        4 * note_log.fraction(group.get("data-grace")),
        x + (x0 + x1) / 2,
        y - (y0 + y1) / 2,  # LilyPond's y points upwards
        x1 - x0,
        y1 - y0,
        int(group.get("data-number")),
        int(bar) if (bar := group.get("data-bar")) else None,
        4 * note_log.fraction(beat) if (beat := group.get("data-beat")) else None,
        int(group.get("data-score")),
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
        int(group.get("data-staff")),
        float(left.min()),
        float(right.max()),
        float(y.min()),
        float(y.max()),
    )


def _clef(group: ET.Element) -> Clef:
    system, staff = int(group.get("data-system")), int(group.get("data-staff"))
    return Clef(system, staff, group.get("data-glyph"), *_offset(group[0]))


def _key(group: ET.Element) -> Key:
    pairs = (pair.split(":") for pair in group.get("data-altered").split())
    altered = {int(step): note_log.fraction(semitones) for step, semitones in pairs}
    return Key(int(group.get("data-staff")), altered, _offset(group[0])[0])


def _bar(group: ET.Element) -> Bar:
    return Bar(
        int(group.get("data-staff")),
        _offset(group[0])[0],
        group.get("data-glyph"),
        4 * note_log.fraction(group.get("data-moment")),
        int(group.get("data-score")),
    )


def _numbers(text: str | None, count: int) -> list[float]:
    """So many numbers. ValueError for other things, NaN and infinity."""
    numbers = [float(value) for value in (text or "").split()]
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{count} numbers expected in a page, not '{(text or '')[:40]}'")
    return numbers


def parse(text: str) -> ET.Element:
    """Parse an SVG, and refuse what LilyPond does not draw with.

    Raises:
        ValueError: if it is no SVG, names entities, pictures or other files, runs scripts, or is
            nested more deeply than LilyPond nests.
    """
    for mark, what in (("<!DOCTYPE", "a document type"), ("<!ENTITY", "entities")):
        if mark in text:
            raise ValueError(f"a page declares {what}")
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise ValueError(f"a page is no SVG ({error})") from None
    if root.tag != f"{_NS}svg":
        raise ValueError("a page is no SVG")
    waiting = [(root, 1)]
    while waiting:
        element, depth = waiting.pop()
        name = element.tag.rpartition("}")[2]
        if element.tag not in _ELEMENTS or (depth > 1 and name == "svg"):
            raise ValueError(f"a page holds what LilyPond does not draw with: <{name[:40]}>")
        if name != "a" and any(key.rpartition("}")[2] == "href" for key in element.attrib):
            raise ValueError(f"a page refers to something outside of it: <{name} href>")
        if depth > DEPTH:
            raise ValueError(f"a page has more than {DEPTH} elements inside one another")
        waiting += [(child, depth + 1) for child in element]
    style = "".join(element.text or "" for element in root.iter(f"{_NS}style"))
    if "url(" in style or "@" in style:
        raise ValueError("a page refers to something outside of it: <style>")
    return root


def read(text: str) -> Page:
    """Find heads, staves and what tells the pitch of heads, in an SVG made with engrave.ily.

    Noteheads without pitch (drums) are skipped. Raises ValueError for an SVG that LilyPond did not
    draw.
    """
    root = parse(text)
    marked: dict[str, list[ET.Element]] = defaultdict(list)
    for group in root.iter(f"{_NS}g"):
        if len(group) and (kind := group.get("data-kind")):
            marked[kind].append(group)
    staves = [_staff(group) for group in marked["staff"]]
    _, _, width, height = _numbers(root.get("viewBox"), 4)
    (breadth,) = _numbers(root.get("width", "").removesuffix("mm"), 1)
    if min(width, height, breadth) <= 0:
        raise ValueError("a page has no size")
    return Page(
        [_head(group) for group in marked["head"] if group.get("data-pitch")],
        sorted(staves, key=lambda staff: staff.top),
        [_clef(group) for group in marked["clef"]],
        [_key(group) for group in marked["key"]],
        [_bar(group) for group in marked["bar"]],
        {int(group.get("data-head")): group.get("data-glyph") for group in marked["accidental"]},
        {int(group.get("data-right")): int(group.get("data-left")) for group in marked["tie"]},
        width,
        height,
        breadth / width,
    )


@cache
def _fonts() -> dict:
    """LilyPond's own text fonts, by which it measured; without them all text is left out."""
    return {
        "font_dirs": [str(folder) for folder in lilypond.font_folders()],
        "serif_family": "C059",
        "sans_serif_family": "Nimbus Sans",
        "monospace_family": "Nimbus Mono PS",
    }


def draw(text: str, x: float, y: float, scale: float, width: int, height: int) -> np.ndarray:
    """Draw the part of an SVG whose top left corner is (x, y), in staff spaces.

    `scale` is in pixels a staff space. Gives uint8 (height, width), white 255. Nothing is rounded
    to pixels before it is drawn, so a staff looks the same wherever it stood on the page. Raises
    ValueError for more pixels than any page has.
    """
    if width * height > MAX_PIXELS:
        raise ValueError(f"a page of {width} x {height} px, more than {MAX_PIXELS:,} in all")
    start, end = text.index("<svg"), text.index(">", text.index("<svg")) + 1
    opening = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}" '
        f'viewBox="{x:.6f} {y:.6f} {width / scale:.6f} {height / scale:.6f}">'
    )
    png = resvg_py.svg_to_bytes(
        svg_string=text[:start] + opening + text[end:],
        background="white",
        skip_system_fonts=True,
        **_fonts(),
    )
    return images.grey(png)


def png(pixels: np.ndarray) -> bytes:
    """uint8 (height, width) as a PNG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=False)
    return out.getvalue()
