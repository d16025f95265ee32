"""What the pages of a piece look like: music font, page width, spacing, and what scanned them."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from pipeline import constants

MUSIC_FONTS = ("Leipzig", "Bravura", "Leland", "Gootville", "Petaluma")
SEPARATOR = "--"  # between a piece's id and the name of its look


@dataclass(frozen=True)
class Look:
    """One way to draw a score; the scale of the staves is always the same."""

    name: str = "plain"
    music_font: str = MUSIC_FONTS[0]
    page_width_px: int = constants.PAGE_WIDTH_PX
    spacing: float = 1.0  # of notes, a multiple of what the engraver takes by itself
    scan: Literal["copier", "phone"] | None = None  # what degraded the pages


def from_settings(settings: list[dict] | None) -> dict[str, Look]:
    """The looks of a config by name, in order.

    Raises:
        ValueError: two have one name, or a music font is unknown.
    """
    found: dict[str, Look] = {}
    for entry in settings or []:
        look = Look(**entry)
        if look.name in found:
            raise ValueError(f"looks: two are named '{look.name}'")
        if look.music_font not in MUSIC_FONTS:
            raise ValueError(f"looks: no music font '{look.music_font}'; {', '.join(MUSIC_FONTS)}")
        found[look.name] = look
    return found


def of_piece(piece_id: str, names: list[str], every: bool, seed: int) -> list[str | None]:
    """The looks of a piece: every one, or one that is drawn by its id and the seed."""
    if not names:
        return [None]
    if every:
        return list(names)
    drawn = hashlib.sha256(f"look:{seed}:{piece_id}".encode()).digest()
    return [names[int.from_bytes(drawn[:8], "big") % len(names)]]


def variant_id(piece_id: str, look: str | None, every: bool) -> str:
    """The id of a piece in one of its looks: its own unless it has several."""
    return f"{piece_id}{SEPARATOR}{look}" if every and look else piece_id
