"""Training of the networks of Balke et al. 2019 (3.1, 3.2), resumable at any moment.

A run that is killed goes on from its last checkpoint and ends with the same weights, bit for bit,
as one that was not, on the same kind of machine with the same number of threads.
"""

import copy
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from models import training
from models.retrieval import evaluate, sampling, search
from models.retrieval.batches import training_batches
from models.retrieval.embed import vectors
from models.retrieval.loss import MARGIN, ranking_loss
from models.retrieval.network import Network, save
from pipeline import tables
from pipeline.constants import EMBEDDING

VALIDATION_BATCH = 200  # snippets or excerpts in one forward pass
BETAS = (0.9, 0.999)  # of Adam, as the authors' library has them
EPSILON = 1e-8  # of Adam, too
AUGMENTATION = sampling.Augmentation()  # the authors'


HISTORY = pa.schema(
    [
        tables.field("epoch", pa.int32(), "from 1"),
        tables.field("samples", pa.int64(), "pairs seen since the start"),
        tables.field("seconds", pa.float64(), "of the epoch, with its validation", "s"),
        tables.field("rate", pa.float64(), "of learning, as the epoch began"),
        tables.field("round", pa.int32(), "refinements before this epoch"),
        tables.field("train_loss", pa.float64(), "mean of the epoch"),
        tables.field("valid_loss", pa.float64(), "all validation pairs as one batch"),
        tables.field("valid_mrr", pa.float64(), "mean reciprocal rank, sheet to audio"),
        tables.field("valid_r1", pa.float64(), "share of snippets with the right excerpt first"),
        tables.field("best", pa.bool_(), "no epoch before had a higher valid_mrr"),
        tables.field("peak_mb", pa.float64(), "most main memory of the process so far", "MB"),
    ]
)


@dataclass(frozen=True)
class Settings:
    """What the weights depend on besides model and data; the defaults are the authors'.

    An epoch is `epoch_samples` pairs, and the next goes on where the last one stopped.
    `l2` weighs the sum of the squares of all trainable parameters in the loss. `patience` epochs
    without a better validation score end a round; up to `refinements` further rounds then go on
    from the best epoch, each at `rate_factor` times the rate, with `refinement_patience`.
    With `anneal` the rate instead falls to zero along half a cosine over all epochs, which suits
    short runs of equal length; there are then no rounds, and neither patience is used.
    """

    batch: int = 100
    epoch_samples: int = 10_000
    rate: float = 0.002
    anneal: bool = False
    l2: float = 1e-5
    margin: float = MARGIN
    symmetric: bool = False
    patience: int = 60
    refinements: int = 5
    refinement_patience: int = 10
    rate_factor: float = 0.5
    precision: str = "bf16-mixed"
    valid_samples: int = 1_000
    augmentation: sampling.Augmentation = AUGMENTATION
    seed: int = 0


def train(
    shards_train: Iterable[Path | str],
    shards_valid: Iterable[Path | str],
    weights: Path | str,
    history: Path | str,
    *,
    model: str,
    epochs: int,
    checkpoint_minutes: float = 10.0,
    workers: int = 0,
    memory_mb: int | None = None,
    network: Callable[[str], nn.Module] = Network,
    accelerator: str = "auto",
    **settings,
) -> None:
    """Train and write `weights` (of the epoch with the best validation MRR) and `history`.

    shards_train, shards_valid: Parquet files; model: one of the paper's seven, as BL2-SC+AT;
    epochs: at most, of all rounds together; workers: processes that cut snippets and excerpts;
    memory_mb: of training data held at once by each of them, with more it is streamed; settings:
    fields of `Settings`. After each epoch and every `checkpoint_minutes` the run's state
    goes into `<weights>.state`, from where a later call goes on; it is removed once the run has
    succeeded. Ctrl-C and SIGTERM save the state and raise SystemExit.

    Where Fabric finds several devices each takes a share of every batch; projection and loss are
    those of the whole batch.

    Raises ValueError where settings, shards or state do not fit, FloatingPointError where the loss
    is not a number any more (the authors' code goes back to the best epoch and on from there).
    """
    chosen = Settings(**settings)  # a name of its own: the command line is read off this line
    if chosen.batch <= EMBEDDING:
        raise ValueError(
            f"a batch of {chosen.batch} does not fix a projection in {EMBEDDING} dimensions; "
            f"take {EMBEDDING + 1} or more"
        )
    torch.manual_seed(chosen.seed)
    module = network(model)
    weights, state_path = Path(weights), Path(f"{weights}.state")
    fabric = training.start(accelerator, chosen.precision, chosen.batch)
    batches = training_batches(
        shards_train, module.context, chosen.batch, chosen.seed, chosen.augmentation, memory_mb
    )
    valid = sampling.read(shards_valid)
    run = _Run(fabric, chosen, module, batches, valid, epochs, workers, state_path, Path(history))
    training.run_epochs(run, epochs, checkpoint_minutes, "pairs")
    if fabric.is_global_zero:
        run.write_history()
        best = run.state["best"]
        run.network.load_state_dict(best["network"])
        save(
            run.network,
            weights,
            epoch=str(best["epoch"]),
            samples=str(best["epoch"] * run.steps * run.batch),
            valid_mrr=f"{run.state['course']['best']:.4f}",
            seed=str(chosen.seed),
        )
        state_path.unlink(missing_ok=True)
        print(f"peak memory {training.peak_mb():,.0f} MB", file=sys.stderr)
    fabric.barrier()


