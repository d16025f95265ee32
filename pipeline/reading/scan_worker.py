"""Decode pages of PDF files and pictures, as a worker within the walls.

A question is a line of JSON: the `path` and the number of a `page`, from 0. An answer is a frame of
JSON, the number of `pages` and the page's `width` and `height`, or the `reason` why it cannot be
read, and a frame of its grey pixels.
"""

import json
import os
import sys
from pathlib import Path

from PIL import Image, ImageOps

from pipeline.constants import WHITE
from pipeline.sandbox import worker

LONGER_SIDE_PX = 2_400  # of a page of A4 at 205 dots an inch
MAX_PIXELS = 100_000_000  # of a picture before it is made smaller; A3 at 600 dots an inch has 70
PICTURE_FORMATS = ("PNG", "JPEG", "TIFF")


def read_page(path: Path, number: int) -> tuple[int, Image.Image]:
    """How many pages a file has, and one of them as a grey image.

    Raises:
        ValueError: with the reason, if it cannot be decoded.
    """
    return _pdf_page(path, number) if path.suffix == ".pdf" else _picture(path, number)


def _pdf_page(path: Path, number: int) -> tuple[int, Image.Image]:
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(path) as document:
            if not len(document):
                raise ValueError("the document has no pages")
            page = document[number]
            longer = max(page.get_size())
            if not 0 < longer < float("inf"):
                raise ValueError("the page has no size")
            bitmap = page.render(scale=LONGER_SIDE_PX / longer, grayscale=True)
            return len(document), bitmap.to_pil().convert("L")
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ValueError("it is protected by a password; save it without one") from None
        raise ValueError(f"not a valid PDF file: {error}") from None


def _picture(path: Path, number: int) -> tuple[int, Image.Image]:
    Image.MAX_IMAGE_PIXELS = None  # the limit is our own
    try:
        with Image.open(path, formats=PICTURE_FORMATS) as picture:
            # Other formats keep previews and animations there: a photo of many telephones does.
            pages = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
            picture.seek(number)
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(
                    f"it has {picture.width} x {picture.height} px, more than {MAX_PIXELS:,} in all"
                )
            return pages, _reduced(_grey(ImageOps.exif_transpose(picture)))
    except (OSError, SyntaxError, EOFError) as error:
        raise ValueError(f"not a valid picture: {error}") from None


def _grey(picture: Image.Image) -> Image.Image:
    """A picture in 256 shades of grey, what is transparent on white."""
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits or more
        low, high = picture.getextrema()
        span = max(float(high) - float(low), 1e-9)  # type: ignore[arg-type]
        return picture.convert("F").point(lambda v: (v - low) * WHITE / span).convert("L")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("L")


def _reduced(picture: Image.Image) -> Image.Image:
    longer = max(picture.size)
    if longer <= LONGER_SIDE_PX:
        return picture
    width, height = (max(1, round(side * LONGER_SIDE_PX / longer)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX)


def answer(question: dict) -> list[bytes]:
    """The frames of an answer."""
    try:
        pages, picture = read_page(Path(question["path"]), question["page"])
    except MemoryError:
        os._exit(worker.OUT_OF_MEMORY)
    except ValueError as error:
        return [json.dumps({"reason": " ".join(str(error).split())}).encode(), b""]
    said = {"pages": pages, "width": picture.width, "height": picture.height}
    return [json.dumps(said).encode(), picture.tobytes()]


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    out.write(worker.frame(worker.READY))
    out.flush()
    for line in sys.stdin:
        for content in answer(json.loads(line)):
            out.write(worker.frame(content))
        out.flush()
