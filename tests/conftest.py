"""Marks of the tests: what needs time, or more than Python. `pytest -m MARK` runs those alone."""

from pathlib import Path

import pytest

pytest_plugins = ["tests.support.browser"]

HERE = Path(__file__).parent
BY_FOLDER = {
    "workflow": ["slow"],
    "faults": ["faults", "slow"],
    "cluster": ["cluster", "root", "slow"],
    "image": ["image", "root", "slow"],
}
ON_REQUEST = {"faults", "cluster", "image"}  # they take up to an hour: only `-m` runs them


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their folder and fixtures, and leave out those that run on request only."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        for mark in BY_FOLDER.get(folder, []):
            item.add_marker(mark)
        if "browser" in getattr(item, "fixturenames", []):
            item.add_marker("browser")
    unwanted = {mark for mark in ON_REQUEST if mark not in config.option.markexpr}
    left_out = [item for item in items if unwanted & {mark.name for mark in item.iter_markers()}]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
