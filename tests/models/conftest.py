"""Tests of the learning half run on the processor, also on a machine with accelerators."""

import pytest


@pytest.fixture(autouse=True)
def processor(monkeypatch):
    monkeypatch.setenv("LT_ACCELERATOR", "cpu")
