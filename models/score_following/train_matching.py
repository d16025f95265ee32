"""Train our own network for the task of Dorfer et al. 2016; the recipe is ours, too."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models import training
from models.augmentation import vary_sound
from models.device import normalised_together
from models.score_following import train
from models.score_following.matching import PT

WARM_UP = 0.05  # of all steps


@dataclass(frozen=True)
class MatchingSettings:
    """Settings of a training of our own network.

    Args:
        epochs: how many to train.
        epoch_samples: notes in an epoch, or None for as many as there are; the next epoch
            continues where the last one stopped.
        notes_per_staff: notes of a batch that share one pass over their staff image.
        batch_size: notes in a batch.
        learning_rate: at its highest; it rises in the first steps and then falls to zero along
            half a cosine.
        weight_decay: AdamW's.
        level_db: each excerpt's level is changed by up to so many dB.
        equaliser_db: standard deviation of each excerpt's equaliser curve, dB.
        precision: of a step's products; a processor without bfloat16 computes in float32.
        valid_samples: notes that are validated after each epoch.
    """

    epochs: int
    epoch_samples: int | None = None
    notes_per_staff: int = 8
    batch_size: int = 100
    learning_rate: float = 0.004
    weight_decay: float = 0.01
    level_db: float = 6.0
    equaliser_db: float = 3.0
    precision: str = "bf16-mixed"
    valid_samples: int = 2_000


def train_matching(
    shards_train: list[Path],
    shards_valid: list[Path],
    weights: Path,
    history: Path,
    *,
    settings: MatchingSettings,
    seed: int = 0,
    memory_mb: int | None = None,
    checkpoint_minutes: float = 10.0,
) -> None:
    """Train our own network that follows a score, and continue a training that was stopped.

    Checkpoints, signals and files are as for the paper's network, see `train`.

    Args:
        shards_train: Parquet shards of the training split.
        shards_valid: Parquet shards of the validation split.
        weights: safetensors file to write, of the epoch with the best validation top-1.
        history: Parquet table to write, a row an epoch.
        settings: of the training.
        seed: of the first weights, the order of the examples, and the augmentation.
        memory_mb: MB of recordings and images to hold at once; more are streamed. No limit if
            absent.
        checkpoint_minutes: time between two checkpoints.

    Raises:
        ValueError: if shards or checkpoint do not fit.
        FloatingPointError: if the loss is not finite.
    """
    fabric, batches, valid = train.start(shards_train, shards_valid, settings, seed, memory_mb)
    network = normalised_together(fabric, PT())
    optimiser = torch.optim.AdamW(
        network.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    MatchingTraining(
        fabric,
        network,
        optimiser,
        batches,
        valid,
        settings,
        seed,
        weights,
        history,
        epochs=settings.epochs,  # the learning rate depends on it, so a resumed run must share it
    ).run(checkpoint_minutes)


class MatchingTraining(train.Training):
    """AdamW on excerpts of varied sound; the learning rate follows half a cosine."""

    def learning_rate(self, epoch: int, step: int) -> float:
        """Linear rise, then half a cosine down to zero over all steps of the run."""
        return training.warm_up_and_cosine(
            self.settings.learning_rate,
            epoch * self.steps + step,
            self.settings.epochs * self.steps,
            WARM_UP,
        )

    def loss(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy (2.2.2) and hits, of excerpts whose sound is varied."""
        images, excerpts, image_index, x = batch
        settings = self.settings
        excerpts = vary_sound(excerpts, settings.level_db, settings.equaliser_db)
        return super().loss((images, excerpts, image_index, x))
