"""Read a scan, a PDF file or a picture as the sheet that a recording is followed on.

Pages are straightened and brought to the scale of the training data.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from tqdm import tqdm

from models.following import page_geometry, staff_finding, staff_systems
from models.following.alignment import Sheet
from pipeline import tables
from pipeline.constants import A4_WIDTH_MM, PAGE_WIDTH_PX
from pipeline.engraving import svg
from pipeline.reading import scans
from pipeline.reading.pieces import printable

STAFF_SPACE_MM = 1.757  # LilyPond's usual staff of 20 pt, 7.03 mm high
SPACE_PX = STAFF_SPACE_MM * PAGE_WIDTH_PX / A4_WIDTH_MM  # 6.99, as pages are engraved here


def read_pages(path: Path | str) -> Sheet:
    """Read the pages of a score and find their systems.

    Pages without staves, such as a cover, stay among the pages.

    Args:
        path: PDF, PNG, JPEG or TIFF, or a folder of such files.

    Returns:
        Straightened pages, and their systems; no noteheads and no notes.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file and the reason, if it cannot be read or shows no staves.
    """
    path = Path(path)
    pages: list[bytes] = []
    systems: list[dict] = []
    read = scans.read_pages(path)
    for number, page in enumerate(
        tqdm(read, desc="find staves", unit="page", disable=None, file=sys.stderr)
    ):
        pixels, rows = find_systems(page, number, len(systems))
        pages.append(svg.png(pixels))
        systems += rows
    if not systems:
        raise ValueError(
            f"{path}: no staff lines are found on {_count(len(pages))}; they must be about level, "
            f"and at least {page_geometry.SMALLEST_SPACE_PX:g} px apart"
        )
    return Sheet(
        pages,
        pa.Table.from_pylist(systems, tables.without_piece(tables.SYSTEMS)),
        tables.without_piece(tables.NOTEHEADS).empty_table(),
        tables.without_piece(tables.NOTES).empty_table(),
        title=printable(path.stem),
    )


def find_systems(page: np.ndarray, image: int, first: int) -> tuple[np.ndarray, list[dict]]:
    """Straighten a page, bring it to scale, and find its systems.

    Args:
        page: Grey image (height, width) uint8, white 255.
        image: Number of the page.
        first: Number of its first system.

    Returns:
        The page, with staff lines SPACE_PX apart, and rows of SYSTEMS without the piece. A page
        without staves is brought to the usual width.
    """
    found = staff_finding.find_staves(page)
    scale = SPACE_PX / found.space if found.staves else PAGE_WIDTH_PX / found.page.shape[1]
    size = [max(1, round(side * scale)) for side in reversed(found.page.shape)]
    clean = Image.fromarray(staff_finding.cleaned(found.darkness, found.staves))
    pixels = np.asarray(clean.resize(size, Image.Resampling.BOX))
    return pixels, staff_systems.rows(found, scale, image, first)


def _count(pages: int) -> str:
    return "the page" if pages == 1 else f"any of {pages} pages"
