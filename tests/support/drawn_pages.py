"""Pages of staves that the tests draw themselves, with what is on them."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 835, 620
LEFT, RIGHT = 60, 780


@dataclass
class Drawn:
    """A page and where its staves and barlines are (px)."""

    page: np.ndarray
    tops: list[list[float]] = field(default_factory=list)  # of each system, of each staff
    barlines: list[float] = field(default_factory=list)  # the same in all systems
    space: float = 7.0


def drawn_page(
    systems: int = 3, staves: int = 2, space: float = 7.0, zoom: int = 2, bars: int = 4
) -> Drawn:
    """A page with notes, stems, beams and a line of text, drawn larger and made smaller."""
    picture = Image.new("L", (WIDTH * zoom, HEIGHT * zoom), 255)
    draw = ImageDraw.Draw(picture)
    random = np.random.default_rng(3)

    def line(x0, y0, x1, y1, thickness):
        half = thickness * space / 2
        box = (x0 - half, y0, x0 + half, y1) if x0 == x1 else (x0, y0 - half, x1, y0 + half)
        draw.rectangle([round(v * zoom) for v in box], fill=0)

    ends = np.linspace(LEFT, RIGHT, bars + 1)[1:].tolist()
    found = Drawn(np.empty(0), barlines=ends, space=space)
    top = 60.0
    for _ in range(systems):
        tops = [top + 11 * space * staff for staff in range(staves)]
        found.tops.append(tops)
        for y in tops:
            for k in range(5):
                line(LEFT, y + k * space, RIGHT, y + k * space, 0.11)
        for x in (*([LEFT] if staves > 1 else []), *ends):
            line(x, tops[0], x, tops[-1] + 4 * space, 0.2)
        for y in tops:
            for x in np.arange(LEFT + 60, RIGHT - 30, 24):
                if min(abs(x - end) for end in ends) < 14:
                    continue
                height = y + space * random.integers(0, 9) / 2
                box = (
                    x - 0.65 * space,
                    height - 0.5 * space,
                    x + 0.65 * space,
                    height + 0.5 * space,
                )
                draw.ellipse([round(v * zoom) for v in box], fill=0)
                line(x + 0.6 * space, height - 3.5 * space, x + 0.6 * space, height, 0.13)
            line(LEFT + 200, y - 2 * space, LEFT + 260, y - 2 * space, 0.5)
        top += 11 * space * staves + 60
    draw.text((LEFT * zoom, 20 * zoom), "A page of a piece that nobody wrote " * 3, fill=0)
    small = picture.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    found.page = np.asarray(small)
    return found


def scanned(page: np.ndarray, degrees: float = 1.2, zoom: float = 1.0) -> np.ndarray:
    """The page askew, blurred, noisy, unevenly lit, on grey paper."""
    picture = Image.fromarray(page).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)
    size = [round(side * zoom) for side in picture.size]
    picture = picture.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(0.7))
    pixels = np.asarray(picture, float) * np.linspace(0.6, 0.95, size[0])
    pixels += np.random.default_rng(0).normal(0, 6, pixels.shape)
    return np.uint8(np.clip(pixels, 0, 255))