# --- the course of a training ------------------------------------------------------------------
@dataclass(frozen=True)
class Course:
    """Where a training stands after some epochs."""

    round: int = 0  # refinements so far
    best: float = -1.0  # highest score so far
    waited: int = 0  # epochs of this round since that score was last reached
    over: bool = False


def after_epoch(course: Course, score: float, settings: Settings) -> Course:
    """The course after one more epoch with a validation score; a score as good as the best counts.

    A higher `round` means that the next epoch is to start from the best one.
    """
    if score >= course.best:
        return replace(course, best=score, waited=0)
    course = replace(course, waited=course.waited + 1)
    patience = settings.refinement_patience if course.round else settings.patience
    if settings.anneal or course.waited < patience:
        return course
    if course.round == settings.refinements:
        return replace(course, over=True)
    return replace(course, round=course.round + 1, waited=0)


def rate_at(settings: Settings, refinement: int, done: float) -> float:
    """Learning rate in a round (0: the first) with a share `done` of all epochs behind."""
    if settings.anneal:
        return settings.rate * (1 + math.cos(math.pi * done)) / 2
    return settings.rate * settings.rate_factor**refinement


# --- a training --------------------------------------------------------------------------------
class _Pair(nn.Module):
    """Both embeddings in one forward pass, which is what runs on several devices at once."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.sheet(images), self.network.audio(excerpts)


class _Run:
    """Everything that a training run holds; `state` is what a checkpoint keeps beside tensors."""

    def __init__(
        self, fabric, settings, network, batches, valid, epochs, workers, state_path, history_path
    ):
        self.fabric, self.settings, self.valid, self.epochs = fabric, settings, valid, epochs
        self.state_path, self.history_path = state_path, history_path
        self.batch = settings.batch
        self.steps = max(1, round(settings.epoch_samples / settings.batch))
        self.valid_examples = np.flatnonzero(valid.inside(network.context))
        if not len(self.valid_examples):
            raise ValueError(
                f"no validation recording is long enough for {network.context} frames and a snippet"
                "; give other shards"
            )
        kept = training.evenly(len(self.valid_examples), settings.valid_samples)
        self.valid_examples = self.valid_examples[kept]
        self.identity = asdict(settings) | {
            "model": network.name,
            "training data": batches.fingerprint(),
            "validation data": valid.fingerprint(),
        }
        if settings.anneal:
            self.identity["epochs"] = epochs  # the rate depends on them
        self.state = {
            "epoch": 0,  # finished ones
            "step": 0,  # finished ones of the running epoch
            "loss": 0.0,  # sum over the running epoch
            "seconds": 0.0,
            "history": [],
            "course": asdict(Course()),
            "over": False,
            "best": {},
        }
        saved = training.read_state(state_path, self.identity)
        if saved:
            network.load_state_dict(saved["network"])
            self.state = saved["state"]
        if fabric.world_size > 1 and fabric.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        self.network = network.to(memory_format=torch.channels_last)
        # The gradient of l2 * p^2 is 2 * l2 * p, which Adam's weight decay adds to the others
        # before it scales them (AdamW, which adds it afterwards, would be another thing).
        optimiser = torch.optim.Adam(
            network.parameters(),
            lr=settings.rate,
            betas=BETAS,
            eps=EPSILON,
            weight_decay=2 * settings.l2,
            fused=True,
        )
        self.pair, self.optimiser = fabric.setup(_Pair(self.network), optimiser)
        if saved:
            self.optimiser.load_state_dict(saved["optimiser"])
        first = self.state["epoch"] * self.steps + self.state["step"]
        self.batches = iter(
            DataLoader(
                batches,
                batch_size=None,  # an item is a batch
                sampler=range(first, epochs * self.steps),
                num_workers=workers,
                worker_init_fn=training.leave_signals_to_parent,
                pin_memory=fabric.device.type == "cuda",
            )
        )

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
        """Learning rate of the next step."""
        done = (self.state["epoch"] + self.state["step"] / self.steps) / self.epochs
        return rate_at(self.settings, self.state["course"]["round"], done)

    def step(self) -> None:
        """One batch; its content follows from its number alone."""
        state, begin = self.state, time.monotonic()
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        images, excerpts = next(self.batches)
        self.pair.train()
        with self.place():
            loss = self.loss(images, excerpts)
        value = loss.item()
        training.check_loss(value, state)
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        self.optimiser.step()
        state["loss"] += value
        state["step"] += 1
        state["seconds"] += time.monotonic() - begin

    def loss(self, images: Tensor, excerpts: Tensor) -> Tensor:
        """Ranking loss of a batch, of which every device embeds its share.

        Each device computes the loss of the whole batch, and the gradient of what it gathered
        comes back summed over the devices. That cancels the division by their number when the
        gradients of the weights are averaged.
        """
        rank, ranks = self.fabric.global_rank, self.fabric.world_size
        share = [self.fabric.to_device(one.tensor_split(ranks)[rank]) for one in (images, excerpts)]
        embedded = torch.cat(self.pair(*share), dim=1)
        if ranks > 1:
            embedded = self.fabric.all_gather(embedded, sync_grads=True).flatten(0, 1)
        sheet, audio = self.network.cca(*embedded.split(EMBEDDING, dim=1))
        sheet, audio = functional.normalize(sheet), functional.normalize(audio)
        return ranking_loss(sheet, audio, self.settings.margin, self.settings.symmetric)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Have a FloatingPointError say where in the run it was raised."""
        try:
            yield
        except FloatingPointError as error:
            raise FloatingPointError(
                f"epoch {self.state['epoch'] + 1}, batch {self.state['step'] + 1}: {error}. "
                "The last checkpoint is kept."
            ) from None

    def finish_epoch(self) -> str:
        """Validate, add the epoch's row to the history, and decide how to go on."""
        state, begin = self.state, time.monotonic()
        with self.place():
            measured = self.fabric.broadcast(self.validate())  # all must decide alike
        before = Course(**state["course"])
        course = after_epoch(before, measured["valid_mrr"], self.settings)
        best = course.waited == 0 and course.round == before.round
        row = {
            "epoch": state["epoch"] + 1,
            "samples": (state["epoch"] + 1) * self.steps * self.batch,
            "rate": rate_at(self.settings, before.round, state["epoch"] / self.epochs),
            "round": before.round,
            "train_loss": state["loss"] / self.steps,
            **measured,
            "best": best,
            "peak_mb": training.peak_mb(),
            "seconds": state["seconds"] + time.monotonic() - begin,
        }
        state.update(epoch=row["epoch"], step=0, loss=0.0, seconds=0.0)
        state.update(course=asdict(course), over=course.over, history=[*state["history"], row])
        line = (
            f"loss {row['train_loss']:.3f}; validation loss {row['valid_loss']:.3f}, MRR "
            f"{row['valid_mrr']:.3f}, R@1 {row['valid_r1']:.1%}"
        )
        if best:
            # Copies, lest the next step change them.
            state["best"] = {
                "epoch": row["epoch"],
                "network": copy.deepcopy(self.network.state_dict()),
                "optimiser": copy.deepcopy(self.optimiser.state_dict()),
            }
            line += ", the best"
        if course.round > before.round:
            self.network.load_state_dict(state["best"]["network"])
            self.optimiser.load_state_dict(copy.deepcopy(state["best"]["optimiser"]))
            line += (
                f"; refinement {course.round} of {self.settings.refinements} at a rate of "
                f"{self.rate():.2g}, from epoch {state['best']['epoch']}"
            )
        return line

    def validate(self) -> dict[str, float]:
        """Loss and rates of the validation pairs, with the projection of the last batch."""
        network, count = self.network.eval(), len(self.valid_examples)
        parts = np.array_split(self.valid_examples, math.ceil(count / VALIDATION_BATCH))
        snippets = (self.valid.snippet_batch(part) for part in parts)
        excerpts = (self.valid.excerpt_batch(part, network.context) for part in parts)
        found = [
            torch.from_numpy(vectors(function, batches, self.fabric)).to(self.fabric.device)
            for function, batches in ((network.sheet, snippets), (network.audio, excerpts))
        ]
        with torch.no_grad():
            sheet, audio = network.project_sheet(found[0]), network.project_audio(found[1])
            loss = ranking_loss(sheet, audio, self.settings.margin, self.settings.symmetric)
        better, equal = search.ranks(sheet.cpu().numpy(), audio.cpu().numpy())
        return {
            "valid_loss": loss.item(),
            "valid_mrr": float(evaluate.expected_reciprocal(better, equal).mean()),
            "valid_r1": float(evaluate.expected_hit(better, equal, 1).mean()),
        }
