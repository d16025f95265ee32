"""The fonts that Verovio measures text with, as files that a renderer can load: its package holds
them compressed, for browsers."""

import base64
import io
import re
from importlib import resources
from pathlib import Path

from fontTools.ttLib import TTFont

TEXT = "Liberation"
_EMBEDDED = re.compile(r"base64,([A-Za-z0-9+/=]+)")


def unpack(name: str, folder: Path) -> list[Path]:
    """Write the files of one of Verovio's fonts into a folder, if they are not there."""
    found = sorted(folder.glob(f"{name}-*.ttf"))
    if found:
        return found
    style = (resources.files("verovio") / "data" / f"{name}.css").read_text()
    for number, packed in enumerate(_EMBEDDED.findall(style)):
        font = TTFont(io.BytesIO(base64.b64decode(packed)))
        font.flavor = None  # not compressed
        found.append(folder / f"{name}-{number}.ttf")
        font.save(found[-1])
    return found
