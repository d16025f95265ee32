"""Tests of the learning half run on the processor, also on a machine with accelerators."""

import pytest
import torch


@pytest.fixture(autouse=True)
def processor(monkeypatch):
    monkeypatch.setenv("LT_ACCELERATOR", "cpu")


@pytest.fixture
def few_threads():
    """Networks this small gain nothing from more, and wait for each other on a busy machine."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)
