"""Embed recordings and strips with a trained network."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm import tqdm

from models.device import inference_device
from models.retrieval import weights as weights_files
from models.retrieval.token_network import PT, Side
from models.retrieval.weights import AnyNetwork
from models.retrieval.windows import crop_excerpts, crop_snippets, halve_strip, recording_windows
from models.training import PROGRESS_S
from pipeline.constants import EMBEDDING, SNIPPET_FACTOR, SNIPPET_WIDTH_PX, STRIP_HEIGHT_PX
from pipeline.planning.learning_files import SHIPPED

if TYPE_CHECKING:
    from lightning.fabric import Fabric  # takes seconds to import

DEFAULT_WEIGHTS = Path(__file__).parents[1] / "weights" / "retrieval.safetensors"
BATCH = 100  # images or excerpts in one forward pass
STEADY = 0.98  # length of a mean of vectors, over ten seconds: music is below, noise above
COLUMNS = 1024  # of a strip or a spectrogram in one forward pass


def weights_path(weights: Path | str) -> Path:
    """The file of some weights; `shipped` names those that come with the project."""
    return DEFAULT_WEIGHTS if str(weights) == SHIPPED else Path(weights)


def shown_name(name: str, weights: Path | str) -> str:
    """A network's name in tables, where shipped weights stand beside those trained here."""
    return f"{name}, {SHIPPED}" if str(weights) == SHIPPED else name


def load_network(
    weights: Path | str = DEFAULT_WEIGHTS, precision: str = "32-true"
) -> tuple["Fabric", AnyNetwork]:
    """Load a trained network onto the device on which it runs.

    Args:
        weights: safetensors file that `train` or `refine` wrote, or `shipped` for the package's,
            which is the default.
        precision: `bf16-mixed` or `32-true`.

    Returns:
        The device, and the network in evaluation mode.
    """
    fabric = inference_device(precision)
    trained = weights_files.load(weights_path(weights))
    return fabric, fabric.to_device(trained.to(memory_format=torch.channels_last))


# --- unit vectors ------------------------------------------------------------------------------
def embed_snippets(
    fabric: "Fabric",
    network: AnyNetwork,
    batches: Iterable[np.ndarray],
) -> np.ndarray:
    """Embed snippets of sheet music.

    Args:
        fabric, network: from `load_network`.
        batches: (n, 1, 80, 100) float32, white 1 and ink 0.

    Returns:
        (all, 32) unit vectors.
    """
    return run_batches(
        lambda batch: network.project_sheet(network.sheet(batch)),
        batches,
        fabric,
    )


def embed_excerpts(
    fabric: "Fabric",
    network: AnyNetwork,
    batches: Iterable[np.ndarray],
) -> np.ndarray:
    """Embed excerpts of recordings.

    Args:
        fabric, network: from `load_network`.
        batches: (n, 1, 92, context) float32, bins x frames.

    Returns:
        (all, 32) unit vectors.
    """
    return run_batches(
        lambda batch: network.project_audio(network.audio(batch)),
        batches,
        fabric,
    )


def embed_windows(fabric: "Fabric", network: AnyNetwork, excerpts: np.ndarray) -> np.ndarray:
    """Embed excerpts (n, 1, 92, context) that are in memory: (n, 32) unit vectors."""
    return embed_excerpts(fabric, network, in_batches(lambda part: part, excerpts))


