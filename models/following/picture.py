"""The pictures of a video: pages side by side, a cursor, and noteheads coloured as they sound.

A picture is held as ffmpeg wants it (yuv420p: a plane of brightness, two of colour at half the
size), and only what changes is drawn.
"""

import io
from dataclasses import dataclass

import matplotlib.font_manager
import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1920, 1080  # px
LINE_PX = 56  # below the pages, for words
MARGIN_PX = 12
FONT_PX = 26
PORTRAIT = 0.95  # width / height below which two pages are shown side by side
BLACK, WHITE = 16, 235  # of the plane of brightness in a video
NOW = (113, 75, 184)  # the colour of what sounds, #d55e00, in the three planes (BT.709)
NEUTRAL = 128  # of a plane of colour
HALO, HALO_SIZE = 0.28, 1.7  # opacity, and radius in those of a notehead
CURSOR_PX = 4


@dataclass(frozen=True)
class Place:
    """Where a page stands in the picture."""

    spread: int  # number of the picture that shows the page
    left: float  # px
    top: float
    scale: float


class Picture:
    """A picture (planes of a frame) that is changed in place."""

    def __init__(self) -> None:
        self.data = np.empty(WIDTH * HEIGHT * 3 // 2, np.uint8)
        self.planes = _planes(self.data)
        self._paper = _planes(self.data.copy())
        self._drawn: list[tuple[slice, slice]] = []

    def turn(self, paper: np.ndarray) -> None:
        """Show other pages, (HEIGHT, WIDTH) uint8 grey, without anything drawn on them."""
        self._paper[0][:] = BLACK + (paper * ((WHITE - BLACK) / 255) + 0.5).astype(np.uint8)
        for plane in self._paper[1:]:
            plane[:] = NEUTRAL
        for plane, paper_plane in zip(self.planes, self._paper, strict=True):
            plane[:] = paper_plane
        self._drawn = []

    def clean(self) -> None:
        """Take away whatever was drawn on the pages."""
        for rows, columns in self._drawn:
            self._each(rows, columns, lambda plane, paper, _: paper)
        self._drawn = []

    def notehead(self, x: float, y: float, width: float, height: float) -> None:
        """Colour a notehead and its surroundings; all in px of the picture."""
        reach_x, reach_y = HALO_SIZE * width / 2 + 2, HALO_SIZE * height / 2 + 2
        rows = _even(y - reach_y, y + reach_y, HEIGHT - LINE_PX)
        columns = _even(x - reach_x, x + reach_x, WIDTH)
        grid_y, grid_x = np.ogrid[rows, columns]
        apart = np.hypot((grid_x - x) / (width / 2 + 1), (grid_y - y) / (height / 2 + 1))
        halo = HALO * (apart < HALO_SIZE)
        white = (self._paper[0][rows, columns].astype(float) - BLACK) / (WHITE - BLACK)
        ink = (1 - white) * (apart < 1.1)

        def tinted(plane: np.ndarray, paper: np.ndarray, number: int) -> np.ndarray:
            inked, glow = (ink, halo) if number == 0 else (_halved(ink), _halved(halo))
            zero = BLACK if number == 0 else NEUTRAL
            colour = paper + inked * (NOW[number] - zero)
            return colour + glow * (NOW[number] - colour)

        self._each(rows, columns, tinted)
        self._drawn.append((rows, columns))

    def cursor(self, x: float, top: float, bottom: float) -> None:
        """Draw the cursor; all in px of the picture."""
        left = int(np.clip(round(x - CURSOR_PX / 2), 0, WIDTH - CURSOR_PX))
        rows, columns = _even(top, bottom, HEIGHT - LINE_PX), slice(left, left + CURSOR_PX)
        self.planes[0][rows, columns] = NOW[0]
        halved = _half(rows), slice(left // 2, (left + CURSOR_PX) // 2)
        for plane, value in zip(self.planes[1:], NOW[1:], strict=True):
            plane[halved] = value
        self._drawn.append((rows, _even(left, left + CURSOR_PX, WIDTH)))

    def words(self, left: str, right: str) -> None:
        """Write the line below the pages."""
        line = Image.new("L", (WIDTH, LINE_PX), 255)
        pen, font = ImageDraw.Draw(line), _font()
        room = WIDTH - 5 * MARGIN_PX - pen.textlength(right, font)
        while left and pen.textlength(left, font) > room:
            left = left[:-2] + "…" if len(left) > 1 else ""
        pen.text((2 * MARGIN_PX, LINE_PX / 2), left, 90, font, anchor="lm")
        pen.text((WIDTH - 2 * MARGIN_PX, LINE_PX / 2), right, 0, font, anchor="rm")
        grey = np.asarray(line) * ((WHITE - BLACK) / 255) + BLACK
        self.planes[0][HEIGHT - LINE_PX :] = grey.astype(np.uint8)

    def _each(self, rows: slice, columns: slice, change) -> None:
        """Set a part of each plane to `change(plane, paper, number)`."""
        for number, (plane, paper) in enumerate(zip(self.planes, self._paper, strict=True)):
            part = (rows, columns) if number == 0 else (_half(rows), _half(columns))
            plane[part] = change(plane[part], paper[part], number)


def spreads(pages: list[bytes]) -> tuple[list[np.ndarray], list[Place]]:
    """Lay pages out in pictures, two side by side if they are upright.

    Args:
        pages: PNG of each page.

    Returns:
        Pictures (HEIGHT, WIDTH) uint8, grey, and the place of each page.
    """
    opened = [Image.open(io.BytesIO(png)).convert("L") for png in pages]
    upright = all(image.width < PORTRAIT * image.height for image in opened)
    together = 2 if upright and len(opened) > 1 else 1
    papers: list[np.ndarray] = []
    places = []
    for first in range(0, len(opened), together):
        paper = Image.new("L", (WIDTH, HEIGHT), 255)
        pen = ImageDraw.Draw(paper)
        room = (WIDTH - (together + 1) * MARGIN_PX) / together, HEIGHT - LINE_PX - 2 * MARGIN_PX
        scales = [min(room[0] / image.width, room[1] / image.height) for image in opened]
        shown = list(zip(opened, scales, strict=True))[first : first + together]
        total = sum(round(image.width * scale) for image, scale in shown)
        left = (WIDTH - total - (len(shown) - 1) * MARGIN_PX) // 2
        for image, scale in shown:
            size = round(image.width * scale), round(image.height * scale)
            top = (HEIGHT - LINE_PX - size[1]) // 2
            paper.paste(image.resize(size, Image.Resampling.LANCZOS), (left, top))
            pen.rectangle((left - 1, top - 1, left + size[0], top + size[1]), outline=210)
            places.append(Place(len(papers), left, top, scale))
            left += size[0] + MARGIN_PX
        papers.append(np.array(paper))
    return papers, places


def _planes(data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    whole, quarter = WIDTH * HEIGHT, WIDTH * HEIGHT // 4
    half = HEIGHT // 2, WIDTH // 2
    return (
        data[:whole].reshape(HEIGHT, WIDTH),
        data[whole : whole + quarter].reshape(half),
        data[whole + quarter :].reshape(half),
    )


def _even(first: float, last: float, limit: int) -> slice:
    """From an even to an even number, inside 0 to `limit`."""
    return slice(max(int(first) // 2 * 2, 0), min((int(last) + 2) // 2 * 2, limit))


def _half(part: slice) -> slice:
    return slice(part.start // 2, part.stop // 2)


def _halved(values: np.ndarray) -> np.ndarray:
    rows, columns = values.shape
    return values.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))


def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(matplotlib.font_manager.findfont("DejaVu Sans"), FONT_PX)
