"""Training of the network of Dorfer et al. 2016 (3.4), resumable at any moment.

A run that is killed goes on from its last checkpoint and ends with the same weights, bit for bit,
as one that was not, on the same kind of machine with the same number of threads.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch.nn import functional

from models import training
from models.score_following import sampling
from models.score_following.network import Network, bucket, soft_targets
from models.training import evenly
from pipeline import tables

VALIDATION_BATCH = 200  # notes in one forward pass

HISTORY = pa.schema(
    [
        pa.field("epoch", pa.int32(), metadata={"description": "from 1"}),
        pa.field("samples", pa.int64(), metadata={"description": "seen since the start"}),
        pa.field("seconds", pa.float64(), metadata={"description": "of the epoch", "unit": "s"}),
        pa.field("rate", pa.float64(), metadata={"description": "learning rate"}),
        pa.field("train_loss", pa.float64(), metadata={"description": "mean of the epoch"}),
        pa.field("train_top1", pa.float64(), metadata={"description": "with dropout"}),
        pa.field("valid_loss", pa.float64()),
        pa.field("valid_top1", pa.float64(), metadata={"description": "exact bucket"}),
        pa.field("valid_top2", pa.float64(), metadata={"description": "at most one bucket off"}),
    ]
)


@dataclass(frozen=True)
class Settings:
    """What the weights depend on besides the data; the defaults are the paper's (3.4).

    `epoch_samples` None means as many as there are examples; a smaller number makes epochs
    shorter, and the next one goes on where the last one stopped. `notes_per_staff` notes share
    one pass of their staff's image.
    """

    batch: int = 100
    epoch_samples: int | None = None
    notes_per_staff: int = 5
    rate: float = 0.1
    rate_decay: float = 10.0
    rate_epochs: int = 10
    momentum: float = 0.9
    weight_decay: float = 1e-4
    precision: str = "bf16-mixed"
    seed: int = 0
    valid_samples: int = 2_000


def train(
    shards_train: Iterable[Path | str],
    shards_valid: Iterable[Path | str],
    weights: Path | str,
    history: Path | str,
    *,
    epochs: int,
    checkpoint_minutes: float = 10.0,
    memory_mb: int | None = None,
    network: Callable[[], torch.nn.Module] = Network,
    accelerator: str = "auto",
    **settings,
) -> None:
    """Train and write `weights` (of the epoch with the best validation top-1) and `history`.

    shards_train, shards_valid: Parquet files; memory_mb: of training data held at once, with more
    it is streamed; settings: fields of `Settings`. After each epoch
    and every `checkpoint_minutes` the run's state goes into `<weights>.state`, from where a later
    call goes on; it is removed once the run has succeeded. Ctrl-C and SIGTERM save the state and
    raise SystemExit.

    Raises ValueError where the shards or the state do not fit, FloatingPointError where the loss
    is not a number any more.
    """
    chosen = Settings(**settings)  # a name of its own: the command line is read off this line
    weights, state_path = Path(weights), Path(f"{weights}.state")
    fabric = training.start(accelerator, chosen.precision, chosen.batch)
    batches = sampling.training_batches(
        shards_train, chosen.notes_per_staff, chosen.batch, chosen.seed, memory_mb
    )
    valid = sampling.read(shards_valid)
    run = _Run(fabric, chosen, batches, valid, network, state_path, Path(history))
    training.run_epochs(run, epochs, checkpoint_minutes, "notes")
    if fabric.is_global_zero:
        run.write_history()
        training.save(run.state["best"], weights)
        state_path.unlink(missing_ok=True)
    fabric.barrier()


def load(weights: Path | str, network: Callable[[], torch.nn.Module] = Network) -> torch.nn.Module:
    """The trained network, in evaluation mode, from a file that `train` wrote."""
    module = network()
    module.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    return module.eval()


class _Run:
    """Everything that a training run holds; `state` is what a checkpoint keeps beside tensors."""

    def __init__(self, fabric, settings, batches, valid, network, state_path, history_path):
        self.fabric, self.settings, self.batches = fabric, settings, batches
        self.state_path, self.history_path = state_path, history_path
        self.batch = settings.batch
        self.steps = max(1, round((settings.epoch_samples or len(batches)) / settings.batch))
        self.valid = valid
        self.valid_examples = evenly(len(valid), settings.valid_samples)
        self.valid_examples = self.valid_examples[
            np.argsort(valid.staff[self.valid_examples], kind="stable")
        ]
        self.identity = asdict(settings) | {
            "training data": batches.fingerprint(),
            "validation data": valid.fingerprint(),
        }
        self.state = {
            "epoch": 0,  # finished ones
            "step": 0,  # finished ones of the running epoch
            "loss": 0.0,  # sums over the running epoch
            "hits": 0.0,
            "seconds": 0.0,
            "history": [],
            "best_top1": -1.0,
            "best": {},
        }
        torch.manual_seed(settings.seed)
        module = network().to(memory_format=torch.channels_last)
        saved = training.read_state(state_path, self.identity)
        if saved:
            module.load_state_dict(saved["network"])
            self.state = saved["state"]
        optimiser = torch.optim.SGD(
            module.parameters(),
            lr=settings.rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=True,
            fused=True,
        )
        self.network, self.optimiser = fabric.setup(module, optimiser)
        if saved:
            self.optimiser.load_state_dict(saved["optimiser"])

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if self.fabric.is_global_zero:
            training.write_state(
                self.state_path, self.identity, self.state, self.network, self.optimiser
            )

    def write_history(self) -> None:
        """Write the table of the epochs so far."""
        if self.fabric.is_global_zero:
            tables.write(self.state["history"], HISTORY, self.history_path)

    def rate(self) -> float:
        """Learning rate of the running epoch."""
        falls = self.state["epoch"] // self.settings.rate_epochs
        return self.settings.rate / self.settings.rate_decay**falls

    def step(self) -> None:
        """One batch; its examples and its dropout follow from its number alone."""
        state, begin = self.state, time.monotonic()
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        number = state["epoch"] * self.steps + state["step"]
        data, examples = self.batches.chosen(number)
        rank, ranks = self.fabric.global_rank, self.fabric.world_size
        examples = np.array_split(examples, ranks)[rank]
        sequence = np.random.SeedSequence([self.settings.seed, number, rank])
        torch.manual_seed(int(sequence.generate_state(1)[0]))
        self.network.train()
        logits, x = self.forward(data, examples)
        loss = functional.cross_entropy(logits, soft_targets(x))
        value = loss.item()
        training.check_loss(value, state)
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        self.optimiser.step()
        state["loss"] += value
        state["hits"] += (logits.argmax(dim=1) == bucket(x)).float().mean().item()
        state["step"] += 1
        state["seconds"] += time.monotonic() - begin

    def forward(self, data: sampling.Examples, examples: np.ndarray):
        """Logits (notes, 40) and true x (notes,) px, on the device."""
        staves, image_index = np.unique(data.staff[examples], return_inverse=True)
        if len(staves) == 1:
            staves = staves.repeat(2)  # batch normalisation needs two
        arrays = (
            data.image_batch(staves),
            data.excerpt_batch(examples),
            image_index,
            data.x[examples].astype(np.float32),
        )
        device = self.fabric.device
        images, excerpts, image_index, x = (torch.from_numpy(a).to(device) for a in arrays)
        return self.network(images, excerpts, image_index).float(), x

    def finish_epoch(self) -> str:
        """Validate, add the epoch's row to the history, keep the weights if they are the best."""
        state, begin, rate = self.state, time.monotonic(), self.rate()
        measured = self.validate()
        state["epoch"] += 1
        row = {
            "epoch": state["epoch"],
            "samples": state["epoch"] * self.steps * self.batch,
            "seconds": state["seconds"] + time.monotonic() - begin,
            "rate": rate,
            "train_loss": state["loss"] / self.steps,
            "train_top1": state["hits"] / self.steps,
            **measured,
        }
        state["history"] = [*state["history"], row]
        state.update(step=0, loss=0.0, hits=0.0, seconds=0.0)
        if measured["valid_top1"] > state["best_top1"]:
            state["best_top1"] = measured["valid_top1"]
            state["best"] = {
                name: tensor.detach().cpu().clone()
                for name, tensor in self.network.state_dict().items()
            }
        return (
            f"loss {row['train_loss']:.3f}, top-1 {row['train_top1']:.1%}; validation loss "
            f"{row['valid_loss']:.3f}, top-1 {row['valid_top1']:.1%}, top-2 {row['valid_top2']:.1%}"
        )

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss and bucket hit rates (3.3) on the validation examples, without dropout."""
        self.network.eval()
        loss = hits = near = 0.0
        for first in range(0, len(self.valid_examples), VALIDATION_BATCH):
            examples = self.valid_examples[first : first + VALIDATION_BATCH]
            logits, x = self.forward(self.valid, examples)
            loss += functional.cross_entropy(logits, soft_targets(x), reduction="sum").item()
            distance = (logits.argmax(dim=1) - bucket(x)).abs()
            hits += (distance == 0).sum().item()
            near += (distance <= 1).sum().item()
        count = len(self.valid_examples)
        return {
            "valid_loss": loss / count,
            "valid_top1": hits / count,
            "valid_top2": near / count,
        }
