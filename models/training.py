"""The training loop of both systems: seeds, checkpoints, validation, progress and a clean stop.

A run that is killed continues from its last checkpoint and ends with the same weights, bit for
bit, as one that was not, on the same kind of processor with the same number of threads. On a GPU
they are nearly the same: some of its sums have no fixed order.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from models.batches import Batches
from models.checkpoint import read_checkpoint, write_checkpoint
from models.signals import ignore_signals, stop_signals
from pipeline import tables

if TYPE_CHECKING:
    from lightning.fabric import Fabric

PROGRESS_S = 1.0  # least time between two updates of a progress bar
RESUMABLE = ("epochs", "workers")  # settings that a resumed run may change


class Training(ABC):
    """A training run: its network, optimiser and data, and how far it has come.

    A subclass gives the loss of a batch, the learning rate, the validation, and what follows from
    it. `state` is what a checkpoint keeps beside weights and moments.
    """

    history: ClassVar[pa.Schema]  # one row an epoch
    unit: ClassVar[str]  # what the examples are, for the progress bar

    def __init__(
        self,
        fabric: "Fabric",
        network: nn.Module,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        batches: Batches,
        valid: Any,
        settings: Any,
        seed: int,
        identity: dict,
        state: dict,
        weights: Path | str,
        history: Path | str,
    ):
        """Set up a run, from its checkpoint if there is one.

        Args:
            fabric: the devices.
            network: what is trained and kept.
            model: the module whose `forward` runs on all devices at once; `network` or around it.
            optimiser: of the network's parameters.
            batches: training batches by number.
            valid: examples of the validation split.
            settings: a dataclass with `epochs`, `epoch_samples`, `batch_size` and others.
            seed: of every random draw.
            identity: besides settings, seed and data, what a resumed run must share with the one
                before.
            state: what the subclass keeps in `state`, as it is at the start.
            weights: file of the weights; the checkpoint lies beside it.
            history: file of the table of epochs.

        Raises:
            ValueError: if the checkpoint is corrupt or of a different run, or there is no epoch.
        """
        if settings.epochs < 1:
            raise ValueError(f"epochs is {settings.epochs}; train one or more")
        self.fabric, self.network, self.settings, self.seed = fabric, network, settings, seed
        self.valid = valid
        self.weights, self.history_path = Path(weights), Path(history)
        self.checkpoint = Path(f"{weights}.state")
        samples = settings.epoch_samples or batches.usable()
        self.steps = steps(samples, settings.batch_size)
        fixed = {name: v for name, v in asdict(settings).items() if name not in RESUMABLE}
        data = {"training data": batches.fingerprint(), "validation data": valid.fingerprint()}
        self.identity = fixed | {"seed": seed} | identity | data
        self.state = {
            "epoch": 0,  # complete ones
            "step": 0,  # complete ones of the current epoch
            "sums": {},  # over the steps of the current epoch
            "seconds": 0.0,  # of the current epoch
            "history": [],
            "over": False,
            "best": {},
            **state,
        }
        saved = read_checkpoint(self.checkpoint, self.identity)
        if saved:
            network.load_state_dict(saved["network"])
            self.state = saved["state"]
        self.model, self.optimiser = fabric.setup(model, optimiser)
        if saved:
            self.optimiser.load_state_dict(saved["optimiser"])
        first = self.number()
        self.batches = iter(
            DataLoader(
                batches,
                batch_size=None,  # an item is a batch
                sampler=range(first, settings.epochs * self.steps),
                num_workers=getattr(settings, "workers", 0),
                worker_init_fn=ignore_signals,
                pin_memory=fabric.device.type == "cuda",
            )
        )

    # --- what the two systems give -----------------------------------------------------------
    @abstractmethod
    def loss(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, float]]:
        """Loss of a batch on the device, and other metrics of the step, to be averaged."""

    @abstractmethod
    def learning_rate(self, epoch: int, step: int) -> float:
        """Learning rate of a step; both count from 0."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Metrics of the validation split, by the network in `eval` mode: history columns."""

    @abstractmethod
    def after_validation(self, metrics: dict[str, float]) -> tuple[str, dict]:
        """Decide what follows from an epoch's metrics.

        Calls `keep_best` if they are the best, may set state["over"] to end the run.

        Returns:
            A line for the terminal, and further columns of the epoch's row in the history.
        """

    @abstractmethod
    def save_weights(self) -> None:
        """Write the network, with the weights of the best epoch, to `weights`."""

    # --- one step, one epoch -----------------------------------------------------------------
    def number(self) -> int:
        """How many steps are done."""
        return self.state["epoch"] * self.steps + self.state["step"]

    def step(self) -> None:
        """Learn from one batch; the batch and its random draws follow from its number alone."""
        state, begin = self.state, time.monotonic()
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate(state["epoch"], state["step"])
        number = self.number()
        batch = next(self.batches)
        sequence = np.random.SeedSequence([self.seed, number, self.fabric.global_rank])
        torch.manual_seed(int(sequence.generate_state(1)[0]))
        self.model.train()
        with self.located():
            loss, metrics = self.loss(self.fabric.to_device(batch))
            value = loss.item()
            if _any(self.fabric, not math.isfinite(value)):  # all stop, or none
                raise FloatingPointError(f"the loss is {value}; a lower learning rate may help")
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        self.optimiser.step()
        for name, number in {"train_loss": value, **metrics}.items():
            state["sums"][name] = state["sums"].get(name, 0.0) + number
        state["step"] += 1
        state["seconds"] += time.monotonic() - begin

    def finish_epoch(self) -> str:
        """Validate and add the epoch's row to the history; returns a line to print."""
        state, begin = self.state, time.monotonic()
        self.network.eval()
        with self.located(), torch.no_grad():
            metrics = self.fabric.broadcast(self.validate())  # all must decide alike
        rate = self.learning_rate(state["epoch"], 0)
        averages = {name: total / self.steps for name, total in state["sums"].items()}
        seconds = state["seconds"]
        state.update(epoch=state["epoch"] + 1, step=0, sums={}, seconds=0.0)
        line, columns = self.after_validation(metrics)
        row = {
            "epoch": state["epoch"],
            "samples": self.samples(state["epoch"]),
            "learning_rate": rate,
            **averages,
            **metrics,
            **columns,
            "seconds": seconds + time.monotonic() - begin,
        }
        state["history"] = [*state["history"], row]
        return f"loss {averages['train_loss']:.3f}{line}"

    def samples(self, epochs: int) -> int:
        """Examples seen in so many epochs."""
        return epochs * self.steps * self.settings.batch_size

    def keep_best(self, network: nn.Module | None = None, **more) -> None:
        """Keep a copy of the weights, and of what else is given, as those of the best epoch.

        There is one copy, which a better epoch overwrites.

        Args:
            network: whose weights to keep, if not those of the trained network.
            more: kept beside them.
        """
        tensors = (self.network if network is None else network).state_dict().items()
        weights = self.state["best"].get("network") or {
            name: torch.empty_like(tensor, device="cpu") for name, tensor in tensors
        }
        for name, tensor in tensors:
            weights[name].copy_(tensor)
        self.state["best"] = {"epoch": self.state["epoch"], "network": weights, **more}

    def provenance(self) -> dict[str, str]:
        """Metadata of the weights: the best epoch, the examples seen by then, and the seed."""
        epoch = self.state["best"]["epoch"]
        return {
            "epoch": str(epoch),
            "samples": str(self.samples(epoch)),
            "seed": str(self.seed),
        }

    @contextmanager
    def located(self) -> Iterator[None]:
        """Have a FloatingPointError say in which epoch and batch it was raised."""
        try:
            yield
        except FloatingPointError as error:
            raise FloatingPointError(
                f"epoch {self.state['epoch'] + 1}, batch {self.state['step'] + 1}: {error}. "
                "The last checkpoint is kept."
            ) from None

    # --- files ---------------------------------------------------------------------------------
    def save_checkpoint(self) -> None:
        """Write the checkpoint."""
        if self.fabric.is_global_zero:
            write_checkpoint(
                self.checkpoint, self.identity, self.state, self.network, self.optimiser
            )

    def write_history(self) -> None:
        """Write the table of the epochs so far."""
        if self.fabric.is_global_zero:
            tables.write(self.state["history"], self.history, self.history_path)

    def finish(self) -> None:
        """Write weights and history and remove the checkpoint."""
        if self.fabric.is_global_zero:
            self.write_history()
            self.network.load_state_dict(self.state["best"].pop("network"))
            self.optimiser.zero_grad()  # frees memory for what the file of weights needs
            self.optimiser.state.clear()
            self.save_weights()
            self.checkpoint.unlink(missing_ok=True)
        self.fabric.barrier()

    # --- the loop ------------------------------------------------------------------------------
    def run(self, checkpoint_minutes: float) -> None:
        """Train the epochs that are left and write weights and history.

        Args:
            checkpoint_minutes: a checkpoint is written so often, and after each epoch.

        Raises:
            SystemExit: after Ctrl-C or SIGTERM, at whichever process, with a checkpoint written.
            FloatingPointError: if the loss is not finite.
        """
        state, epochs, saved_at = self.state, self.settings.epochs, time.monotonic()
        progress = tqdm(
            total=self.samples(epochs),
            initial=self.samples(state["epoch"]) + state["step"] * self.settings.batch_size,
            unit=f" {self.unit}",
            desc=f"epoch {state['epoch'] + 1}/{epochs}",
            smoothing=0.05,
            mininterval=PROGRESS_S,
            disable=not self.fabric.is_global_zero,
        )
        with progress, stop_signals() as stopping:
            while state["epoch"] < epochs and not state["over"]:
                while state["step"] < self.steps:
                    self.step()
                    if _any(self.fabric, stopping.is_set()):
                        self._stop()
                    progress.update(self.settings.batch_size)
                    loss = state["sums"]["train_loss"] / state["step"]
                    progress.set_postfix(loss=f"{loss:.3f}", refresh=False)
                    if time.monotonic() - saved_at > checkpoint_minutes * 60:
                        self.save_checkpoint()
                        saved_at = time.monotonic()
                line = self.finish_epoch()
                self.save_checkpoint()
                self.write_history()
                saved_at = time.monotonic()
                if self.fabric.is_global_zero:
                    progress.write(f"epoch {state['epoch']}: {line}")
                progress.set_description(f"epoch {min(state['epoch'] + 1, epochs)}/{epochs}")
        self.finish()

    def _stop(self) -> None:
        self.save_checkpoint()  # before the message: whoever reads it may have gone already
        self.fabric.barrier()  # the first process to end would end the others
        raise SystemExit(
            f"Stopped in epoch {self.state['epoch'] + 1} after batch {self.state['step']} of "
            f"{self.steps}; the same command continues from here."
            if self.fabric.is_global_zero
            else 0
        )


def steps(samples: int, batch_size: int) -> int:
    """How many steps an epoch of so many examples takes."""
    return max(1, round(samples / batch_size))


def warm_up_and_cosine(highest: float, number: int, total: int, warm_up: float) -> float:
    """Learning rate that rises in a line and then falls to zero along half a cosine.

    Args:
        highest: about what it reaches.
        number: of the step, from 0.
        total: steps of the run.
        warm_up: fraction of them in which it rises.
    """
    rise = min(1.0, (number + 1) / (warm_up * total))
    return highest * rise * 0.5 * (1 + math.cos(math.pi * number / total))


def _any(fabric: "Fabric", mine: bool) -> bool:
    """Whether something is true in any process."""
    if fabric.world_size == 1:
        return mine
    return bool(fabric.all_reduce(torch.tensor(float(mine)), reduce_op="sum") > 0)
