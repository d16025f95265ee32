"""Strips and snippets: what is cut where, counted out by hand on small pages."""

import numpy as np
import pytest

from pipeline import strips

WHITE = 255


def page(height=400, width=300, seed=0) -> np.ndarray:
    """A page on which no two places look alike."""
    return np.random.default_rng(seed).integers(0, 255, (height, width), np.uint8)


def system(number=0, image=0, left=20.0, right=280.0, top=(150.0, 210.0), bottom=(178.0, 238.0)):
    return {
        "system": number,
        "image": image,
        "left": left,
        "right": right,
        "top": list(top),
        "bottom": list(bottom),
    }


def test_a_system_is_cut_about_its_middle_row_between_the_ends_of_its_lines():
    """150 to 238: the middle is row 194, the rows are 94 to 293."""
    sheet = page()
    image, shifts = strips.strip([sheet], [system()])
    np.testing.assert_array_equal(image, sheet[94:294, 20:280])
    assert shifts == {0: -20}


def test_fractions_of_a_pixel_are_rounded_outwards():
    """Left 20.9 gives column 20, right 280.1 the last column 280; rows 150 to 239 have 194."""
    sheet = page()
    odd = system(left=20.9, right=280.1, top=(150.9,), bottom=(238.1,))
    assert strips.box(odd) == (20, 150, 281, 239)
    np.testing.assert_array_equal(strips.strip([sheet], [odd])[0], sheet[94:294, 20:281])


def test_systems_are_joined_from_left_to_right():
    """An x on a page, less the left end of its system, plus the widths before it."""
    sheets = [page(seed=1), page(seed=2)]
    systems = [
        system(0, image=0, left=50, right=280),
        system(1, image=0, left=20, right=280, top=(250.0,), bottom=(260.0,)),
        system(2, image=1, left=20, right=270),
    ]
    image, shifts = strips.strip(sheets, systems)
    assert image.shape == (200, 230 + 260 + 250)
    assert shifts == {0: -50, 1: 230 - 20, 2: 230 + 260 - 20}
    for one, first_row in zip(systems, (94, 155, 94), strict=True):
        x = 100  # a notehead's column on the page
        on_page = sheets[one["image"]][first_row : first_row + 200, x]
        np.testing.assert_array_equal(image[:, x + shifts[one["system"]]], on_page)


def test_rows_outside_the_page_are_white():
    sheet = page()
    image, _ = strips.strip([sheet], [system(top=(40.0,), bottom=(80.0,))])  # rows -40 to 159
    assert (image[:40] == WHITE).all()
    np.testing.assert_array_equal(image[40:], sheet[:160, 20:280])
    image, _ = strips.strip([sheet], [system(top=(340.0,), bottom=(380.0,))])  # 260 to 459
    np.testing.assert_array_equal(image[:140], sheet[260:, 20:280])
    assert (image[140:] == WHITE).all()


def test_in_2019_the_next_page_follows_and_the_outermost_rows_are_repeated():
    sheets = [page(seed=1), page(seed=2)]
    low = system(top=(340.0,), bottom=(380.0,))
    image, _ = strips.strip(sheets, [low], "2019")
    np.testing.assert_array_equal(image[:140], sheets[0][260:, 20:280])
    np.testing.assert_array_equal(image[140:], sheets[1][:60, 20:280])
    image, _ = strips.strip(sheets, [low | {"image": 1}], "2019")
    assert (image[140:] == sheets[1][-1, 20:280]).all()
    image, _ = strips.strip(sheets, [system(top=(40.0,), bottom=(80.0,))], "2019")
    assert (image[:40] == sheets[0][0, 20:280]).all()


