"""Pages of PDF files and pictures: what is read, and what is refused."""

import re

import numpy as np
import pytest
from PIL import Image

from pipeline.reading import scan_worker, scans
from tests.support.drawn_pages import drawn_page


@pytest.fixture(scope="module")
def pages():
    return [Image.fromarray(drawn_page(systems).page) for systems in (1, 2)]


@pytest.mark.parametrize("suffix", [".pdf", ".tiff"])
def test_several_pages_in_one_file(tmp_path, pages, suffix):
    path = tmp_path / f"score{suffix}"
    first, second = (page.copy() for page in pages)
    first.save(path, save_all=True, append_images=[second])
    found = scans.read_pages(path)
    assert len(found) == 2
    for page, original in zip(found, pages, strict=True):
        assert page.dtype == np.uint8
        small = Image.fromarray(page).resize(original.size, Image.Resampling.BOX)
        assert np.abs(np.asarray(small, float) - np.asarray(original)).mean() < 6


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path, pages):
    for number, page in ((10, pages[1]), (9, pages[0])):
        page.convert("RGB").save(tmp_path / f"page{number}.png")
    (tmp_path / "notes.txt").write_text("not a page")
    found = scans.read_pages(tmp_path)
    (tmp_path / "page10.png").rename(tmp_path / "page²1.png")  # a digit that is no decimal number
    assert len(scans.read_pages(tmp_path)) == 2
    assert [np.array_equal(page, np.asarray(pages[n])) for n, page in enumerate(found)] == [
        True
    ] * 2


def test_large_pictures_are_made_smaller_and_turned_upright(tmp_path):
    picture = Image.new("L", (3_000, 4_800), 255)
    picture.paste(0, (0, 0, 3_000, 100))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    picture.save(tmp_path / "photo.jpg", exif=exif)
    (page,) = scans.read_pages(tmp_path / "photo.jpg")
    assert page.shape == (2_400, 1_500)
    assert page[-20].mean() < 50 < 200 < page[20].mean()


def test_the_preview_in_a_telephone_s_photo_is_no_page(tmp_path, pages):
    photo, preview = (page.copy() for page in pages)
    photo.save(tmp_path / "photo.jpg", "MPO", save_all=True, append_images=[preview])
    assert scan_worker.read_page(tmp_path / "photo.jpg", 0)[0] == 1


def test_what_is_transparent_is_paper():
    picture = Image.new("RGBA", (4, 2), (0, 0, 0, 0))
    picture.putpixel((1, 1), (0, 0, 0, 255))
    grey = np.asarray(scan_worker._grey(picture))
    assert grey[1, 1] == 0 and grey.sum() == 7 * 255
    deep = Image.fromarray(np.array([[0, 65_535], [32_768, 65_535]], np.uint16))
    assert np.asarray(scan_worker._grey(deep)).tolist() == [[0, 255], [127, 255]]


@pytest.mark.parametrize("name", ["score.pdf", "page.png", "page.jpg", "page.tif"])
def test_junk_is_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"junk")
    with pytest.raises(
        ValueError, match=rf"{re.escape(name)}: page 1 cannot be read \(not a valid"
    ):
        scans.read_pages(tmp_path / name)


def test_hostile_sizes_are_refused(tmp_path, monkeypatch, pages):
    monkeypatch.setattr(scan_worker, "MAX_PIXELS", 500)
    pages[0].save(tmp_path / "page.png")
    with pytest.raises(ValueError, match="835 x 620 px, more than 500"):
        scan_worker.read_page(tmp_path / "page.png", 0)
    monkeypatch.setattr(scans, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match=r"page\.png: larger than"):
        scans.read_pages(tmp_path / "page.png")


def test_too_many_pages_are_refused(tmp_path, monkeypatch, pages):
    pages[0].save(tmp_path / "score.pdf", save_all=True, append_images=pages[1:])
    monkeypatch.setattr(scans, "MAX_PAGES", 1)
    with pytest.raises(ValueError, match=r"score\.pdf: more than 1 pages"):
        scans.read_pages(tmp_path / "score.pdf")


def test_what_is_not_there_or_no_page(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.pdf: no such file"):
        scans.read_pages(tmp_path / "nothing.pdf")
    with pytest.raises(ValueError, match="no pages in this folder"):
        scans.read_pages(tmp_path)
    (tmp_path / "a.mid").write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.mid: not a file of pages"):
        scans.read_pages(tmp_path / "a.mid")
