"""Refuse weights by what their header says, before memory is taken for them."""

from collections.abc import Callable

import torch
from torch import nn


def check_header(file, name: str, build: Callable[[], nn.Module]) -> None:
    """Check that an opened safetensors file holds the tensors of a network.

    Args:
        file: from `safetensors.safe_open`, of which only the header is read.
        name: the network's, for the message.
        build: makes the network that the file names. Here it is made without memory.

    Raises:
        ValueError: if there is no such network, or its tensors have other names or shapes.
    """
    try:
        with torch.device("meta"):
            expected = {key: list(value.shape) for key, value in build().state_dict().items()}
    except (RuntimeError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise ValueError("its header describes no network; train it again") from error
    found = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
    if found != expected:
        odd = min(key for key in found | expected if found.get(key) != expected.get(key))
        raise ValueError(
            f"does not fit {name}: '{odd}' is {found.get(odd)}, not {expected.get(odd)}; "
            "train it again"
        )
