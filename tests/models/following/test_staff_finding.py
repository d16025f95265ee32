"""Staves, systems and barlines on pages that are drawn here, straight and as a bad scan."""

import numpy as np
import pytest

from models.following import staff_finding, staff_systems
from models.following.sheet_images import SPACE_PX, find_systems
from tests.support.drawn_pages import LEFT, RIGHT, drawn_page, scanned


@pytest.mark.parametrize("space", [5.5, 7.0, 9.0])
def test_every_staff_is_found_to_the_pixel(space):
    drawn = drawn_page(systems=2, space=space)
    found = staff_finding.find_staves(drawn.page)
    zoom = found.page.shape[1] / drawn.page.shape[1]
    tops = [top for system in drawn.tops for top in system]
    assert [staff.height(0) / zoom for staff in found.staves] == pytest.approx(tops, abs=0.8)
    bottoms = [top + 4 * space for top in tops]
    assert [staff.height(4) / zoom for staff in found.staves] == pytest.approx(bottoms, abs=0.8)
    for staff in found.staves:
        assert staff.left / zoom == pytest.approx(LEFT, abs=1.5)
        assert staff.right / zoom == pytest.approx(RIGHT, abs=3)
    assert found.space / zoom == pytest.approx(space, abs=0.05)
    assert found.degrees == 0


@pytest.mark.parametrize("degrees", [-2.0, 1.2])
def test_a_bad_scan_is_straightened_and_its_staves_are_found(degrees):
    drawn = drawn_page()
    found = staff_finding.find_staves(scanned(drawn.page, degrees))
    assert found.degrees == pytest.approx(-degrees, abs=0.06)
    assert len(found.staves) == 6
    zoom = found.page.shape[1] / drawn.page.shape[1]
    middle = found.page.shape[1] // 2
    tops = [staff.lines(middle)[0] / zoom for staff in found.staves]
    assert tops == pytest.approx([top for system in drawn.tops for top in system], abs=1.5)


@pytest.mark.parametrize(("staves", "sizes"), [(1, [1, 1, 1]), (2, [2, 2, 2]), (3, [3, 3])])
def test_staves_that_barlines_join_are_one_system(staves, sizes):
    found = staff_finding.find_staves(drawn_page(len(sizes), staves).page)
    assert [len(system) for system in staff_systems.group_staves(found)] == sizes


def test_a_page_comes_to_the_scale_of_the_training_data():
    drawn = drawn_page(systems=2, space=9.0)
    page, systems = find_systems(drawn.page, 4, 10)
    assert [(row["image"], row["system"]) for row in systems] == [(4, 10), (4, 11)]
    heights = [b - t for row in systems for t, b in zip(row["top"], row["bottom"], strict=True)]
    assert heights == pytest.approx(4 * [4 * SPACE_PX], abs=0.4)
    ratio = SPACE_PX / 9.0
    assert page.shape[1] == pytest.approx(835 * ratio, abs=2)
    assert systems[0]["left"] == pytest.approx(LEFT * ratio, abs=1.5)


@pytest.mark.parametrize("staves", [1, 2])
@pytest.mark.parametrize("scan", [False, True])
def test_bars_are_counted(staves, scan):
    drawn = drawn_page(2, staves)
    page, systems = find_systems(scanned(drawn.page, 0.4) if scan else drawn.page, 0, 0)
    for system in systems:
        lines = staff_systems.barlines(staff_finding.darkness(page), system)
        assert lines == pytest.approx(drawn.barlines, abs=8 if scan else 3)  # the page was turned


def test_uneven_light_and_noise_are_cleaned():
    drawn = drawn_page(1)
    dirty = scanned(drawn.page, 0.0)
    dark = staff_finding.darkness(dirty)
    clean = staff_finding.cleaned(dark, []).astype(float)
    paper = drawn.page == 255
    assert clean[paper].mean() > 245 > dirty[paper].mean()
    ink = drawn.page < 60
    assert clean[ink].mean() < 90


@pytest.mark.parametrize("shade", [255, 90, 0])
def test_a_page_without_staves_has_none(shade):
    page = np.full((300, 200), shade, np.uint8)
    assert staff_finding.find_staves(page).staves == []
    assert find_systems(page, 0, 0)[1] == []


def test_a_picture_too_low_for_a_staff_has_none():
    strip = np.random.default_rng(0).integers(0, 256, (12, 200)).astype(np.uint8)
    assert staff_finding.find_staves(strip).staves == []


def test_text_is_no_staff():
    page = drawn_page(0).page
    assert staff_finding.find_staves(page).staves == []
