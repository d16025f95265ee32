"""The processor or accelerators that networks run on, through Lightning Fabric.

`LT_ACCELERATOR`, `LT_DEVICES` and `LT_STRATEGY` in the environment choose others than Fabric finds.
"""

import ctypes
import resource
import sys
import warnings
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from lightning.fabric import Fabric

BF16, FLOAT32 = "bf16-mixed", "32-true"  # precisions, as Fabric calls them


def inference_device(precision: str) -> "Fabric":
    """Set up the one device on which a trained network runs.

    Args:
        precision: `bf16-mixed` or `32-true`; a processor without bfloat16 falls back to float32.
    """
    return _fabric(precision, 1)


def training_devices(precision: str, batch_size: int, unit: str = "examples") -> "Fabric":
    """Set up all devices of a training and start one process for each.

    Args:
        precision: as for `inference_device`.
        batch_size: examples of a step, on all devices together.
        unit: what these are, in words.

    Raises:
        ValueError: if the batch cannot be divided evenly among the devices.
    """
    fabric = _fabric(precision, "auto")
    if fabric.world_size > 1:
        fabric.launch()
    if batch_size % fabric.world_size:
        raise ValueError(
            f"the {batch_size} {unit} of a batch cannot be divided among {fabric.world_size} "
            "devices; change batch_size, or show fewer of them (CUDA_VISIBLE_DEVICES)"
        )
    return fabric


def _fabric(precision: str, devices: int | str) -> "Fabric":
    from lightning.fabric import Fabric  # takes seconds to import, and not all commands compute

    torch.set_flush_denormal(True)  # tiny numbers would slow the processor down manyfold
    keep_memory()
    with warnings.catch_warnings():  # it misses `srun` on every machine that has Slurm
        warnings.filterwarnings("ignore", message="The `srun` command is available")
        device = partial(Fabric, devices=devices)
        if precision == BF16 and not computes_bf16() and device().device.type == "cpu":
            print("This processor has no bfloat16; it computes in float32.", file=sys.stderr)
            precision = FLOAT32
        return device(precision=precision)


def normalised_together(fabric: "Fabric", network: nn.Module) -> nn.Module:
    """Have several GPUs normalise a batch as one would, by the statistics of all its parts."""
    if fabric.world_size > 1 and fabric.device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return network


def computes_bf16() -> bool:
    """Whether this processor has instructions for bfloat16.

    Without them a step takes ten times as long as one in float32.
    """
    try:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    except (AttributeError, RuntimeError):  # a build of torch without oneDNN
        return False


def keep_memory() -> None:
    """Have the C library (glibc) keep freed memory instead of returning it to the system.

    Otherwise it returns every large array after each step, and a quarter of the time goes into
    getting it back page by page.
    """
    mmap_max, trim_threshold = -4, -1  # names of mallopt(3)
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


def peak_mb() -> float:
    """The most main memory (MB) that this process has used so far, without its workers."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes of getrusage's number
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
