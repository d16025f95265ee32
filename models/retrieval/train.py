"""Train the networks of Balke et al. 2019 (3.1, 3.2)."""

import copy
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from models import training
from models.dataset import evenly_spaced
from models.device import normalised_together, peak_mb, training_devices
from models.retrieval import metrics, search
from models.retrieval.batches import training_batches
from models.retrieval.inference import run_batches
from models.retrieval.loss import ranking_loss
from models.retrieval.network import Network
from models.retrieval.reading import read_examples
from models.retrieval.sampling import Examples
from models.retrieval.schedule import Course, Settings, after_epoch, learning_rate_at
from models.retrieval.weights import AnyNetwork, save
from pipeline import tables
from pipeline.constants import EMBEDDING

if TYPE_CHECKING:
    from lightning.fabric import Fabric

VALIDATION_BATCH = 200  # snippets or excerpts in one forward pass
BETAS = (0.9, 0.999)  # of Adam, as the authors' library has them
EPSILON = 1e-8  # of Adam, too


HISTORY = pa.schema(
    [
        tables.field("epoch", pa.int32(), "from 1"),
        tables.field("samples", pa.int64(), "pairs seen since the start"),
        tables.field("seconds", pa.float64(), "of the epoch, with its validation", "s"),
        tables.field("learning_rate", pa.float64(), "as the epoch began"),
        tables.field("restarts", pa.int32(), "restarts before this epoch"),
        tables.field("train_loss", pa.float64(), "mean of the epoch"),
        tables.field("valid_loss", pa.float64(), "all validation pairs as one batch"),
        tables.field("valid_mrr", pa.float64(), "mean reciprocal rank, sheet to audio"),
        tables.field(
            "valid_r1", pa.float64(), "fraction of snippets that rank their excerpt first"
        ),
        tables.field("best", pa.bool_(), "no epoch before had a higher valid_mrr"),
        tables.field("peak_mb", pa.float64(), "most main memory of the process so far", "MB"),
    ]
)


def train(
    shards_train: list[Path],
    shards_valid: list[Path],
    weights: Path,
    history: Path,
    *,
    model: str,
    settings: Settings,
    seed: int = 0,
    memory_mb: int | None = None,
    checkpoint_minutes: float = 10.0,
) -> None:
    """Train one of the paper's seven networks, and continue a training that was stopped.

    After each epoch, and every few minutes, a checkpoint goes to `<weights>.state`, from which the
    same command continues; it is removed at the end. Ctrl-C and SIGTERM write one and stop. If
    there are several devices, each takes a share of every batch; projection and loss are those of
    the whole batch.

    Args:
        shards_train: Parquet shards of the training split.
        shards_valid: Parquet shards of the validation split.
        weights: safetensors file to write, of the epoch with the best validation MRR.
        history: Parquet table to write, a row an epoch.
        model: one of the paper's seven, for example BL2-SC+AT.
        settings: of the training.
        seed: of the first weights, the order of the examples, and their augmentation.
        memory_mb: MB of recordings and images to hold at once; more are streamed. No limit if
            absent.
        checkpoint_minutes: time between two checkpoints.

    Raises:
        ValueError: if settings, shards or checkpoint do not fit.
        FloatingPointError: if the loss is not finite.
    """
    if settings.batch_size <= EMBEDDING:
        raise ValueError(
            f"a batch of {settings.batch_size} does not determine a projection in {EMBEDDING} "
            f"dimensions; take {EMBEDDING + 1} or more"
        )
    torch.manual_seed(seed)
    network = Network(model)
    fabric = training_devices(settings.precision, settings.batch_size)
    batches = training_batches(
        shards_train,
        network.context,
        settings.batch_size,
        seed,
        settings.augmentation,
        memory_mb,
        (fabric.global_rank, fabric.world_size),
    )
    valid = read_examples(shards_valid)
    Training(fabric, network, batches, valid, settings, seed, weights, history).run(
        checkpoint_minutes
    )
    if fabric.is_global_zero:
        print(f"peak memory {peak_mb():,.0f} MB", file=sys.stderr)


