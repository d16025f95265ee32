"""What a page looks like: music font, page width and spacing."""

from dataclasses import dataclass

from pipeline import constants


@dataclass(frozen=True)
class Look:
    """One way to draw a score."""

    name: str = "plain"
    music_font: str = "Leipzig"
    page_width_px: int = constants.PAGE_WIDTH_PX
    full_width_px: int = constants.PAGE_WIDTH_PX  # of A4: fixes the scale
    spacing_linear: float = 0.25
    spacing_staff: int = 12
