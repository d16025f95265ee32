"""Measure how far apart the staff lines of a page are, and by which angle it is askew.

Both come from the darkness of rows in vertical bands, before any staff is found.
"""

import numpy as np
from scipy import ndimage

SMALLEST_SPACE_PX, LARGEST_SPACE_PX = 4.5, 45.0  # between the lines of a staff
THICKEST_LINE_PX = 9
STEEPEST_DEGREES = 4.0  # of a page put askew onto the glass
# Of the rows at multiples of the distance of two lines, and what it counts.
AGREEMENT = {1: 0.8, 2: 0.6, 3: 0.4, 4: 0.2, 0.5: -0.7, 1.5: -0.7, 2.5: -0.6}
AGREES = 0.08  # least agreement of rows with themselves of a page with staff lines


def profiles(dark: np.ndarray, width: int) -> np.ndarray:
    """Mean darkness of each row in vertical bands of a page: (bands, height) float32."""
    bands = max(1, dark.shape[1] // width)
    edges = np.linspace(0, dark.shape[1], bands + 1).astype(int)
    sums = np.add.reduceat(dark, edges[:-1], axis=1)
    return (sums / np.diff(edges)).T.astype(np.float32)


def _edges(values: np.ndarray, size: float) -> np.ndarray:
    """Profiles without what changes slowly, so that thin lines stand out."""
    return values - ndimage.uniform_filter1d(values, max(3, round(size)), axis=1)


def staff_space(dark: np.ndarray) -> float | None:
    """The distance of staff lines that is usual on a page, px; None if there are no staff lines.

    It is the shift by which the rows of narrow bands agree best with themselves, once, twice,
    three and four times, and disagree at one and a half and two and a half times.
    """
    bands = profiles(dark, 60)
    bands = bands - ndimage.grey_opening(bands, (1, THICKEST_LINE_PX))
    bands -= bands.mean(axis=1, keepdims=True)
    size = 2 ** int(np.ceil(np.log2(2 * bands.shape[1])))
    power = np.abs(np.fft.rfft(bands, size, axis=1)) ** 2
    agreement = np.fft.irfft(power.sum(axis=0), size)[: bands.shape[1]]
    if agreement[0] <= 0:
        return None
    agreement /= agreement[0]
    spaces = np.arange(SMALLEST_SPACE_PX, min(LARGEST_SPACE_PX, bands.shape[1] / 6), 0.05)
    if not len(spaces):  # the page is too low for a staff
        return None
    at = np.arange(len(agreement))

    def shifted(times: float) -> np.ndarray:
        return np.interp(times * spaces, at, agreement)

    answer = np.zeros(len(spaces))
    for times, weight in AGREEMENT.items():
        answer += weight * shifted(times)
    best = int(np.argmax(answer))
    if answer[best] < AGREES:
        return None
    return float(spaces[best])


def skew(dark: np.ndarray, space: float) -> float:
    """The angle by which a page must be turned counter-clockwise to lie straight, degrees.

    At that angle the rows of the bands, put side by side, are sharpest.
    """
    width = max(8, round(3 * space))
    bands = _edges(profiles(dark, width), 2 * space)
    centres = (np.arange(len(bands)) + 0.5) * dark.shape[1] / len(bands)
    centres -= centres.mean()
    rows = np.arange(bands.shape[1])

    def sharpness(degrees: float) -> float:
        shifts = np.tan(np.radians(degrees)) * centres
        moved = [
            np.interp(rows + shift, rows, band) for shift, band in zip(shifts, bands, strict=True)
        ]
        return float(np.square(np.sum(moved, axis=0)).sum())

    best = 0.0
    for reach, step in ((STEEPEST_DEGREES, 0.25), (0.25, 0.05)):
        tried = best + np.arange(-reach, reach + step / 2, step)
        best = float(tried[np.argmax([sharpness(degrees) for degrees in tried])])
    return best if abs(best) > 0.04 else 0.0
