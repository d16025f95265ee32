"""The picture of a page beside its degraded scan."""

import numpy as np
from PIL import Image

from pipeline import select
from pipeline.describing import scans
from tests.support.musicxml import scale, score

LOOKS = [{"name": "clean"}, {"name": "photo", "scan": "phone"}]


def drawn(folder, looks) -> np.ndarray:
    """The picture of a folder's one score in these looks."""
    source = folder / "scores"
    source.mkdir(exist_ok=True)
    (source / "a.musicxml").write_text(score([scale("C4 D4 E4 F4")]))
    pieces, out = folder / "pieces.parquet", folder / "scans.png"
    select.select(
        str(source), "downloads", "own", "pages", 0, 1, 1.0, {"train": 1, "valid": 0, "test": 0},
        7, "warn", pieces, looks=looks, every_look=True,
    )  # fmt: skip
    scans.scans([pieces], "once", looks, "warn", out)
    with Image.open(out) as picture:
        return np.asarray(picture)


def boxes(half: np.ndarray) -> int:
    """How many pixels of a picture have the colour of a mark."""
    return int((half == scans.MARK).all(axis=2).sum())


def test_a_clean_and_a_degraded_page_stand_side_by_side_with_noteheads_marked(tmp_path):
    picture = drawn(tmp_path, LOOKS)
    width = (picture.shape[1] - scans.GAP) // 2
    clean, scan = picture[:, :width], picture[:, width + scans.GAP :]
    assert clean.shape == scan.shape == (scans.MOST_HEIGHT, 835, 3)
    assert boxes(clean) > 100 and abs(boxes(clean) - boxes(scan)) < 20
    grey = [(half.std(axis=2) == 0) & (half[..., 0] > 20) & (half[..., 0] < 250)
            for half in (clean, scan)]  # fmt: skip
    assert grey[1].sum() > 5 * grey[0].sum()  # uneven light, noise


def test_without_a_piece_to_scan_the_picture_is_blank(tmp_path):
    assert (drawn(tmp_path, [{"name": "clean"}]) == 255).all()
