"""The errors of a followed recording whose truth is made up."""

import numpy as np
import pytest

from benchmarks.follow_both_ways import errors, goals
from tests.support.followed import PLAYED, QUARTER_S, alignment, onset_s


@pytest.fixture
def followed(tmp_path):
    return alignment(tmp_path)


def true(followed, later_s: float = 0.0):
    played = [
        {"notehead_id": head, "onset_s": onset_s(number) + later_s}
        for number, head in enumerate(PLAYED)
    ]
    return goals(followed, played).assign(bar=[str(1 + head // 2) for head in PLAYED])


def test_a_perfect_alignment_has_no_errors(followed):
    found = errors(followed, true(followed))
    np.testing.assert_allclose(found[["ms", "px"]], 0, atol=5)
    assert found["bar"].all()


def test_an_early_cursor_is_wrong_by_as_much_as_it_has_run_on(followed):
    found = errors(followed, true(followed, later_s=0.2))
    np.testing.assert_allclose(found["ms"], 200, atol=5)
    px = [80, 80, 80, 0, 80, 80, 80, 80, 160]  # to the next onset; it waits before a repeat
    np.testing.assert_allclose(found["px"][:-1], np.array(px) * 0.2 / QUARTER_S, atol=1)


def test_another_system_is_far_away(followed):
    late = true(followed).assign(system=1 - true(followed)["system"])
    found = errors(followed, late)
    assert np.isinf(found["px"]).all()
