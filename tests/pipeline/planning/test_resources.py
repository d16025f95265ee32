"""Memory and time of jobs grow with input and attempts."""

from types import SimpleNamespace

import pytest

from pipeline.planning import resources


@pytest.mark.parametrize(
    ("arguments", "size_mb", "attempt", "expected"),
    [
        ((1000,), 500, 1, 1000),
        ((1000,), 500, 2, 2000),
        ((1000, 3), 500, 1, 2500),
        ((1000, 3, 200), 500, 2, 2400),
        ((1000, 3, None), 0.5, 1, 1001),
    ],
)
def test_memory(arguments, size_mb, attempt, expected):
    amount = resources.memory(*arguments)
    assert amount(None, SimpleNamespace(size_mb=size_mb), attempt) == expected


def test_minutes_grow_with_attempts():
    assert [resources.minutes(30)(None, attempt) for attempt in (1, 2)] == [30, 60]
