"""Memory, time and threads of jobs: they grow with input, attempts and cores."""

import sys
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


@pytest.mark.parametrize(
    ("cores", "one", "each_of_two"),
    [(1, 1, 1), (2, 2, 1), (3, 3, 1), (16, 16, 8), (200, 64, 32), (sys.maxsize, 64, 32)],
)
def test_two_networks_share_the_cores(cores, one, each_of_two):
    assert resources.network_threads(cores, both=False) == one
    assert resources.network_threads(cores, both=True) == each_of_two


def test_on_a_cluster_the_nodes_decide():
    assert resources.network_threads(None, both=False) == 64
