"""Only PNG images of a bearable size are decoded."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pipeline import images


def encoded(pixels, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.array(pixels, np.uint8)).save(out, kind)
    return out.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to have so many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b""))
    )


def test_pixels_come_back():
    assert images.grey(encoded([[0, 100], [200, 255]])).tolist() == [[0, 100], [200, 255]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing"),
        (b"", "cannot be decoded"),
        (b"no picture", "cannot be decoded"),
        (encoded([[0] * 9] * 9)[:45], "cannot be decoded"),
        (encoded([[0] * 9] * 9, "TIFF"), "cannot be decoded"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "cannot be decoded"),
        (bomb(50_000, 50_000), "more than 80,000,000"),
        (bomb(10_000, 9_000), "more than 80,000,000"),
        (bomb(2**31 - 1, 1), "more than 80,000,000"),
    ],
    ids=["none", "empty", "text", "cut", "tiff", "eps", "bomb", "large", "wide"],
)
def test_anything_else_is_refused_with_a_sentence(content, reason):
    with pytest.raises(ValueError, match=f"^the image .*{reason}"):
        images.grey(content)
