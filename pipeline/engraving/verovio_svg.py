"""Read noteheads, staves and systems out of Verovio's SVG, and draw its pages as pixels.

Verovio's notes carry the ids of the score. A notehead is one glyph; how large it is says the music
font's own table of bounding boxes.
"""

import io
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import resvg_py
import verovio
from PIL import Image

_NS = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_NUMBER = r"(-?[\d.]+)"
_TRANSLATE = re.compile(rf"translate\({_NUMBER}[ ,]+{_NUMBER}\)")
_SCALE = re.compile(rf"scale\({_NUMBER}(?:[ ,]+{_NUMBER})?\)")
_SIZE = re.compile(r'\bwidth="([\d.]+)px" height="([\d.]+)px"')
_STYLES = (  # of Verovio's style sheet: classes, and the attribute that they stand for
    ("placeholder", 'visibility="hidden"'),
    ("ending|fing|reh|tempo", 'font-weight="bold"'),
    ("dir|dynam|mNum", 'font-style="italic"'),
)
_LINE = re.compile(rf"M{_NUMBER} {_NUMBER} L{_NUMBER} {_NUMBER}")
TEXT_FAMILY = "Liberation Serif"  # of the fonts that Verovio measures text with
FALLBACKS = ("Leipzig", "Bravura")  # where Verovio takes glyphs from that a font lacks


@dataclass(frozen=True)
class Box:
    """A notehead; its box's centre and size in pixels."""

    note: str  # id of its note
    page: int
    system: int
    x: float
    y: float
    width: float
    height: float


@dataclass
class Staff:
    """The lines of one staff in one system, in pixels."""

    left: float
    right: float
    top: float
    bottom: float


@dataclass
class System:
    """The staves of one system by their number in the score."""

    page: int
    staves: dict[int, Staff]


@cache
def _glyphs(font: str) -> dict[str, tuple[float, float, float, float]]:
    """(x, y, width, height) of each glyph of a music font by code point, in font units, y up."""
    table = Path(verovio.__file__).parent / "data" / f"{font}.xml"
    found = {}
    for glyph in ET.parse(table).iter("g"):
        x, y, width, height = (float(glyph.get(name, 0)) for name in "xywh")
        found[glyph.get("c", "")] = (x, y, width, height)
    return found


def _glyph_box(name: str, font: str) -> tuple[float, float, float, float]:
    for known in (font, *FALLBACKS):
        if name in _glyphs(known):
            return _glyphs(known)[name]
    raise ValueError(f"no music font has the glyph {name}")


def _translation(element: ET.Element) -> tuple[float, float]:
    """How far an element is moved by its own transform."""
    found = _TRANSLATE.search(element.get("transform", ""))
    return (float(found[1]), float(found[2])) if found else (0.0, 0.0)


def _head(
    group: ET.Element, font: str, shift: tuple[float, float]
) -> tuple[float, float, float, float] | None:
    """(left, top, right, bottom) of the head of a note in the SVG's units, None if it has none."""
    for part in group:
        if part.get("class") != "notehead":
            continue
        for use in part.iter(f"{_NS}use"):
            name = use.get(_HREF, "").removeprefix("#").partition("-")[0]
            x, y, width, height = _glyph_box(name, font)
            origin = _translation(use)
            size = _SCALE.search(use.get("transform", ""))
            wide = float(size[1]) if size else 1.0
            high = float(size[2] or size[1]) if size else 1.0
            left = origin[0] + shift[0] + wide * x
            bottom = origin[1] + shift[1] - high * y
            return left, bottom - high * height, left + wide * width, bottom
    return None


def _staff_lines(group: ET.Element, shift: tuple[float, float]) -> Staff | None:
    lines = [
        [float(number) for number in line.groups()]
        for path in group.findall(f"{_NS}path")
        if (line := _LINE.fullmatch(path.get("d", "")))
    ]
    if not lines:
        return None
    left, top, right, bottom = (np.array(values) for values in zip(*lines, strict=True))
    dx, dy = shift
    return Staff(
        float(left.min()) + dx,
        float(right.max()) + dx,
        float(top.min()) + dy,
        float(bottom.max()) + dy,
    )


def _classes(element: ET.Element) -> list[str]:
    return (element.get("class") or "").split()


def read(
    text: str, page: int, first_system: int, staff_number: dict[str, int], font: str, width: int
) -> tuple[list[System], list[Box]]:
    """The systems and noteheads of a page.

    Args:
        text: the SVG; `page` is its number, `first_system` the number of its first system.
        staff_number: number of a staff by the id that it has in a bar.
        font: the music font that it was engraved with.
        width: of the page, px.

    Raises:
        ValueError: the text is no SVG of Verovio's.
    """
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise ValueError(f"a page is no SVG ({error})") from None
    inner = root.find(f"{_NS}svg")
    margin = None if inner is None else inner.find(f"{_NS}g")
    if inner is None or margin is None:
        raise ValueError("a page is no SVG of Verovio's")
    scale = width / float(inner.get("viewBox", "0 0 0 0").split()[2])
    shift = _translation(margin)
    systems: list[System] = []
    boxes: list[Box] = []
    for group in margin.iter(f"{_NS}g"):
        if "system" not in _classes(group):
            continue
        number = first_system + len(systems)
        parts: dict[int, list[Staff]] = defaultdict(list)
        for element in group.iter(f"{_NS}g"):
            kinds = _classes(element)
            if "staff" in kinds and element.get("id") in staff_number:
                lines = _staff_lines(element, shift)
                if lines:
                    parts[staff_number[element.get("id", "")]].append(lines)
            elif "note" in kinds and (box := _head(element, font, shift)):
                left, top, right, bottom = (scale * value for value in box)
                boxes.append(
                    Box(
                        element.get("id", ""),
                        page,
                        number,
                        (left + right) / 2,
                        (top + bottom) / 2,
                        right - left,
                        bottom - top,
                    )
                )
        staves = {
            staff: Staff(
                scale * min(part.left for part in own),
                scale * max(part.right for part in own),
                scale * min(part.top for part in own),
                scale * max(part.bottom for part in own),
            )
            for staff, own in sorted(parts.items())
        }
        systems.append(System(page, staves))
    return systems, boxes


def _styled(text: str) -> str:
    """An SVG of Verovio's with its style sheet written into the elements: drawn twice as fast."""
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = text.replace(' stroke-width="', ' stroke="currentColor" stroke-width="')
    for classes, attribute in _STYLES:
        text = re.sub(rf'class="(?:[^"]* )?(?:{classes})(?: [^"]*)?"', attribute, text)
    return re.sub(r' id="(?!E[0-9A-F])[^"]*"| class="[^"]*"', "", text)


def draw(text: str, width: int, fonts: list[str]) -> np.ndarray:
    """Draw a page, `width` px wide, with these font files: uint8 (height, width), white 255.

    Raises:
        ValueError: the page refers to pictures, which a score of notes has no need of.
    """
    if "<image" in text:
        raise ValueError("a page refers to a picture")
    start, end = text.index("<svg"), text.index(">", text.index("<svg")) + 1
    opening = text[start:end]
    stated = _SIZE.search(opening)
    if stated is None:
        raise ValueError("a page states no size")
    height = round(width * float(stated[2]) / float(stated[1]))
    sized = opening.replace(stated[0], f'width="{width}px" height="{height}px"')
    png = resvg_py.svg_to_bytes(
        svg_string=_styled(text[:start] + sized + text[end:]),
        background="white",
        skip_system_fonts=True,
        font_files=fonts,
        serif_family=TEXT_FAMILY,
    )
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))
