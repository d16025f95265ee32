"""Find the staves on a page image: straighten the page, and trace each staff along its width.

Works on shades of grey, without a binary image: what is thick is taken away, and five thin lines at
one distance answer to a comb, however faint they are. The page's angle and the distance of the
lines are estimated first; a staff is then traced from where its comb answers most, so that it may
bend.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from models.following.page_geometry import profiles, skew, staff_space
from pipeline.constants import WHITE

SMALL_PAGE_PX = 1_700  # shorter pages are enlarged for the search
LARGEST_ZOOM = 2.0
BACKGROUND_STEP = 8  # px between the samples of the paper's brightness
LINES = 5
LINE = 0.5  # least darkness of staff lines on a cleaned page
SEEN = 0.8  # quantile of a line's darkness along its staff
EVEN = 0.4  # least darkness of a staff's faintest line, of the mean of the five
SHORTEST_STAFF = 10.0  # staff spaces
DRIFT = 0.12  # staff spaces that a line may rise or fall from one band to the next
WEAK = 0.2  # of the usual answer of the comb: below that there is no staff
THIN = 0.45  # staff spaces; beams are 0.5 high, lines 0.1 to 0.2
LONG = 1.2  # staff spaces; longer than what letters have
BAND_SPACES = 2  # staff spaces, the width of the bands in which the comb filter is applied
LONGEST_GAP = 12.0  # staff spaces without lines at which a staff ends
SEED_SPACES = 24  # along which the comb must answer for a staff to be traced
PRESENT = 0.5  # of a staff's usual darkness on its lines: less is beyond its ends


@dataclass(frozen=True)
class Staff:
    """A staff on a page; px.

    Attributes:
        left: Where its lines begin.
        right: Where its lines end.
        middle: (width of the page,) height of its middle line in each column.
        space: Distance of its lines.
    """

    left: float
    right: float
    middle: np.ndarray
    space: float

    def lines(self, column: int) -> np.ndarray:
        """Heights of the five lines in a column, from the top."""
        return self.middle[column] + self.space * np.arange(-2, 3)

    def height(self, line: int) -> float:
        """Mean height of a line: 0 is the top one, 4 the bottom one."""
        along = self.middle[int(self.left) : int(self.right) + 1]
        return float(along.mean() + 0.5 + (line - 2) * self.space)


@dataclass(frozen=True)
class Staves:
    """The staves of a page.

    Attributes:
        page: The page straightened, uint8 (height, width), of the size that was searched.
        darkness: (height, width) float32, 0 for paper and 1 for black ink, uneven light removed.
        staves: From the top.
        space: Distance of staff lines, px.
        degrees: By which the page was turned, counter-clockwise.
    """

    page: np.ndarray
    darkness: np.ndarray
    staves: list[Staff]
    space: float
    degrees: float


def find_staves(page: np.ndarray) -> Staves:
    """Find the staves on a page.

    Args:
        page: Grey image (height, width) uint8, white 255.

    Returns:
        The straightened page, and its staves from the top; none if there are no staff lines.
    """
    page = _enlarged(page)
    dark = darkness(page)
    space = staff_space(dark)
    if space is None:
        return Staves(page, dark, [], 0.0, 0.0)
    degrees = skew(dark, space)
    if degrees:
        page = turned(page, degrees)
        dark = darkness(page)
        space = staff_space(dark) or space
    return Staves(page, dark, _trace_all(dark, space), space, degrees)


def _enlarged(page: np.ndarray) -> np.ndarray:
    longer = max(page.shape)
    zoom = min(LARGEST_ZOOM, SMALL_PAGE_PX / longer)
    if zoom <= 1:
        return page
    size = round(page.shape[1] * zoom), round(page.shape[0] * zoom)
    return np.asarray(Image.fromarray(page).resize(size, Image.Resampling.BICUBIC))


def turned(page: np.ndarray, degrees: float) -> np.ndarray:
    """A page turned counter-clockwise about its middle, white where it has nothing."""
    picture = Image.fromarray(page)
    turn = picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=WHITE)
    return np.asarray(turn)


def darkness(page: np.ndarray) -> np.ndarray:
    """How dark each pixel is compared with the paper around it: 0 to 1, float32.

    The paper's brightness is that of the brightest pixels nearby, smoothed.
    """
    height, width = page.shape
    picture = Image.fromarray(page)
    size = max(1, width // BACKGROUND_STEP), max(1, height // BACKGROUND_STEP)
    small = np.asarray(picture.resize(size, Image.Resampling.BOX), np.float32)
    paper = ndimage.gaussian_filter(np.maximum(ndimage.percentile_filter(small, 85, 9), 30), 4)
    large = Image.fromarray(paper).resize((width, height), Image.Resampling.BILINEAR)
    return np.clip(1 - page / np.asarray(large), 0, 1).astype(np.float32)


def cleaned(dark: np.ndarray, staves: list[Staff]) -> np.ndarray:
    """A page without uneven light, noise and what shines through: uint8, white 255.

    Faint staff lines become LINE dark, as they are on engraved pages, and grey ink black.

    Args:
        dark: From `darkness`.
        staves: On the page.
    """
    line = line_darkness(dark, staves) if staves else 1.0
    paper = min(float(np.quantile(dark, 0.7)), 0.4 * line)  # ink covers less than a third
    ink = dark[dark > max(0.4, line)]
    full = max(float(np.quantile(ink, 0.75)) if ink.size else 1.0, 2 * paper, 0.5)
    even = np.clip((dark - paper) / (full - paper), 0, 1)
    level = float(np.clip((line - paper) / (full - paper), 0.1, 0.9))
    if level < LINE:
        even = even ** (np.log(LINE) / np.log(level))
    return np.rint(WHITE * (1 - even)).astype(np.uint8)


def line_darkness(dark: np.ndarray, staves: list[Staff]) -> float:
    """Median darkness of the staff lines of a page."""
    found = []
    for staff in staves:
        columns = np.arange(int(staff.left), int(staff.right), 5)
        found.append(_on_lines(dark, staff.middle, columns, staff.space).ravel())
    return float(np.median(np.concatenate(found)))


def thin_strokes(dark: np.ndarray, space: float) -> np.ndarray:
    """The darkness of what is thinner than THIN staff spaces from top to bottom."""
    return dark - ndimage.grey_opening(dark, (max(3, round(THIN * space)), 1))


def long_strokes(thin: np.ndarray, space: float) -> np.ndarray:
    """Of `thin_strokes` those longer than LONG staff spaces from left to right."""
    smooth = ndimage.gaussian_filter1d(thin, 0.2 * space, axis=1)
    return ndimage.grey_opening(smooth, (1, max(3, round(LONG * space))))


def comb(thin: np.ndarray, space: float, width: int) -> np.ndarray:
    """How much each height of each band looks like the middle of a staff: (bands, height).

    Five lines darker than the spaces between them, and none above and below.
    """
    bands = ndimage.gaussian_filter1d(profiles(thin, width), 0.08 * space, axis=1)

    def at(values: np.ndarray, shift: float) -> np.ndarray:
        return ndimage.shift(values, (0, -shift * space), order=1, mode="nearest")

    line = bands - 0.5 * (at(bands, -0.5) + at(bands, 0.5))
    lines = sum(at(line, k) for k in range(-2, 3)) / LINES
    outside = np.maximum(at(line, -3), 0) + np.maximum(at(line, 3), 0)
    return lines - 0.5 * outside


def _trace_all(dark: np.ndarray, space: float) -> list[Staff]:
    width = max(6, round(BAND_SPACES * space))
    thin = thin_strokes(dark, space)
    lines = long_strokes(thin, space)
    answer = comb(lines, space, width)
    centres = (np.arange(len(answer)) + 0.5) * dark.shape[1] / len(answer)
    near = ndimage.maximum_filter1d(answer, 3, axis=1)
    smooth = ndimage.uniform_filter1d(near, SEED_SPACES // BAND_SPACES, axis=0)
    usual = float(np.quantile(smooth.max(axis=0), 0.995))
    if usual <= 0.01:
        return []
    staves = []
    free = smooth.copy()
    while free.max() > WEAK * usual:
        band, row = np.unravel_index(np.argmax(free), free.shape)
        heights, first, last = _trace(answer, int(band), int(row), space, usual)
        for index in range(len(heights)):
            low = max(0, round(heights[index] - 4.2 * space))
            free[index, low : round(heights[index] + 4.2 * space) + 1] = -1
        if staff := _measured(thin, lines, centres, heights, first, last, space):
            staves.append(staff)
    return _without_doubles(sorted(staves, key=lambda staff: staff.height(2)))


def _trace(
    answer: np.ndarray, band: int, row: int, space: float, usual: float
) -> tuple[np.ndarray, int, int]:
    """Follow a staff from a band to both sides.

    Returns:
        (bands,) heights of its middle line, and the first and last band where it answers.
    """
    reach = max(1, round(DRIFT * space))
    heights = np.full(len(answer), float(row))
    ends = []
    for step in (-1, 1):
        height, slope, seen, last = float(row), 0.0, 0, band
        for index in range(band + step, len(answer) if step > 0 else -1, step):
            expected = height + slope
            low = max(0, round(expected) - reach)
            part = answer[index, low : round(expected) + reach + 1]
            if len(part) and part.max() > WEAK * usual:
                found = low + int(np.argmax(part))
                slope = 0.9 * slope + 0.1 * np.clip(found - height, -reach, reach)
                height, last, seen = float(found), index, 0
            else:
                height, seen = expected, seen + 1
            heights[index] = height
            if seen * BAND_SPACES > LONGEST_GAP:
                heights[index::step] = height
                break
        ends.append(last)
    return ndimage.median_filter(heights, 5, mode="nearest"), ends[0], ends[1]


def _measured(
    thin: np.ndarray,
    long: np.ndarray,
    centres: np.ndarray,
    heights: np.ndarray,
    first: int,
    last: int,
    space: float,
) -> Staff | None:
    """A staff with its ends measured to the pixel; None if it is too short to be one."""
    columns = np.arange(thin.shape[1])
    smooth = ndimage.gaussian_filter1d(heights, 1.5, mode="nearest")
    middle = np.interp(columns, centres, smooth)
    middle = middle + _offset(thin, middle, columns, centres[first], centres[last], space)
    lines = _on_lines(long, middle, columns, space)
    inside = slice(int(centres[first]), int(centres[last]) + 1)
    usual = np.quantile(lines[:, inside], SEEN, axis=1)  # beams may hide a line for long
    if usual.min() < EVEN * usual.mean():
        return None
    present = _on_lines(thin, middle, columns, space).mean(axis=0)
    present = ndimage.uniform_filter1d(present, 3)
    there = present > PRESENT * float(np.median(present[inside]))
    gap = np.ones(2 * round(1.5 * space) + 1)  # a clef or a chord hides lines
    there = ndimage.binary_opening(there, np.ones(max(1, round(0.5 * space))))
    there = ndimage.binary_closing(np.pad(there, len(gap)), gap)[len(gap) : -len(gap)]
    labels, count = ndimage.label(there)
    if not count:
        return None
    sizes = np.bincount(labels)[1:]
    longest = 1 + int(np.argmax(sizes))
    found = np.flatnonzero(labels == longest)
    if len(found) < SHORTEST_STAFF * space:
        return None
    return Staff(float(found[0]), float(found[-1] + 1), middle, space)


def _sample(dark: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Darkness at rows (n, columns), the darkest of three neighbours."""
    index = np.clip(np.rint(rows).astype(int), 1, len(dark) - 2)
    return np.maximum(
        np.maximum(dark[index - 1, columns], dark[index, columns]), dark[index + 1, columns]
    )