def test_a_strip_is_as_tall_as_its_tallest_system_needs():
    tall = system(top=(50.0, 330.0), bottom=(78.0, 358.0))
    sheet = page()
    image, _ = strips.strip([sheet], [system(), tall])
    assert image.shape == (308 + 2 * strips.AROUND_PX, 520)
    assert (image[strips.AROUND_PX : -strips.AROUND_PX, 260:] == sheet[50:358, 20:280]).all()
    low, _ = strips.strip([sheet], [system()])
    middle = (len(image) - 200) // 2
    assert (image[middle : middle + 200, :260] == low).all()
    assert strips.height([system(top=(100.0,), bottom=(300.0,))]) == 200
    assert strips.strip([sheet], [tall], "2019")[0].shape == (200, 260)


def test_a_piece_without_systems_has_an_empty_strip():
    image, shifts = strips.strip([page()], [])
    assert image.shape == (200, 0)
    assert shifts == {}


def test_a_snippet_has_its_onset_in_column_100():
    image = page(200, 1_000)
    window = strips.snippet(image, 470.8)
    assert window.shape == (160, 200)
    np.testing.assert_array_equal(window, image[20:180, 370:570])


@pytest.mark.parametrize("x", [0, 40, 99, 901, 999])
def test_a_snippet_near_an_end_is_filled_up_with_white(x):
    image = page(200, 1_000)
    window = strips.snippet(image, x)
    np.testing.assert_array_equal(window[:, 100], image[20:180, x])
    columns = np.arange(x - 100, x + 100)
    outside = (columns < 0) | (columns >= 1_000)
    assert (window[:, outside] == WHITE).all()
    assert outside.sum() == max(100 - x, 0) + max(x + 100 - 1_000, 0)
    np.testing.assert_array_equal(window[:, ~outside], image[20:180, columns[~outside]])


def as_in_2019(image: np.ndarray, x: int) -> list[int]:
    """Columns of the snippet, one at a time: a crop of 800 about x, pushed back inside, then the
    200 columns about the middle of what is left."""
    crop = list(range(x - 400, x + 400))
    while crop[0] < 0:
        crop = [column + 1 for column in crop]
    while crop[-1] >= image.shape[1]:
        crop = [column - 1 for column in crop]
    crop = [column for column in crop if column >= 0]
    middle = len(crop) // 2
    return [crop[middle + offset] for offset in range(-100, 100)]


@pytest.mark.parametrize("width", [201, 202, 555, 799, 800, 801, 1_203, 2_500])
def test_the_snippets_of_2019(width):
    image = page(200, width)
    for x in {0, 37, 100, width // 2, 399, 400, 401, width - 401, width - 400, width - 1}:
        if 0 <= x < width:
            expected = image[20:180][:, as_in_2019(image, x)]
            np.testing.assert_array_equal(strips.snippet(image, x, "2019"), expected)


def test_the_snippets_of_2019_miss_their_onset_near_the_ends():
    image = page(200, 2_000)
    at_400 = strips.snippet(image, 400)
    for x in (100, 250, 399):
        np.testing.assert_array_equal(strips.snippet(image, x, "2019"), at_400)
    for x in (400, 1_000, 1_600):
        np.testing.assert_array_equal(strips.snippet(image, x, "2019"), strips.snippet(image, x))
    np.testing.assert_array_equal(
        strips.snippet(image, 1_999, "2019"), strips.snippet(image, 1_600)
    )


def test_what_cannot_be_cut_is_told():
    with pytest.raises(ValueError, match="cropping is 2020; it is one of padded, 2019"):
        strips.snippet(page(200, 500), 100, "2020")
    with pytest.raises(ValueError, match="cropping is edge"):
        strips.strip([page()], [system()], "edge")
    with pytest.raises(ValueError, match="x is 500, outside a strip of 500 px"):
        strips.snippet(page(200, 500), 500)
    with pytest.raises(ValueError, match="a strip of 200 px is too narrow"):
        strips.snippet(page(200, 200), 100, "2019")
    with pytest.raises(ValueError, match=r"pages of \[300, 310\] px"):
        strips.strip([page(), page(width=310)], [system()], "2019")