def embed_strip(
    fabric: "Fabric", network: AnyNetwork, strip: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """Embed the snippets around some positions of a strip.

    Our own network sees the strip once, not each snippet by itself, see `embed_along`.

    Args:
        fabric, network: from `load_network`.
        strip: (at least 200, width) uint8, white 255.
        x: (n,) px from its left end.

    Returns:
        (n, 32) unit vectors.

    Raises:
        ValueError: if the strip is lower than 200 px, or a position is outside it.
    """
    height, width = strip.shape
    if height < STRIP_HEIGHT_PX:
        raise ValueError(f"the strip is {height} px high, less than {STRIP_HEIGHT_PX}")
    if outside := x[(x < 0) | (x >= width)].tolist():
        raise ValueError(f"x is {outside[0]}, outside a strip of {width} px")
    if isinstance(network, PT):
        columns = halve_strip(strip, SNIPPET_WIDTH_PX)
        positions = (np.floor(x) + SNIPPET_WIDTH_PX) / SNIPPET_FACTOR
        side, project = network.sheet_side, network.project_sheet
        return embed_along(fabric, side, project, columns, positions)
    batches = in_batches(lambda part: crop_snippets(strip, part), x)
    return embed_snippets(fabric, network, batches)


def embed_spectrogram(
    fabric: "Fabric", network: AnyNetwork, spectrogram: np.ndarray, frames: np.ndarray
) -> np.ndarray:
    """Embed the excerpts around some frames of a spectrogram.

    Our own network hears the recording once, not each excerpt by itself, see `embed_along`.

    Args:
        fabric, network: from `load_network`.
        spectrogram: (length, 92) float32.
        frames: (n,) indices; the onset is in column context // 2 of an excerpt.

    Returns:
        (n, 32) unit vectors.

    Raises:
        ValueError: if a frame is outside the recording.
    """
    if outside := frames[(frames < 0) | (frames >= len(spectrogram))].tolist():
        raise ValueError(f"frame {outside[0]} is outside a recording of {len(spectrogram)} frames")
    if isinstance(network, PT):
        columns = np.pad(spectrogram, ((network.context, network.context), (0, 0))).T
        side, project = network.audio_side, network.project_audio
        return embed_along(fabric, side, project, columns, frames + network.context)
    batches = in_batches(lambda part: crop_excerpts(spectrogram, part, network.context), frames)
    return embed_excerpts(fabric, network, batches)


def steady(vectors: np.ndarray, around: int) -> np.ndarray:
    """Where a recording stays as it is, as hum, noise and applause do, and no music.

    Args:
        vectors: (n, 32) unit vectors, evenly spaced over a recording.
        around: how many on either side of each are compared with it.

    Returns:
        (n,) bool; of shorter recordings nothing is known.
    """
    count = len(vectors)
    if count <= 2 * around or around < 1:
        return np.zeros(count, bool)
    total = np.concatenate([np.zeros((1, EMBEDDING)), np.cumsum(vectors, axis=0, dtype=float)])
    at = np.arange(count)
    first, stop = np.maximum(at - around, 0), np.minimum(at + around + 1, count)
    means = (total[stop] - total[first]) / (stop - first)[:, None]
    return np.linalg.norm(means, axis=1) > STEADY


@torch.inference_mode()
def embed_along(
    fabric: "Fabric",
    side: Side,
    project: Callable[[torch.Tensor], torch.Tensor],
    columns: np.ndarray,
    positions: np.ndarray,
) -> np.ndarray:
    """Embed positions of a strip or a spectrogram, neighbours in one pass of the convolutions.

    The tokens of a strip mostly lie elsewhere than those of the position's own snippet, so the
    vector is not quite the same: of MSMD's works the cosine of both is 0.996 in the median.

    Args:
        fabric: device and precision.
        side: of our own network.
        project: the network's projection of that side.
        columns: (rows, columns), with a snippet's or an excerpt's width to spare at either end.
        positions: (n,), in columns.

    Returns:
        (n, 32) unit vectors.

    Raises:
        FloatingPointError: if a value is not finite.
    """
    vectors = np.empty((len(positions), EMBEDDING), np.float32)
    order = np.argsort(positions, kind="stable")
    bounds = np.flatnonzero(np.diff(positions[order] // COLUMNS)) + 1
    with fabric.autocast():
        for part in np.split(order, bounds) if len(order) else []:
            begin, end = side.columns_needed(positions[part[0]], positions[part[-1]])
            maps = np.ascontiguousarray(columns[None, None, :, begin:end], np.float32)
            relative = (positions[part] - begin)[None].astype(np.float32)
            inputs = fabric.to_device((torch.from_numpy(maps), torch.from_numpy(relative)))
            vectors[part] = check_finite(project(side(*inputs)[0]).float().cpu().numpy())
    return vectors


def embed_recording(
    fabric: "Fabric", network: AnyNetwork, recording: Path, at: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Embed windows of a recording, brought to the level and tuning of the training data.

    Args:
        fabric, network: from `load_network`.
        recording: any sound file.
        at: second around which to take a single window; else up to 100 over the whole.

    Returns:
        (n,) middle frames, 20 a second, and (n, 32) unit vectors.
    """
    frames, excerpts = recording_windows(recording, network.context, at)
    return frames, embed_windows(fabric, network, excerpts)


def project(
    network: AnyNetwork, sheet: np.ndarray, audio: np.ndarray, source: str = "vectors"
) -> tuple[np.ndarray, np.ndarray]:
    """Project stored embeddings to unit vectors, in float64.

    Args:
        network: its stored projection is used.
        sheet: (n, 32) embeddings of snippets before the projection.
        audio: (n, 32) embeddings of excerpts before the projection.
        source: of the embeddings, for messages.

    Returns:
        (n, 32) float32 of sheet and of audio.

    Raises:
        FloatingPointError: if a vector is not finite or is projected to zero.
    """
    cca = network.cca
    projected = []
    for side, values, mean, directions in (
        ("sheet", sheet, cca.mean_sheet, cca.sheet),
        ("audio", audio, cca.mean_audio, cca.audio),
    ):
        mean, directions = (tensor.to(torch.float64).numpy() for tensor in (mean, directions))
        values = (values - mean) @ directions
        length = np.linalg.norm(values, axis=1, keepdims=True)
        if not (np.isfinite(length) & (length > 0)).all():
            what = "zero" if np.isfinite(length).all() else "not finite"
            raise FloatingPointError(
                f"{source}: a {side} vector is {what} after the projection; train and embed again"
            )
        projected.append((values / length).astype(np.float32))
    return projected[0], projected[1]


# --- batches ----------------------------------------------------------------------------------
def in_batches(crop: Callable[..., np.ndarray], *arrays: np.ndarray) -> Iterator[np.ndarray]:
    """Crop windows a batch at a time.

    Args:
        crop: makes windows of parts of the arrays.
        arrays: (n, ...) each, what windows are cropped around.
    """
    for first in range(0, len(arrays[0]), BATCH):
        yield crop(*(array[first : first + BATCH] for array in arrays))


# --- forward passes ----------------------------------------------------------------------------
@torch.inference_mode()
def run_batches(
    function: Callable[[torch.Tensor], torch.Tensor],
    batches: Iterable[np.ndarray],
    fabric: "Fabric",
    description: str | None = None,
    total: int | None = None,
) -> np.ndarray:
    """Apply a network's function to batches, in the precision of the fabric.

    Args:
        function: from a batch on the device to (n, d).
        batches: (n, ...) arrays.
        fabric: device and precision.
        description: of the progress bar; no bar if absent.
        total: rows that the bar runs to.

    Returns:
        (all, d) float32; (0, 32) without any batch.

    Raises:
        FloatingPointError: if a value is not finite.
    """
    parts = []
    silent = description is None or total == 0
    progress = tqdm(total=total, desc=description, disable=silent, mininterval=PROGRESS_S)
    with progress, fabric.autocast():
        for batch in batches:
            vectors = function(fabric.to_device(torch.from_numpy(batch)))
            parts.append(check_finite(vectors.float().cpu().numpy()))
            progress.update(len(batch))
    return np.concatenate(parts) if parts else np.empty((0, EMBEDDING), np.float32)


def check_finite(vectors: np.ndarray) -> np.ndarray:
    """The same vectors; raises FloatingPointError if a value is not finite."""
    if not np.isfinite(vectors).all():
        raise FloatingPointError(
            "the network's vectors are not finite; train it again with a lower learning rate"
        )
    return vectors
