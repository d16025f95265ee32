"""Looks of pages: drawn by seed, or all; one id a piece and look."""

from collections import Counter

import pytest

from pipeline.engraving import looks

NAMES = ["leland", "petaluma", "phone"]


def test_a_piece_without_looks_has_one():
    assert looks.of_piece("a", [], False, 1) == [None]


def test_a_look_is_drawn_by_piece_and_seed():
    drawn = [looks.of_piece(f"p{n}", NAMES, False, 1)[0] for n in range(300)]
    assert min(Counter(drawn).values()) > 70
    assert drawn == [looks.of_piece(f"p{n}", NAMES, False, 1)[0] for n in range(300)]
    assert drawn != [looks.of_piece(f"p{n}", NAMES, False, 2)[0] for n in range(300)]


def test_every_look_makes_a_piece_of_its_own():
    assert looks.of_piece("p", NAMES, True, 1) == NAMES
    assert looks.variant_id("p", "leland", True) == "p--leland"
    assert looks.variant_id("p", "leland", False) == "p"


def test_settings_name_their_looks():
    found = looks.from_settings([{"name": "a", "music_font": "Leland"}, {"name": "b"}])
    assert found["a"].music_font == "Leland" and found["b"].page_width_px == 835
    for wrong in ([{"name": "a"}] * 2, [{"name": "a", "music_font": "Comic"}]):
        with pytest.raises(ValueError, match="looks: "):
            looks.from_settings(wrong)
