"""Refine the projection: fit it to many training examples at once, after the training (B 3.1).

Training leaves the projection of its last batch of 100. The paper fits it again on "the whole
training set", the authors' code on 25,000 examples of it.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from models.retrieval import cca
from models.retrieval.batches import Batches, training_batches
from models.retrieval.inference import load_network
from models.retrieval.sampling import Augmentation
from models.retrieval.schedule import AUGMENTATION
from models.retrieval.weights import save
from models.training import PROGRESS_S
from models.weights import read_metadata

BATCH = 100  # examples in one forward pass


def refine(
    weights: Path,
    shards_train: list[Path],
    out: Path,
    *,
    samples: int | None = 25_000,
    seed: int = 0,
    precision: str = "bf16-mixed",
    augmentation: Augmentation = AUGMENTATION,
    memory_mb: int | None = None,
) -> None:
    """Refine a network's projection: fit it to training examples, scaled and shifted at random.

    Args:
        weights: safetensors file that `train` wrote.
        shards_train: Parquet shards of the training split.
        out: safetensors file to write.
        samples: how many examples of a seeded sequence to fit it to; null for each example once.
        seed: of the sequence and the augmentation.
        precision: `bf16-mixed` or `32-true`.
        augmentation: ranges of the random changes of a pair.
        memory_mb: MB of recordings and images to hold at once; more are streamed. No limit if
            absent.

    Raises:
        ValueError: if weights or shards are not valid or there are too few examples.
        FloatingPointError: if embeddings are not finite.
    """
    fabric, network = load_network(weights, precision)
    metadata = read_metadata(weights)
    batches = training_batches(shards_train, network.context, BATCH, seed, augmentation, memory_mb)
    samples = samples or batches.usable()
    moments = cca.Moments()
    progress = tqdm(total=samples, unit=" pairs", desc="projection", mininterval=PROGRESS_S)
    with progress, torch.inference_mode(), fabric.autocast():
        for images, excerpts in _first(batches, samples):
            moments.add(
                network.sheet(fabric.to_device(images)), network.audio(fabric.to_device(excerpts))
            )
            progress.update(len(images))
    try:
        network.cca.load_state_dict(cca.solve(moments))
    except (ValueError, FloatingPointError) as error:
        raise type(error)(f"{weights}: {error}") from None
    save(network, out, **metadata | {"refined": str(samples)})


def _first(batches: Batches, samples: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The first `samples` pairs of the sequence, a batch at a time."""
    for number, begin in enumerate(range(0, samples, BATCH)):
        images, excerpts = batches[number]
        yield images[: samples - begin], excerpts[: samples - begin]
