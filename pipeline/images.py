"""Decode the PNG images of tables, which may have been written by anybody."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

MAX_PIXELS = 80_000_000  # a strip of 400,000 px; the longest of MSMD has a tenth


def grey(png: bytes | None) -> np.ndarray:
    """The pixels of a PNG, (height, width) uint8.

    Nothing but a PNG is decoded: for other formats Pillow may start programs.

    Raises:
        ValueError: if it is missing, no PNG, corrupt or too large.
    """
    if png is None:
        raise ValueError("the image is missing")
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(
                    f"the image has {picture.width} x {picture.height} px, more than "
                    f"{MAX_PIXELS:,} in all"
                )
            return np.array(picture.convert("L"))
    except Image.DecompressionBombError:
        raise ValueError(f"the image has more than {MAX_PIXELS:,} px") from None
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        reason = " ".join(str(error).split("<")[0].split())
        raise ValueError(f"the image cannot be decoded ({reason or 'no PNG'})") from None
