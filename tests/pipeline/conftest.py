"""What several tests of the data half share."""

import shutil

import pytest

from pipeline.sandbox import confined


@pytest.fixture
def without_walls(monkeypatch):
    """A machine on which bubblewrap is not to be found."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    confined.hindrance.cache_clear()
    yield
    confined.hindrance.cache_clear()
