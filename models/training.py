"""What the training and evaluation of all networks share."""

import ctypes
import math
import resource
import signal
import sys
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm import tqdm

from pipeline import tables

if TYPE_CHECKING:
    from lightning.fabric import Fabric

BF16, FLOAT32 = "bf16-mixed", "32-true"  # precisions, as Fabric calls them
EVERY_S = 1.0  # between two looks of a progress bar at the clock
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def keep_memory() -> None:
    """Have the C library keep freed memory, where it can be told to (glibc).

    It would else hand every large array back to the system after each step and take a quarter of
    the time to have it back, page by page.
    """
    mmap_max, trim_threshold = -4, -1  # names of mallopt(3)
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


def peak_mb() -> float:
    """The most main memory that this process has held since it began, in MB; not its workers'."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes of getrusage's number
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def evenly(count: int, at_most: int | None) -> np.ndarray:
    """Indices of `at_most` of `count` things, evenly spread; all where there are fewer."""
    if at_most is None or count <= at_most:
        return np.arange(count)
    return np.arange(at_most) * count // at_most


# --- a start -----------------------------------------------------------------------------------
def _fabric(accelerator: str, precision: str, devices: int | str) -> "Fabric":
    """Some devices, and the settings of a process that computes."""
    from lightning.fabric import Fabric  # takes seconds to import, and not all commands compute

    torch.set_flush_denormal(True)  # tiny numbers would slow the processor down manyfold
    keep_memory()
    with warnings.catch_warnings():  # it misses `srun` on every machine that has Slurm
        warnings.filterwarnings("ignore", message="The `srun` command is available")
        device = partial(Fabric, accelerator=accelerator, devices=devices)
        if precision == BF16 and not computes_bf16() and device().device.type == "cpu":
            print("This processor has no bfloat16; it computes in float32.", file=sys.stderr)
            precision = FLOAT32
        return device(precision=precision)


def computes_bf16() -> bool:
    """Whether this processor has instructions for bfloat16; else a step takes ten times as long as
    one in float32."""
    try:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    except (AttributeError, RuntimeError):  # a build of torch without oneDNN
        return False


def one_device(accelerator: str, precision: str) -> "Fabric":
    """The device on which a trained network answers."""
    return _fabric(accelerator, precision, 1)


def start(accelerator: str, precision: str, batch: int) -> "Fabric":
    """The devices of a training, one process for each, all running by now.

    Raises ValueError where a batch cannot be shared out evenly.
    """
    fabric = _fabric(accelerator, precision, "auto")
    if fabric.world_size > 1:
        fabric.launch()
    if batch % fabric.world_size:
        raise ValueError(f"a batch of {batch} does not fit {fabric.world_size} devices")
    return fabric


# --- a checkpoint ------------------------------------------------------------------------------
def write_state(path: Path, identity: dict, state: dict, network, optimiser) -> None:
    """Write a checkpoint, whole or not at all.

    identity: what a run that goes on from here must share; state: numbers, text and tensors.
    """
    content = {
        "identity": identity,
        "state": state,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    save(content, path)


def save(content: dict, path: Path) -> None:
    """Write numbers, text and tensors with torch, whole or not at all."""
    with tables.replacing(path) as temporary, temporary.open("wb") as file:  # tells a full disk
        torch.save(content, file)


def read_state(path: Path, identity: dict) -> dict | None:
    """The checkpoint that `write_state` wrote, on the processor; None where there is none.

    Raises ValueError where it is of other settings or data, or no checkpoint.
    """
    if not path.exists():
        return None
    try:
        saved = torch.load(path, weights_only=True, map_location="cpu")
        found = saved["identity"]
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise ValueError(
            f"{path} is not a checkpoint ({type(error).__name__}); delete it to start afresh"
        ) from error
    other = [name for name, value in identity.items() if found.get(name) != value]
    if other:
        raise ValueError(
            f"{path} was written with another {' and '.join(other)}; delete it to start afresh"
        )
    return saved


# --- a run -------------------------------------------------------------------------------------
@contextmanager
def stop_signals():
    """Yield an event that the first Ctrl-C or SIGTERM sets; a second one acts as usual."""
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    usual = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    def stop(number, frame) -> None:
        stopping.set()
        restore()

    for number in usual:
        signal.signal(number, stop)
    try:
        yield stopping
    finally:
        restore()


def leave_signals_to_parent(worker: int) -> None:
    """Have a data loader's worker ignore what ends a run: Ctrl-C goes to all processes at once."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def check_loss(value: float, state: dict) -> None:
    """FloatingPointError, naming the place in the run, where a loss is not finite."""
    if not math.isfinite(value):
        raise FloatingPointError(
            f"the loss is {value} in epoch {state['epoch'] + 1}, batch {state['step'] + 1}; "
            "a lower rate may help. The last checkpoint is kept."
        )


def run_epochs(run, epochs: int, checkpoint_minutes: float, unit: str) -> None:
    """Run the epochs that are left, with checkpoints, a progress bar and a clean stop.

    run: an object with `fabric`; `batch`, the examples of a step on all devices together; `steps`
    of an epoch; `step()`, which counts up state["step"] and adds its loss to state["loss"];
    `finish_epoch()`, which counts up state["epoch"], resets the others and returns a line to
    print; `save()` of a checkpoint; `write_history()`; and `state`, where a true "over" ends the
    run before `epochs`. unit: what the examples are.

    Ctrl-C and SIGTERM, at whichever process, save a checkpoint and raise SystemExit.
    """
    state, saved_at = run.state, time.monotonic()
    progress = tqdm(
        total=epochs * run.steps * run.batch,
        initial=(state["epoch"] * run.steps + state["step"]) * run.batch,
        unit=f" {unit}",
        desc=f"epoch {state['epoch'] + 1}/{epochs}",
        smoothing=0.05,
        mininterval=EVERY_S,
        disable=not run.fabric.is_global_zero,
    )
    with progress, stop_signals() as stopping:
        while state["epoch"] < epochs and not state.get("over"):
            while state["step"] < run.steps:
                run.step()
                if _any(run.fabric, stopping.is_set()):
                    run.save()  # before a word: whoever reads may be gone already
                    run.fabric.barrier()  # the first process to end would take the others along
                    raise SystemExit(
                        f"Stopped in epoch {state['epoch'] + 1} after batch {state['step']} of "
                        f"{run.steps}; the same command goes on from here."
                        if run.fabric.is_global_zero
                        else 0
                    )
                progress.update(run.batch)
                progress.set_postfix(loss=f"{state['loss'] / state['step']:.3f}", refresh=False)
                if time.monotonic() - saved_at > checkpoint_minutes * 60:
                    run.save()
                    saved_at = time.monotonic()
            line = run.finish_epoch()
            run.save()
            run.write_history()
            saved_at = time.monotonic()
            if run.fabric.is_global_zero:
                progress.write(f"epoch {state['epoch']}: {line}")
            progress.set_description(f"epoch {min(state['epoch'] + 1, epochs)}/{epochs}")


def _any(fabric: "Fabric", mine: bool) -> bool:
    """Whether something is true for any process."""
    if fabric.world_size == 1:
        return mine
    return bool(fabric.all_reduce(torch.tensor(float(mine)), reduce_op="sum") > 0)