class _BothSides(nn.Module):
    """Both embeddings in one forward pass, which is what runs on several devices at once."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.sheet(images), self.network.audio(excerpts)


class Training(training.Training):
    """Adam on the ranking loss of the projected embeddings."""

    history = HISTORY
    unit = "pairs"

    def __init__(self, fabric, network, batches, valid, settings, seed, weights, history):
        self.valid_examples = validation_examples(valid, network.context, settings.valid_samples)
        identity = {"model": network.name}
        if settings.cosine_annealing:
            identity["epochs"] = settings.epochs  # the learning rate depends on them
        network = normalised_together(fabric, network).to(memory_format=torch.channels_last)
        # The gradient of l2 * p^2 is 2 * l2 * p, which Adam's weight decay adds to the others
        # before it scales them (AdamW, which adds it afterwards, would be another thing).
        optimiser = torch.optim.Adam(
            network.parameters(),
            lr=settings.learning_rate,
            betas=BETAS,
            eps=EPSILON,
            weight_decay=2 * settings.l2_penalty,
            fused=True,
        )
        super().__init__(
            fabric,
            network=network,
            model=_BothSides(network),
            optimiser=optimiser,
            batches=batches,
            valid=valid,
            settings=settings,
            seed=seed,
            identity=identity,
            state={"course": asdict(Course())},
            weights=weights,
            history=history,
        )

    def learning_rate(self, epoch: int, step: int) -> float:
        """Learning rate of a step, after the restarts so far."""
        done = (epoch + step / self.steps) / self.settings.epochs
        return learning_rate_at(self.settings, self.state["course"]["restarts"], done)

    def loss(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, float]]:
        """Ranking loss of a batch, of which every device embeds its share.

        Each device computes the loss of the whole batch, and the gradient of what it gathered
        comes back summed over the devices. That cancels the division by their number when the
        gradients of the weights are averaged.
        """
        embedded = torch.cat(self.model(*batch), dim=1)
        if self.fabric.world_size > 1:
            embedded = self.fabric.all_gather(embedded, sync_grads=True).flatten(0, 1)
        sheet, audio = self.network.cca(*embedded.split(EMBEDDING, dim=1))
        sheet, audio = functional.normalize(sheet), functional.normalize(audio)
        return ranking_loss(sheet, audio, self.settings.margin, self.settings.symmetric), {}

    def validate(self) -> dict[str, float]:
        """Loss and metrics of the validation pairs, with the projection of the last batch."""
        sheet, audio = embed_examples(self.network, self.valid, self.valid_examples, self.fabric)
        loss = ranking_loss(sheet, audio, self.settings.margin, self.settings.symmetric)
        return {"valid_loss": loss.item(), **rank_metrics(sheet, audio)}

    def after_validation(self, metrics: dict[str, float]) -> tuple[str, dict]:
        """Keep the best epoch; restart from it, or end, once patience is exhausted."""
        before = Course(**self.state["course"])
        course = after_epoch(before, metrics["valid_mrr"], self.settings)
        self.state.update(course=asdict(course), over=course.over)
        best = course.waited == 0 and course.restarts == before.restarts
        line = in_words(metrics, best)
        if best:
            # A copy: the next step updates in place.
            self.keep_best(optimiser=copy.deepcopy(self.optimiser.state_dict()))
        if course.restarts > before.restarts:
            kept = self.state["best"]
            self.network.load_state_dict(kept["network"])
            self.optimiser.load_state_dict(copy.deepcopy(kept["optimiser"]))
            rate = self.learning_rate(self.state["epoch"], 0)
            line += (
                f"; restart {course.restarts} of {self.settings.restarts} at a learning rate of "
                f"{rate:.2g}, from epoch {kept['epoch']}"
            )
        return line, {"restarts": before.restarts, "best": best, "peak_mb": peak_mb()}

    def save_weights(self) -> None:
        """Write the network, with what it was trained on in the metadata."""
        mrr = f"{self.state['course']['best']:.4f}"
        save(self.network, self.weights, valid_mrr=mrr, **self.provenance())


# --- validation --------------------------------------------------------------------------------
def validation_examples(valid: Examples, context: int, count: int) -> np.ndarray:
    """Choose evenly spaced examples, (at most `count`,), of those with snippet and excerpt.

    Raises:
        ValueError: if there are none.
    """
    inside = np.flatnonzero(valid.inside(context))
    if not len(inside):
        raise ValueError(
            f"no validation recording is long enough for {context} frames and a snippet"
            "; give other shards"
        )
    return inside[evenly_spaced(len(inside), count)]


def embed_examples(
    network: AnyNetwork, examples: Examples, chosen: np.ndarray, fabric: "Fabric"
) -> tuple[Tensor, Tensor]:
    """Embed chosen examples: (n, 32) unit vectors of their snippets and of their excerpts."""
    parts = np.array_split(chosen, math.ceil(len(chosen) / VALIDATION_BATCH))
    snippets = (examples.snippet_batch(part) for part in parts)
    excerpts = (examples.excerpt_batch(part, network.context) for part in parts)
    sheet, audio = (
        torch.from_numpy(run_batches(function, batches, fabric)).to(fabric.device)
        for function, batches in ((network.sheet, snippets), (network.audio, excerpts))
    )
    return network.project_sheet(sheet), network.project_audio(audio)


def rank_metrics(sheet: Tensor, audio: Tensor) -> dict[str, float]:
    """Metrics of the ranks of excerpts by snippets, from unit vectors (n, 32) of pairs."""
    better, equal = search.ranks(sheet.cpu().numpy(), audio.cpu().numpy())
    return {
        "valid_mrr": float(metrics.expected_reciprocal(better, equal).mean()),
        "valid_r1": float(metrics.expected_hit(better, equal, 1).mean()),
    }


def in_words(metrics: dict[str, float], best: bool) -> str:
    """The metrics of an epoch for the terminal."""
    return (
        f"; validation loss {metrics['valid_loss']:.3f}, MRR {metrics['valid_mrr']:.3f}, "
        f"R@1 {metrics['valid_r1']:.1%}{', the best' if best else ''}"
    )
