"""Learning rate, patience and restarts of a training of retrieval (B 3.1)."""

import math
from dataclasses import dataclass, replace

from models.retrieval.loss import MARGIN
from models.retrieval.sampling import Augmentation

AUGMENTATION = Augmentation()  # the authors'


@dataclass(frozen=True)
class Settings:
    """Settings of a training; the defaults are the authors'.

    `patience` epochs without a better validation score end a round; up to `restarts` further
    rounds then continue from the best epoch, each at a lower learning rate.

    Args:
        epochs: at most, of all rounds together.
        epoch_samples: pairs in an epoch; the next epoch continues where the last one stopped.
        batch_size: pairs in a batch, more than the 32 dimensions of the shared space.
        learning_rate: at the start.
        cosine_annealing: let the learning rate fall to zero along half a cosine over `epochs`,
            for short runs of equal length; there are then no restarts and no patience.
        l2_penalty: weight of the sum of all squared parameters in the loss.
        margin: of the ranking loss.
        symmetric: rank in both directions; the authors' loss has only snippets as anchors.
        patience: epochs without a better mean reciprocal rank before a restart.
        restarts: how often training continues from the best epoch at a lower learning rate.
        restart_patience: the patience after a restart.
        learning_rate_factor: multiplies the learning rate at each restart.
        precision: of a step's products; a processor without bfloat16 computes in float32.
        valid_samples: pairs that are validated after each epoch.
        augmentation: ranges of the random changes of a pair.
        workers: processes that prepare batches beside the training; 0 on a processor.
    """

    epochs: int
    epoch_samples: int = 10_000
    batch_size: int = 100
    learning_rate: float = 0.002
    cosine_annealing: bool = False
    l2_penalty: float = 1e-5
    margin: float = MARGIN
    symmetric: bool = False
    patience: int = 60
    restarts: int = 5
    restart_patience: int = 10
    learning_rate_factor: float = 0.5
    precision: str = "bf16-mixed"
    valid_samples: int = 1_000
    augmentation: Augmentation = AUGMENTATION
    workers: int = 0


@dataclass(frozen=True)
class Course:
    """Where a training stands after some epochs."""

    restarts: int = 0  # so far
    best: float = -1.0  # highest score so far
    waited: int = 0  # epochs since that score was last reached, or since the restart
    over: bool = False


def after_epoch(course: Course, score: float, settings: Settings) -> Course:
    """The course after one more epoch; a score as good as the best counts as the best.

    Args:
        course: before the epoch.
        score: of its validation, higher is better.
        settings: of the training.

    Returns:
        The course; if it has one more restart, the next epoch begins from the best one.
    """
    if score >= course.best:
        return replace(course, best=score, waited=0)
    course = replace(course, waited=course.waited + 1)
    patience = settings.restart_patience if course.restarts else settings.patience
    if settings.cosine_annealing or course.waited < patience:
        return course
    if course.restarts == settings.restarts:
        return replace(course, over=True)
    return replace(course, restarts=course.restarts + 1, waited=0)


def learning_rate_at(settings: Settings, restarts: int, done: float) -> float:
    """Learning rate after some restarts, with a fraction `done` of all epochs complete."""
    if settings.cosine_annealing:
        return settings.learning_rate * (1 + math.cos(math.pi * done)) / 2
    return settings.learning_rate * settings.learning_rate_factor**restarts
