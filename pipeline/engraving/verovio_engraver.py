"""Engrave a score with Verovio: pages as SVG, and what it made of the score as MEI.

Verovio is a C++ library that may end the process on a broken score: call this in a process of its
own.
"""

from dataclasses import dataclass
from fractions import Fraction
from xml.etree import ElementTree as ET

import verovio

from pipeline import constants
from pipeline.engraving import mei
from pipeline.engraving.looks import Look

TENTHS_PER_MM = 10  # Verovio's unit of page sizes is a tenth of a millimetre
A4_HEIGHT_MM = 297.0
LILYPOND_STAFF_MM = 20 * constants.MM_PER_INCH / 72.27  # height of a staff of 20 points
STAFF_UNITS = 8  # of Verovio's option `unit` make the height of a staff
SPACING_LINEAR = 0.25  # Verovio's own
SEED = 1  # of ids that a score lacks
FORMATS = {".musicxml": "musicxml", ".mei": "mei", ".krn": "humdrum", ".abc": "abc"}


@dataclass(frozen=True)
class Engraving:
    """What Verovio makes of a score."""

    pages: list[str]  # SVG
    mei: str


def _options(look: Look) -> dict:
    width = constants.A4_WIDTH_MM * TENTHS_PER_MM * look.page_width_px / constants.PAGE_WIDTH_PX
    return {
        "font": look.music_font,
        "pageWidth": round(width),
        "pageHeight": round(width * A4_HEIGHT_MM / constants.A4_WIDTH_MM),
        "unit": LILYPOND_STAFF_MM * TENTHS_PER_MM / STAFF_UNITS,
        "spacingLinear": SPACING_LINEAR * look.spacing,
        "scale": 100,
        "breaks": "auto",
        "footer": "none",
        "expandNever": True,
        "xmlIdSeed": SEED,
        "smuflTextFont": "none",
        "svgFormatRaw": True,  # spaces between the parts of a text would count as text
        "mnumInterval": 0,
    }


def _toolkit(text: str, kind: str, options: dict) -> verovio.toolkit:
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(options)
    toolkit.setInputFrom(FORMATS[kind])
    if not toolkit.loadData(text):
        raise ValueError("Verovio cannot read it")
    return toolkit


def _without_grace_notes(text: str) -> str | None:
    """The MEI of a score whose grace notes are taken out; None if it has none.

    Verovio lets some grace notes begin on the beat and delays their main note; where the main notes
    stand in the score is told without them.
    """
    root = ET.fromstring(text)
    found = False
    for parent in list(root.iter()):
        for child in list(parent):
            if child.get("grace") or child.tag == f"{mei.SPACE}graceGrp":
                parent.remove(child)
                found = True
    return ET.tostring(root, encoding="unicode") if found else None


def times(text: str) -> mei.Times:
    """When the notes of an MEI score begin and end, repeats not played."""
    stripped = _without_grace_notes(text) or text
    toolkit = _toolkit(stripped, ".mei", {"breaks": "none", "expandNever": True})
    begin: dict[str, Fraction] = {}
    end: dict[str, Fraction] = {}
    bars: dict[str, Fraction] = {}
    now = Fraction(0)
    options = {"includeMeasures": True, "includeRests": True, "useFractions": True}
    for event in toolkit.renderToTimemap(options):
        now = Fraction(*event["qfrac"])
        if "measureOn" in event:
            bars[event["measureOn"]] = now
        begin |= dict.fromkeys(event.get("on", ()), now)
        end |= dict.fromkeys(event.get("off", ()), now)
    return mei.Times(begin, end, bars, now)


def load(text: str, kind: str) -> str:
    """A score as Verovio reads it, in MEI.

    Raises:
        ValueError: Verovio cannot read the score.
    """
    return _toolkit(text, kind, {"breaks": "none", "expandNever": True, "xmlIdSeed": SEED}).getMEI()


def engrave(text: str, kind: str, look: Look) -> Engraving:
    """Engrave a score.

    Args:
        text: the score; `kind` is the suffix of its format, such as `.mei`.
        look: music font, page width and spacing.

    Raises:
        ValueError: Verovio cannot read the score.
    """
    toolkit = _toolkit(text, kind, _options(look))
    pages = [toolkit.renderToSVG(page) for page in range(1, toolkit.getPageCount() + 1)]
    return Engraving(pages, toolkit.getMEI())
