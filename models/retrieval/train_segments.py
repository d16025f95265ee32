"""Train our own embedding network on segments of music; the recipe is ours, too."""

import copy
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from models import muon, training
from models.augmentation import vary_sound
from models.device import normalised_together, peak_mb, training_devices
from models.retrieval import train
from models.retrieval.inference import weights_path
from models.retrieval.loss import contrastive_loss, local_loss
from models.retrieval.reading import read_examples
from models.retrieval.sampling import Augmentation
from models.retrieval.schedule import AUGMENTATION
from models.retrieval.segments import segment_batches
from models.retrieval.token_network import PT
from models.retrieval.weights import load, save
from models.weights import digest
from pipeline.constants import EMBEDDING

WARM_UP = 0.03  # of the steps
REMEMBERED = 4096  # pairs of earlier steps that serve as further negatives
HARDER_FROM = 0.5  # of the steps: from then on with negatives of earlier steps and of the piece


@dataclass(frozen=True)
class SegmentSettings:
    """Settings of a training of our own network.

    Args:
        epochs: how many to train.
        epoch_samples: pairs in an epoch; the next epoch continues where the last one stopped.
        batch_size: pairs of a batch, a multiple of `onsets`.
        onsets: pairs of a batch that share one segment.
        segments_of_piece: segments of a batch that are of the same piece, in the second half of
            the steps, or in all of them if training begins with trained weights.
        learning_rate: at its highest; it rises in the first steps and then falls to zero along
            half a cosine.
        weight_decay: of matrices.
        average: share that the averaged weights keep of themselves in a step.
        local_weight: of the loss that has each onset find itself among those of its own segment.
        tempo: lowest and highest factor of the speed of the sound.
        level_db: each segment's level is changed by up to so many dB.
        equaliser_db: standard deviation of each segment's equaliser curve, dB.
        augmentation: ranges of the random changes of a pair.
        precision: of a step's products; a processor without bfloat16 computes in float32.
        valid_samples: pairs that are validated after each epoch.
        initial: weights of such a network to begin with, a file or `shipped`; random ones if
            absent. Their projection is not loaded, and negatives are hard from the first step.
    """

    epochs: int
    epoch_samples: int = 50_000
    batch_size: int = 256
    onsets: int = 16
    segments_of_piece: int = 1
    learning_rate: float = 0.002
    weight_decay: float = 0.02
    average: float = 0.998
    local_weight: float = 1.0
    tempo: tuple[float, float] = (0.5, 2.0)
    level_db: float = 9.0
    equaliser_db: float = 3.0
    augmentation: Augmentation = AUGMENTATION
    precision: str = "bf16-mixed"
    valid_samples: int = 1_000
    initial: str | None = None


def train_segments(
    shards_train: list[Path],
    shards_valid: list[Path],
    weights: Path,
    history: Path,
    *,
    settings: SegmentSettings,
    seed: int = 0,
    memory_mb: int | None = None,
    checkpoint_minutes: float = 10.0,
) -> None:
    """Train our own embedding network, and continue a training that was stopped.

    Checkpoints, signals and files are as for the paper's networks, see `train.train`.

    Args:
        shards_train: Parquet shards of the training split.
        shards_valid: Parquet shards of the validation split.
        weights: safetensors file to write, of the epoch with the best validation MRR.
        history: Parquet table to write, a row an epoch.
        settings: of the training.
        seed: of the first weights, the order of the examples, and the augmentation.
        memory_mb: MB of recordings and images to hold at once; more are streamed. No limit if
            absent.
        checkpoint_minutes: time between two checkpoints.

    Raises:
        ValueError: if settings, shards or checkpoint do not fit.
        FloatingPointError: if the loss is not finite.
    """
    segments, rest = divmod(settings.batch_size, settings.onsets)
    if rest:
        raise ValueError(
            f"a batch of {settings.batch_size} pairs is not divided by {settings.onsets} onsets "
            "of a segment; change retrieval.training.PT"
        )
    if settings.segments_of_piece > segments:
        raise ValueError(
            f"{settings.segments_of_piece} segments of a piece in batches of {segments}; lower "
            "segments_of_piece in retrieval.training.PT"
        )
    torch.manual_seed(seed)
    network = PT()
    if settings.initial is not None:
        begin_with(network, settings.initial)
    fabric = training_devices(settings.precision, segments, "segments")
    batches = segment_batches(
        shards_train,
        segments,
        settings.onsets,
        seed,
        settings.augmentation,
        settings.tempo,
        memory_mb,
        (fabric.global_rank, fabric.world_size),
        settings.segments_of_piece,
        harder_from(settings),
    )
    valid = read_examples(shards_valid)
    SegmentTraining(fabric, network, batches, valid, settings, seed, weights, history).run(
        checkpoint_minutes
    )


def harder_from(settings: SegmentSettings) -> int:
    """The step from which negatives are harder: those of earlier steps and of the same piece.

    At first they do not help: vectors still change fast.
    """
    if settings.initial is not None:
        return 0
    steps = training.steps(settings.epoch_samples, settings.batch_size)
    return math.ceil(HARDER_FROM * settings.epochs * steps)


