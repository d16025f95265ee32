"""The device and its precision."""

import pytest
import torch

from models import device


@pytest.mark.parametrize(("able", "kind"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_processor_without_bfloat16_computes_in_float32(monkeypatch, capsys, able, kind):
    monkeypatch.setattr(device, "computes_bf16", lambda: able)
    monkeypatch.setenv("LT_ACCELERATOR", "cpu")
    fabric = device.inference_device("bf16-mixed")
    with fabric.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == kind
    assert ("no bfloat16" in capsys.readouterr().err) != able
