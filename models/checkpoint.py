"""Checkpoints: all that a training needs to continue where it was stopped."""

from pathlib import Path

import torch
from torch import nn

from pipeline.replacing import replacing


def write_checkpoint(
    path: Path, identity: dict, state: dict, network: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Write a checkpoint; a write that fails leaves the one before it in place.

    Args:
        path: file to write.
        identity: settings and digests that a run must share to continue from here.
        state: progress of the run; numbers, text and tensors.
        network: its weights are kept.
        optimiser: its moments are kept.
    """
    content = {
        "identity": identity,
        "state": state,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    with replacing(path) as temporary, temporary.open("wb") as file:  # reports a full disk
        torch.save(content, file)


def read_checkpoint(path: Path, identity: dict) -> dict | None:
    """Read a checkpoint onto the processor; None if the file does not exist.

    Args:
        path: what `write_checkpoint` wrote.
        identity: that of this run.

    Raises:
        ValueError: if the file is no checkpoint or has a different identity.
    """
    if not path.exists():
        return None
    try:
        saved = torch.load(path, weights_only=True, map_location="cpu")
        written = saved["identity"]
    except Exception as error:  # torch raises half a dozen types for a corrupt file
        raise ValueError(
            f"{path} is not a checkpoint ({type(error).__name__}); delete it to restart"
        ) from error
    different = [name for name, value in identity.items() if written.get(name) != value]
    if different:
        raise ValueError(
            f"{path} was written with different {' and '.join(different)}; delete it to restart"
        )
    return saved
