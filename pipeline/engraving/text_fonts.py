"""The fonts that Verovio measures text with, as files that a renderer can load: its package holds
them compressed, for browsers."""

import base64
import io
import re
import tempfile
from functools import cache
from pathlib import Path

import verovio
from fontTools.ttLib import TTFont

TEXT = "Liberation"
SERIF = "Liberation Serif"
_EMBEDDED = re.compile(r"base64,([A-Za-z0-9+/=]+)")


@cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="fonts-")


@cache
def files(name: str) -> tuple[str, ...]:
    """Paths of the font files of one of Verovio's fonts; they go as this process ends."""
    style = (Path(verovio.__file__).parent / "data" / f"{name}.css").read_text()
    paths = []
    for number, packed in enumerate(_EMBEDDED.findall(style)):
        font = TTFont(io.BytesIO(base64.b64decode(packed)))
        font.flavor = None  # as it is where nothing is compressed
        paths.append(f"{_folder().name}/{name}-{number}.ttf")
        font.save(paths[-1])
    return tuple(paths)
