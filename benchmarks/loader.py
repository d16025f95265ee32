"""Batches of retrieval beside plain ones, on one core: `python -m benchmarks.loader`.

Augmented training batches from strips and recordings that are far larger than the processor's
caches. Two plain loaders cut the same examples: Pillow and NumPy one example at a time, and PyTorch
with grid_sample a batch at a time. Without augmentation all three must agree, but for Pillow's
rounding to whole grey levels. The share is what our batches cost of a training step that computes
on the same core.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from benchmarks.train_retrieval import fastest_step
from models.device import keep_memory
from models.retrieval.batches import Batches
from models.retrieval.network import MODELS, Network
from models.retrieval.sampling import MARGIN_PX, SILENCE_FRAMES, Augmentation, Examples
from pipeline.constants import (
    RETRIEVAL,
    SNIPPET_FACTOR,
    SNIPPET_HEIGHT_PX,
    SNIPPET_WIDTH_PX,
    STRIP_HEIGHT_PX,
    WHITE,
)

NAMES = ("BL2-SC", "BL2-LC")
BATCH = 100
BATCHES = 10
ROUNDS = 5  # taken in turns; the fastest counts, the others were disturbed
PIECES = 200
WIDTH_PX = 7_000  # of a strip, 290 MB in all
FRAMES = 5_000  # of a recording, 190 MB in all
ONSETS = 500  # of a piece
CUT_PX = 220  # about an onset, before it is resized


def made_up() -> Examples:
    """As many pixels and frames as a training split has, all noise."""
    random = np.random.default_rng(0)
    noise = random.bytes(PIECES * STRIP_HEIGHT_PX * WIDTH_PX)
    strips = np.frombuffer(noise, np.uint8).reshape(PIECES, STRIP_HEIGHT_PX, WIDTH_PX)
    margins = ((0, 0), (MARGIN_PX, MARGIN_PX))
    rows = SILENCE_FRAMES + PIECES * (FRAMES + SILENCE_FRAMES)
    spectrogram = random.random((rows, RETRIEVAL.bins), np.float32).astype(np.float16)
    piece = np.repeat(np.arange(PIECES), ONSETS)
    return Examples(
        split="train",
        pieces=[str(number) for number in range(PIECES)],
        strips=[np.pad(strip, margins, constant_values=WHITE) for strip in strips],
        width=np.full(PIECES, WIDTH_PX),
        spectrogram=spectrogram,
        start=SILENCE_FRAMES + np.arange(PIECES) * (FRAMES + SILENCE_FRAMES),
        frames=np.full(PIECES, FRAMES),
        font=["noise"] * PIECES,
        tempo_ratio=np.ones(PIECES, np.float32),
        piece=piece,
        performance=piece,
        note_id=np.tile(np.arange(ONSETS), PIECES),
        onset_s=np.zeros(len(piece)),
        frame=random.integers(0, FRAMES, len(piece)),
        x=random.uniform(0, WIDTH_PX, len(piece)).astype(np.float32),
    )


def draw(number: int, change: Augmentation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale, vertical shift and shift of the audio for each example of a batch."""
    random = np.random.default_rng(number)
    up = random.integers(-change.shift_px, change.shift_px + 1, BATCH)
    later = random.integers(-change.shift_frames, change.shift_frames + 1, BATCH)
    return random.uniform(*change.scale, BATCH), up, later


