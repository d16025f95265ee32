"""Read page images from a PDF file, from pictures, or from a folder of them.

The files may have been made by anybody, so that a worker within the walls decodes them.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline.sandbox import confined, worker

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
SUFFIXES = (".pdf", *PICTURES)
SECONDS = 60  # a page
PACKAGES = ("numpy", "PIL", "pypdfium2")
MAX_BYTES = 500_000_000  # of a file
MAX_PAGES = 500  # of a score


def read_pages(path: Path | str) -> list[np.ndarray]:
    """Read the pages of a score.

    Args:
        path: PDF, PNG, JPEG or TIFF (of one page or more), or a folder of such files, which are
            read in the order of their names.

    Returns:
        Grey images (height, width) uint8, white 255. The longer side of a PDF page or of a large
        picture has 2,400 px, about 200 dots an inch of A4.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file and the reason, if a page cannot be read or there are too many.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file of pages")
    files = list(_pictures(path)) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path}: no pages in this folder; it takes {', '.join(SUFFIXES)}")
    pages: list[np.ndarray] = []
    with tempfile.TemporaryDirectory(prefix="pages-") as name:
        folder = Path(name)
        with worker.Worker("pipeline.reading.scan_worker", PACKAGES, folder, SECONDS) as reader:
            for file in files:
                pages += _pages(reader, file, MAX_PAGES - len(pages))
    return pages


def _pictures(folder: Path) -> Iterator[Path]:
    """The files of pages in a folder, by name; numbers in names count as numbers."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    yield from sorted((path for path in found if path.is_file()), key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = "".join(c if c.isdecimal() else f"\0{c}\0" for c in path.name).split("\0")
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts if part]


def _pages(reader: worker.Worker, path: Path, at_most: int) -> Iterator[np.ndarray]:
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: not a file of pages; it takes {', '.join(SUFFIXES)}")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: larger than {MAX_BYTES // 10**6} MB; divide it")
    copy = reader.folder / f"pages{path.suffix.lower()}"
    shutil.copyfile(path, copy)
    seen = confined.seen(copy, confined.INSIDE / copy.name)
    number, count = 0, 1
    with tqdm(desc=f"read {path.name}", unit="page", disable=None, leave=False) as progress:
        while number < count:
            question = json.dumps({"path": str(seen), "page": number})
            answer = reader.ask(question, 2)
            if isinstance(answer, str):
                raise ValueError(f"{path}: page {number + 1} cannot be read ({answer})")
            said = json.loads(answer[0])
            if "reason" in said:
                raise ValueError(f"{path}: page {number + 1} cannot be read ({said['reason']})")
            count = progress.total = said["pages"]
            if count > at_most:
                raise ValueError(f"{path}: more than {MAX_PAGES} pages; divide it")
            pixels = np.frombuffer(answer[1], np.uint8)
            yield pixels.reshape(said["height"], said["width"])
            number += 1
            progress.update()
    copy.unlink()
