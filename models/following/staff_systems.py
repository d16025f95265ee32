"""Group the staves of a page into systems, and find the barlines of a system.

Staves of one system are joined at their left edge by the line that begins the system, or by
barlines that run through.
"""

from itertools import pairwise

import numpy as np
from scipy import ndimage

from models.following.staff_finding import Staff, Staves, line_darkness

SAMPLES = 40  # heights between two staves at which a line that joins them must be seen
WHOLE = 0.92  # share of a line's heights that must be dark
FARTHEST = 18.0  # staff spaces between staves of one system
FAINT = 0.5  # darkness of a line, of the usual darkness of the staff lines
AT_EDGE = 1.0  # staff spaces from the ends of the staff lines
MANY = 3  # lines between two staves that join them although none stands at an edge
DOUBLE = 2.0  # staff spaces between the lines of a double bar
THICK = 0.36  # staff spaces; barlines are 0.2 wide, those of a repeat 0.5
HEADER = 14.0  # staff spaces that clef, key and metre may take, before a repeat begins
BESIDE = 0.1  # more than the usual mean darkness of a staff's columns is beside a note's stem


def group_staves(found: Staves) -> list[list[Staff]]:
    """The systems of a page from the top, each a list of its staves."""
    systems: list[list[Staff]] = []
    for staff in found.staves:
        if systems and _joined(found.darkness, systems[-1][-1], staff):
            systems[-1].append(staff)
        else:
            systems.append([staff])
    return systems


def rows(found: Staves, scale: float, image: int, first: int) -> list[dict]:
    """Rows of SYSTEMS without the piece.

    Args:
        found: The staves of a page.
        scale: From px of `found.page` to px of the rows.
        image: Number of the page.
        first: Number of its first system.
    """
    return [
        {
            "system": number,
            "image": image,
            "left": min(staff.left for staff in staves) * scale,
            "right": max(staff.right for staff in staves) * scale,
            "top": [staff.height(0) * scale for staff in staves],
            "bottom": [staff.height(4) * scale for staff in staves],
        }
        for number, staves in enumerate(group_staves(found), first)
    ]


def _joined(dark: np.ndarray, upper: Staff, lower: Staff) -> bool:
    """Whether two staves, one below the other, are of one system."""
    space = upper.space
    left, right = max(upper.left, lower.left), min(upper.right, lower.right)
    gap = lower.height(0) - upper.height(4)
    if right - left < 5 * space or not 0 < gap < FARTHEST * space:
        return False
    columns = np.arange(max(0, int(left - space)), min(dark.shape[1], int(right + space)))
    above, below = upper.middle[columns] + 2 * space, lower.middle[columns] - 2 * space
    steps = np.linspace(0, 1, SAMPLES)[:, None]
    heights = np.clip(np.rint(above + steps * (below - above)).astype(int), 0, len(dark) - 1)
    wide = ndimage.maximum_filter1d(dark, max(3, round(0.25 * space)), axis=1)
    whole = (wide[heights, columns] > FAINT * line_darkness(dark, [upper])).mean(axis=0) >= WHOLE
    places = [(a + b) / 2 + columns[0] for a, b in _runs(whole)]
    edges = [x for x in places if x < left + AT_EDGE * space or x > right - AT_EDGE * space]
    return bool(edges) or len(places) >= MANY


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.pad(mask, 1).astype(int)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def barlines(dark: np.ndarray, system: dict) -> list[float]:
    """Where the bars of a system end, px from the left edge of its page.

    The line that begins the system is none of them, nor is a repeat sign right after clef, key and
    metre. A staff whose lines end without a barline ends a bar there.

    Args:
        dark: `staff_finding.darkness` of the page.
        system: Row of SYSTEMS.
    """
    tops, bottoms = system["top"], system["bottom"]
    space = float(np.mean([b - t for t, b in zip(tops, bottoms, strict=True)])) / 4
    left, right = system["left"], system["right"]
    first, last = max(0, int(left)), min(dark.shape[1], int(right + space))
    wide = ndimage.maximum_filter1d(dark[:, first:last], 3, axis=1)
    parts = [_inner(wide, t, b, 0.1 * space) for t, b in zip(tops, bottoms, strict=True)]
    limit = FAINT * float(np.median([np.quantile(part, 0.75) for part in parts]))
    limit = max(limit, 0.15)
    near = max(3, round(0.4 * space))
    whole = [ndimage.maximum_filter1d((part > limit).mean(axis=0), near) >= WHOLE for part in parts]
    mask = np.logical_and.reduce(whole)
    through = False
    inside = slice(round(2 * space), max(round(2 * space), round(right - first - 2 * space)))
    for bottom, top in zip(bottoms, tops[1:], strict=False):
        gap = (_inner(wide, bottom, top, 0.0) > limit).mean(axis=0)
        gap = ndimage.maximum_filter1d(gap, near) >= WHOLE
        if (gap & mask)[inside].any():
            mask, through = mask & gap, True
    widening = near + 1  # by the two filters

    def is_thick(a: int, b: int) -> bool:  # or a double one
        return b - a + 1 - widening > THICK * space

    groups: list[list[int]] = []
    for a, b in _runs(mask):
        stem = _is_stem(dark[:, first:last], (a + b) // 2, tops, bottoms, space)
        if not through and stem and not is_thick(a, b):
            continue
        if groups and a - groups[-1][1] < DOUBLE * space:
            groups[-1][1] = b
        else:
            groups.append([a, b])
    found = []
    for a, b in groups:
        at_left = b < 1.5 * space
        header = is_thick(a, b) and b < HEADER * space
        if not (at_left or header):
            found.append(first + (a + b + 1) / 2)
    if not found or right - found[-1] > 3 * space:
        found.append(float(right))
    return found


def _inner(values: np.ndarray, top: float, bottom: float, margin: float) -> np.ndarray:
    """Rows between two heights, at least one."""
    begin = int(np.clip(round(top + margin), 0, len(values) - 1))
    return values[begin : max(begin + 1, round(bottom - margin))]


def _is_stem(dark: np.ndarray, x: int, tops, bottoms, space: float) -> bool:
    """Whether a vertical stroke is of a note: it leaves the staff, or a notehead stands by it."""
    for top, bottom in zip(tops, bottoms, strict=True):
        ends = [(top - space, top - 0.4 * space), (bottom + 0.4 * space, bottom + space)]
        columns = _inner(dark, top, bottom, -0.5 * space).mean(axis=0)
        usual = float(np.quantile(columns, 0.3))
        column = dark[:, max(0, x - 1) : x + 2].max(axis=1)[:, None]
        if any(_inner(column, a, b, 0.0).mean() > 0.5 for a, b in ends):
            return True
        for side in (-1, 1):
            near, far = sorted((x + side * 0.5 * space, x + side * space))
            part = columns[max(0, round(near)) : max(1, round(far))]
            if part.size and part.max() > usual + BESIDE:
                return True
    return False


def bars(lines: list[list[float]], systems: list[dict]) -> list[tuple[int, float, float]]:
    """Bars in print order: number of the system in `systems`, and where it begins and ends (px)."""
    found = []
    for number, (ends, system) in enumerate(zip(lines, systems, strict=True)):
        found += [(number, a, b) for a, b in pairwise([system["left"], *ends])]
    return found