def pillow(batches: Batches, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch, one example after another: cut, resize, cut, halve; then stack."""
    data, images, excerpts = batches.source, [], []
    changes = zip(batches.chosen(number)[1], *draw(number, batches.augmentation), strict=True)
    for example, scale, up, later in changes:
        left = int(data.x[example]) + MARGIN_PX - CUT_PX // 2
        cut = Image.fromarray(data.strips[data.piece[example]][:, left : left + CUT_PX])
        size = round(CUT_PX * scale), round(STRIP_HEIGHT_PX * scale)
        cut = cut.resize(size, Image.Resampling.NEAREST)
        left = size[0] // 2 - SNIPPET_WIDTH_PX // 2
        top = size[1] // 2 - SNIPPET_HEIGHT_PX // 2 + int(up)
        cut = cut.crop((left, top, left + SNIPPET_WIDTH_PX, top + SNIPPET_HEIGHT_PX))
        images.append(np.asarray(cut.reduce(SNIPPET_FACTOR), np.float32)[None] / WHITE)
        first = data.start[data.performance[example]] + data.frame[example] + later
        first -= batches.context // 2
        excerpt = data.spectrogram[first : first + batches.context].T
        excerpts.append(excerpt.astype(np.float32)[None])
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(excerpts))


def grid_sample(batches: Batches, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch at once: cuts as float, resampled on a grid, pooled; excerpts by their rows."""
    data, examples = batches.source, batches.chosen(number)[1]
    scale, up, later = (torch.from_numpy(part) for part in draw(number, batches.augmentation))
    left = data.x[examples].astype(int) + MARGIN_PX - CUT_PX // 2
    cuts = np.stack(
        [
            data.strips[piece][:, first : first + CUT_PX]
            for piece, first in zip(data.piece[examples], left, strict=True)
        ]
    )
    rows = (torch.arange(SNIPPET_HEIGHT_PX) - SNIPPET_HEIGHT_PX // 2 + up[:, None]) / scale[:, None]
    across = (torch.arange(SNIPPET_WIDTH_PX) - SNIPPET_WIDTH_PX // 2) / scale[:, None]
    rows, across = (2 * rows + 1) / STRIP_HEIGHT_PX, (2 * across + 1) / CUT_PX  # middle 0, ends 1
    shape = (BATCH, SNIPPET_HEIGHT_PX, SNIPPET_WIDTH_PX)
    grid = torch.stack([across[:, None].expand(shape), rows[:, :, None].expand(shape)], dim=3)
    images = functional.grid_sample(
        torch.from_numpy(cuts)[:, None].float() / WHITE,
        grid.float(),
        mode="nearest",
        align_corners=False,
    )
    first = data.start[data.performance[examples]] + data.frame[examples] - batches.context // 2
    frames = (first + later.numpy())[:, None] + np.arange(batches.context)
    excerpts = data.spectrogram[frames].astype(np.float32).transpose(0, 2, 1)[:, None]
    return functional.avg_pool2d(images, SNIPPET_FACTOR), torch.from_numpy(excerpts.copy())


def ours(batches: Batches, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    return batches[number]


LOADERS = (ours, pillow, grid_sample)


def largest_difference(data: Examples, context: int) -> float:
    """Between the three loaders, where nothing is augmented; a grey level is 0.004."""
    plain = Batches(data, context, BATCH, 0, Augmentation((1.0, 1.0), 0, 0))
    expected = ours(plain, 0)
    return max(
        float((one - other).abs().max())
        for loader in LOADERS[1:]
        for one, other in zip(loader(plain, 0), expected, strict=True)
    )


def seconds(loader: Callable, batches: Batches) -> float:
    """Processor time of a batch, on the one thread there is."""
    begin = time.process_time()
    for number in range(BATCHES):
        loader(batches, number)
    return (time.process_time() - begin) / BATCHES


def main() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as in training
    keep_memory()
    data = made_up()
    print(f"augmented batches of {BATCH}, one core, best of {ROUNDS}; pairs a second")
    print("context     ours  Pillow  ratio  grid_sample  ratio  difference  share of a step")
    for name in NAMES:
        context = MODELS[name].context
        batches = Batches(data, context, BATCH, 0, Augmentation())
        taken = {loader: [] for loader in LOADERS}
        for _ in range(ROUNDS):
            for loader in LOADERS:
                taken[loader].append(seconds(loader, batches))
        own, peer, other = (min(taken[loader]) for loader in LOADERS)
        network = Network(name).to(memory_format=torch.channels_last)
        share = own / (own + fastest_step(network, ours=True))
        print(
            f"{context:7} {BATCH / own:8.0f} {BATCH / peer:7.0f} {peer / own:6.1f} "
            f"{BATCH / other:12.0f} {other / own:6.1f} "
            f"{largest_difference(data, context):11.1e} {share:16.1%}"
        )


if __name__ == "__main__":
    main()
