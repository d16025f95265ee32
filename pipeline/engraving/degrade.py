"""Degrade pages as a copier or a phone's camera does, and move all coordinates along: skew and
perspective, see-through from the next page, uneven light, blur, noise and JPEG.

Small code over Pillow and SciPy: albumentations is no longer maintained under a free licence, and
augraphy (OpenCV, numba) does not move single points exactly.
"""

import hashlib
import io
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from PIL import Image
from scipy import ndimage

from pipeline.constants import WHITE
from pipeline.engraving import svg
from pipeline.images import grey

Scan = Literal["copier", "phone"]


@dataclass(frozen=True)
class Strength:
    """The most that a kind of scan does; each page's share is drawn."""

    skew_degrees: float
    corner: float  # shift of a corner, of the page's width
    see_through: float  # blackness of the next page's ink
    shadow: float  # of the light that uneven lighting takes away
    blur_px: float  # standard deviation
    noise: float  # standard deviation, of 255
    quality: tuple[int, int]  # of JPEG, the range


STRENGTHS: dict[Scan, Strength] = {
    "copier": Strength(0.5, 0.0, 0.08, 0.05, 0.7, 5.0, (60, 90)),
    "phone": Strength(0.7, 0.006, 0.12, 0.35, 0.9, 8.0, (50, 85)),
}


def homography(width: int, height: int, strength: Strength, rng) -> np.ndarray:
    """Draw how a page is skewed: a matrix (3, 3) from points (x, y, 1) on it to the scan, px."""
    angle = math.radians(rng.uniform(-1, 1) * strength.skew_degrees)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    centre = np.array([width, height]) / 2
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = (corners - centre) @ turn.T + centre
    moved += rng.uniform(-1, 1, moved.shape) * strength.corner * width
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, moved, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(values)), 1).reshape(3, 3)


def move(matrix: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where points of a page (px) are on its scan."""
    u, v, w = matrix @ np.stack([x, y, np.ones_like(x)])
    return u / w, v / w


def page(
    pixels: np.ndarray, behind: np.ndarray | None, scan: Scan, rng
) -> tuple[np.ndarray, np.ndarray]:
    """Degrade a page.

    Args:
        pixels: uint8 (height, width), white 255.
        behind: the page on its back, which shines through.
        scan: `copier` or `phone`.
        rng: a generator of random numbers, `numpy.random.Generator`.

    Returns:
        The scan, of the same shape, and the matrix from points on the page to points on it.
    """
    strength = STRENGTHS[scan]
    height, width = pixels.shape
    ink = 1 - pixels / WHITE
    if behind is not None:
        through = np.zeros_like(ink)
        rows, columns = (min(a, b) for a, b in zip(behind.shape, ink.shape, strict=True))
        through[:rows, :columns] = 1 - behind[:rows, :columns][:, ::-1] / WHITE
        through = ndimage.gaussian_filter(through, 1.5)
        ink = np.maximum(ink, through * rng.uniform(0.3, 1) * strength.see_through)
    matrix = homography(width, height, strength, rng)
    back = np.linalg.inv(matrix)
    picture = Image.fromarray(np.uint8(np.round(WHITE * (1 - ink))))
    picture = picture.transform(
        picture.size,
        Image.Transform.PERSPECTIVE,
        tuple((back / back[2, 2]).ravel()[:8]),
        Image.Resampling.BICUBIC,
        fillcolor=WHITE,
    )
    light = np.asarray(picture, float) * _light(height, width, strength.shadow, rng)
    light = ndimage.gaussian_filter(light, rng.uniform(0.4, 1) * strength.blur_px)
    light += rng.normal(0, rng.uniform(0.3, 1) * strength.noise, light.shape)
    packed = io.BytesIO()
    grey = Image.fromarray(np.uint8(np.clip(np.round(light), 0, WHITE)))
    grey.save(packed, "JPEG", quality=int(rng.integers(*strength.quality, endpoint=True)))
    return np.asarray(Image.open(packed).convert("L")), matrix


def _light(height: int, width: int, shadow: float, rng) -> np.ndarray:
    """How bright a page is lit: 1 at best, and less towards one side."""
    angle = rng.uniform(0, 2 * math.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    across = (x * math.cos(angle) + y * math.sin(angle)) / math.sqrt(2)
    return 1 - rng.uniform(0.3, 1) * shadow * (1 + across) / 2


def tables_of(found: dict[str, pa.Table], scan: Scan, seed: int, piece_id: str) -> dict:
    """Degrade the pages of a piece, and move the rows of its systems and noteheads along.

    Args:
        found: tables by name, of which `images`, `systems` and `noteheads` change.
        scan: `copier` or `phone`.
        seed: with the `piece_id` it fixes all that is drawn.
    """
    digest = hashlib.sha256(f"scan:{seed}:{piece_id}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    images = found["images"].to_pylist()
    pages = [grey(row["png"]) for row in images]
    matrices = {}
    for number, row in enumerate(images):
        behind = pages[number + 1] if number + 1 < len(pages) else None
        pixels, matrices[row["image"]] = page(pages[number], behind, scan, rng)
        row["png"] = svg.png(pixels)
    systems = found["systems"].to_pylist()
    for row in systems:
        _move_system(row, matrices[row["image"]])
    noteheads = found["noteheads"].to_pylist()
    for row in noteheads:
        x, y = move(matrices[row["image"]], np.array([row["x"]]), np.array([row["y"]]))
        row["x"], row["y"] = float(x[0]), float(y[0])
    changed = {"images": images, "systems": systems, "noteheads": noteheads}
    return found | {
        name: pa.Table.from_pylist(rows, schema=found[name].schema)
        for name, rows in changed.items()
    }


def _move_system(row: dict, matrix: np.ndarray) -> None:
    """Move a row of SYSTEMS: its lines slant now, and stand where their middle is."""
    left, right = row["left"], row["right"]
    middle = (left + right) / 2
    centre = (row["top"][0] + row["bottom"][-1]) / 2 if row["top"] else 0.0
    for side in ("top", "bottom"):
        heights = np.array(row[side], float)
        row[side] = move(matrix, np.full_like(heights, middle), heights)[1].tolist()
    ends = move(matrix, np.array([left, right]), np.array([centre, centre]))[0]
    row["left"], row["right"] = map(float, ends)