def begin_with(network: PT, weights: Path | str) -> None:
    """Load all weights but the projection, which stays the identity.

    Raises:
        ValueError: if they are of another network.
    """
    trained = load(weights_path(weights))
    if getattr(trained, "widths", None) != network.widths:
        raise ValueError(
            f"{weights} holds a {trained.name} of other layers; name weights of {network.name}"
        )
    trained.cca = network.cca
    network.load_state_dict(trained.state_dict())


class _Vectors(nn.Module):
    """All vectors of a batch in one forward pass, which is what runs on several devices at once."""

    def __init__(self, network: PT):
        super().__init__()
        self.network = network

    def forward(self, images, sounds, x, frames) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors of sheet and audio, (segments, onsets, 32) each, and the scale."""
        sheet = self.network.sheet_side(images, x)
        audio = self.network.audio_side(sounds, frames)
        return sheet, audio, self.network.scale()


class SegmentTraining(training.Training):
    """Muon on the contrastive loss of all onsets of a batch; the averaged weights are kept."""

    history = train.HISTORY
    unit = "pairs"

    def __init__(self, fabric, network, batches, valid, settings, seed, weights, history):
        self.valid_examples = train.validation_examples(
            valid, network.context, settings.valid_samples
        )
        network = normalised_together(fabric, network).to(memory_format=torch.channels_last)
        optimiser = muon.of_network(network, settings.learning_rate, settings.weight_decay)
        super().__init__(
            fabric,
            network=network,
            model=_Vectors(network),
            optimiser=optimiser,
            batches=batches,
            valid=valid,
            settings=settings,
            seed=seed,
            identity={
                "model": network.name,
                "optimiser": "Muon",
                "epochs": settings.epochs,  # the learning rate depends on them
                "first weights": settings.initial and digest(weights_path(settings.initial)),
            },
            state={"best_mrr": -1.0, "average": network.state_dict(), "remembered": None},
            weights=weights,
            history=history,
        )
        if self.state["remembered"] is not None:  # a checkpoint is read onto the processor
            self.state["remembered"] = fabric.to_device(self.state["remembered"])
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.average.load_state_dict(self.state["average"])
        self.state["average"] = self.average.state_dict()  # its tensors, so always the latest

    def learning_rate(self, epoch: int, step: int) -> float:
        """Linear rise, then half a cosine down to zero."""
        number, total = epoch * self.steps + step, self.settings.epochs * self.steps
        return training.warm_up_and_cosine(self.settings.learning_rate, number, total, WARM_UP)

    def step(self) -> None:
        """Learn from one batch, then let the averaged weights follow."""
        super().step()
        done = self.number()
        kept = min(self.settings.average, done / (done + 10))  # quickly at first
        follow(self.average, self.network, kept)

    def loss(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, float]]:
        """Contrastive loss of the whole batch, and the local loss of this device's segments."""
        images, sounds, x, frames, real, same = batch
        sounds = vary_sound(sounds, self.settings.level_db, self.settings.equaliser_db)
        sheet, audio, scale = self.model(images, sounds, x, frames)
        local = local_loss(sheet, audio, scale, real, same)
        pairs = torch.cat([sheet, audio], dim=2)
        if self.fabric.world_size > 1:
            pairs = self.fabric.all_gather(pairs, sync_grads=True).flatten(0, 1)
            real = self.fabric.all_gather(real).flatten(0, 1)
            same = self.fabric.all_gather(same).flatten(0, 1)
        sheet, audio = pairs[real].split(EMBEDDING, dim=1)
        same = same[real]
        loss = contrastive_loss(sheet, audio, scale, same, self.state["remembered"])
        if self.number() >= harder_from(self.settings):
            self.remember(sheet.detach(), audio.detach(), same)
        return loss + self.settings.local_weight * local, {}

    def remember(self, *latest: Tensor) -> None:
        """Keep the vectors of the last pairs, and which pairs they are."""
        before = self.state["remembered"]
        if before is not None:
            latest = tuple(torch.cat(two)[-REMEMBERED:] for two in zip(before, latest, strict=True))
        self.state["remembered"] = latest

    def validate(self) -> dict[str, float]:
        """Loss and metrics of the validation pairs, by the averaged weights."""
        sheet, audio = train.embed_examples(
            self.average, self.valid, self.valid_examples, self.fabric
        )
        loss = contrastive_loss(sheet, audio, self.average.scale())
        return {"valid_loss": loss.item(), **train.rank_metrics(sheet, audio)}

    def after_validation(self, metrics: dict[str, float]) -> tuple[str, dict]:
        """Keep the best averaged weights so far."""
        best = metrics["valid_mrr"] > self.state["best_mrr"]
        if best:
            self.state["best_mrr"] = metrics["valid_mrr"]
            self.keep_best(self.average)
        columns = {"restarts": 0, "best": best, "peak_mb": peak_mb()}
        return train.in_words(metrics, best), columns

    def save_weights(self) -> None:
        """Write the network, with what it was trained on in the metadata."""
        mrr = f"{self.state['best_mrr']:.4f}"
        save(self.network, self.weights, valid_mrr=mrr, **self.provenance())


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, kept: float) -> None:
    """Move averaged weights and statistics towards those of a network, by a share 1 - `kept`."""
    averages, latest = average.state_dict(), network.state_dict()
    floating = [name for name, value in averages.items() if value.is_floating_point()]
    torch._foreach_lerp_(
        [averages[name] for name in floating], [latest[name] for name in floating], 1 - kept
    )
    for name in averages.keys() - set(floating):
        averages[name].copy_(latest[name])
