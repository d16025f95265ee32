"""Train the network of Dorfer et al. 2016 as the paper does (3.4)."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional

from models import training
from models.dataset import evenly_spaced
from models.device import normalised_together, training_devices
from models.score_following.batches import Batches, batch_tensors, training_batches
from models.score_following.network import Network, bucket, soft_targets
from models.score_following.reading import read_examples
from models.score_following.sampling import Examples
from models.score_following.weights import save
from pipeline import tables

if TYPE_CHECKING:
    from lightning.fabric import Fabric

VALIDATION_BATCH = 200  # notes in one forward pass

HISTORY = pa.schema(
    [
        tables.field("epoch", pa.int32(), "from 1"),
        tables.field("samples", pa.int64(), "notes seen since the start"),
        tables.field("seconds", pa.float64(), "of the epoch, with its validation", "s"),
        tables.field("learning_rate", pa.float64(), "as the epoch began"),
        tables.field("train_loss", pa.float64(), "mean of the epoch"),
        tables.field("train_top1", pa.float64(), "exact bucket, with dropout"),
        tables.field("valid_loss", pa.float64(), "mean over the validation notes"),
        tables.field("valid_top1", pa.float64(), "exact bucket"),
        tables.field("valid_top2", pa.float64(), "at most one bucket off"),
    ]
)


@dataclass(frozen=True)
class Settings:
    """Settings of a training; the defaults are the paper's (3.4).

    Args:
        epochs: how many to train.
        epoch_samples: notes in an epoch, or None for as many as there are; the next epoch
            continues where the last one stopped.
        notes_per_staff: notes of a batch that share one pass over their staff image.
        batch_size: notes in a batch.
        learning_rate: at the start.
        learning_rate_decay: what the learning rate is divided by.
        learning_rate_decay_epochs: epochs between two divisions.
        momentum: Nesterov's.
        weight_decay: factor of the weights that is added to the gradient.
        precision: of a step's products; a processor without bfloat16 computes in float32.
        valid_samples: notes that are validated after each epoch.
    """

    epochs: int
    epoch_samples: int | None = None
    notes_per_staff: int = 5
    batch_size: int = 100
    learning_rate: float = 0.1
    learning_rate_decay: float = 10.0
    learning_rate_decay_epochs: int = 10
    momentum: float = 0.9
    weight_decay: float = 1e-4
    precision: str = "bf16-mixed"
    valid_samples: int = 2_000


def train(
    shards_train: list[Path],
    shards_valid: list[Path],
    weights: Path,
    history: Path,
    *,
    settings: Settings,
    seed: int = 0,
    memory_mb: int | None = None,
    checkpoint_minutes: float = 10.0,
) -> None:
    """Train the network that follows a score, and continue a training that was stopped.

    After each epoch, and every few minutes, a checkpoint goes to `<weights>.state`, from which the
    same command continues; it is removed at the end. Ctrl-C and SIGTERM write one and stop.

    Args:
        shards_train: Parquet shards of the training split.
        shards_valid: Parquet shards of the validation split.
        weights: safetensors file to write, of the epoch with the best validation top-1.
        history: Parquet table to write, a row an epoch.
        settings: of the training.
        seed: of the first weights, the order of the examples, and dropout.
        memory_mb: MB of recordings and images to hold at once; more are streamed. No limit if
            absent.
        checkpoint_minutes: time between two checkpoints.

    Raises:
        ValueError: if shards or checkpoint do not fit.
        FloatingPointError: if the loss is not finite.
    """
    fabric, batches, valid = start(shards_train, shards_valid, settings, seed, memory_mb)
    network = normalised_together(fabric, Network())
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=True,
        fused=True,
    )
    Training(fabric, network, optimiser, batches, valid, settings, seed, weights, history).run(
        checkpoint_minutes
    )


def start(
    shards_train: list[Path],
    shards_valid: list[Path],
    settings: Any,
    seed: int,
    memory_mb: int | None,
) -> tuple["Fabric", Batches, Examples]:
    """Set up what every training needs: devices, training batches, validation examples, seed.

    Args:
        shards_train, shards_valid, seed, memory_mb: as for `train`.
        settings: a dataclass with `notes_per_staff`, `batch_size`, `precision` and others.
    """
    fabric = training_devices(settings.precision, settings.batch_size)
    batches = training_batches(
        shards_train,
        settings.notes_per_staff,
        settings.batch_size,
        seed,
        memory_mb,
        (fabric.global_rank, fabric.world_size),
    )
    valid = read_examples(shards_valid)
    torch.manual_seed(seed)
    return fabric, batches, valid


class Training(training.Training):
    """Cross-entropy of soft targets (2.2.2) with a learning rate that falls in steps (3.4)."""

    history = HISTORY
    unit = "notes"

    def __init__(
        self, fabric, network, optimiser, batches, valid, settings, seed, weights, history, **fixed
    ):
        chosen = evenly_spaced(len(valid), settings.valid_samples)
        self.valid_examples = chosen[np.argsort(valid.staff[chosen], kind="stable")]
        network = network.to(memory_format=torch.channels_last)
        super().__init__(
            fabric,
            network=network,
            model=network,
            optimiser=optimiser,
            batches=batches,
            valid=valid,
            settings=settings,
            seed=seed,
            identity=fixed,
            state={"best_top1": -1.0},
            weights=weights,
            history=history,
        )

    def learning_rate(self, epoch: int, step: int) -> float:
        """The learning rate falls every so many epochs."""
        falls = epoch // self.settings.learning_rate_decay_epochs
        return self.settings.learning_rate / self.settings.learning_rate_decay**falls

    def loss(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy (2.2.2), and the share of notes in the right bucket."""
        *inputs, x = batch
        logits = self.model(*inputs).float()
        hits = (logits.argmax(dim=1) == bucket(x)).float().mean().item()
        return functional.cross_entropy(logits, soft_targets(x)), {"train_top1": hits}

    def validate(self) -> dict[str, float]:
        """Loss and bucket hit rates (3.3) on the validation notes, without dropout."""
        loss = hits = near = 0.0
        for first in range(0, len(self.valid_examples), VALIDATION_BATCH):
            chosen = self.valid_examples[first : first + VALIDATION_BATCH]
            *inputs, x = self.fabric.to_device(batch_tensors(self.valid, chosen))
            logits = self.model(*inputs).float()
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

    def after_validation(self, metrics: dict[str, float]) -> tuple[str, dict]:
        """Keep the weights with the best top-1 so far."""
        if metrics["valid_top1"] > self.state["best_top1"]:
            self.state["best_top1"] = metrics["valid_top1"]
            self.keep_best()
        return (
            f"; validation loss {metrics['valid_loss']:.3f}, top-1 {metrics['valid_top1']:.1%}, "
            f"top-2 {metrics['valid_top2']:.1%}",
            {},
        )

    def save_weights(self) -> None:
        """Write the network, with what it was trained on in the metadata."""
        top1 = f"{self.state['best_top1']:.4f}"
        save(self.network, self.weights, valid_top1=top1, **self.provenance())