def _on_lines(
    dark: np.ndarray, middle: np.ndarray, columns: np.ndarray, space: float
) -> np.ndarray:
    """Darkness of the five lines in each column: (5, columns)."""
    rows = middle[columns] + space * np.arange(-2, 3)[:, None]
    return np.stack([_sample(dark, row, columns) for row in rows])


def _offset(dark, middle, columns, left: float, right: float, space: float) -> float:
    """How far lines lie below `middle` on average, to a tenth of a pixel."""
    part = columns[int(left) : int(right) + 1 : 7]
    tried = np.arange(-0.3 * space, 0.3 * space + 0.05, 0.1)
    lines = space * np.arange(-2, 3)[:, None]
    scores = []
    for shift in tried:
        rows = middle[part] + shift + lines
        scores.append(
            ndimage.map_coordinates(dark, [rows, np.tile(part, (LINES, 1))], order=1).mean()
        )
    best = np.asarray(scores)
    near = best > best.max() - 0.15 * (best.max() - best.min())
    return float(np.average(tried[near], weights=best[near]))


def _without_doubles(staves: list[Staff]) -> list[Staff]:
    """Staves without those that lie on a longer one."""
    kept: list[Staff] = []
    for staff in sorted(staves, key=lambda staff: staff.left - staff.right):
        if not any(_overlap(staff, other) for other in kept):
            kept.append(staff)
    return sorted(kept, key=lambda staff: (staff.height(2), staff.left))


def _overlap(staff: Staff, other: Staff) -> bool:
    left, right = int(max(staff.left, other.left)), int(min(staff.right, other.right))
    if right - left < staff.space:
        return False
    apart = np.abs(staff.middle[left:right] - other.middle[left:right])
    return float(np.median(apart)) < 4.5 * staff.space
