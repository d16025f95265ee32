"""The projection fitted to many training examples at once, after the training (B 3.1).

Training leaves the projection of its last batch of 100. The paper fits it anew on "the whole
training set", the authors' code on 25,000 examples of it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from tqdm import tqdm

from models import training
from models.retrieval import cca, sampling
from models.retrieval.batches import Batches, training_batches
from models.retrieval.network import load, save

AT_ONCE = 100  # examples in one forward pass
AUGMENTATION = sampling.Augmentation()  # that of training


def refine(
    weights: Path | str,
    shards_train: Iterable[Path | str],
    out: Path | str,
    *,
    samples: int | None = 25_000,
    seed: int = 0,
    precision: str = "bf16-mixed",
    augmentation: sampling.Augmentation = AUGMENTATION,
    memory_mb: int | None = None,
    accelerator: str = "auto",
) -> None:
    """Write the network in `weights` to `out` with its projection fitted anew.

    shards_train: Parquet files. The first `samples` of a seeded sequence of training examples
    count, augmented as in training; where `samples` is None, each example once. With more training
    data than `memory_mb` it is streamed.

    Raises ValueError where weights or shards do not fit or there are too few examples,
    FloatingPointError where embeddings are not finite.
    """
    fabric = training.one_device(accelerator, precision)
    network = load(weights)
    with safe_open(weights, framework="pt") as file:
        metadata = file.metadata()
    network = fabric.to_device(network.to(memory_format=torch.channels_last))
    batches = training_batches(
        shards_train, network.context, AT_ONCE, seed, augmentation, memory_mb
    )
    samples = samples or batches.usable()
    moments = cca.Moments()
    progress = tqdm(total=samples, unit=" pairs", desc="projection", mininterval=training.EVERY_S)
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
    for number, begin in enumerate(range(0, samples, AT_ONCE)):
        images, excerpts = batches[number]
        yield images[: samples - begin], excerpts[: samples - begin]
