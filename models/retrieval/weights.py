"""Weights files of retrieval: which network it is stands in the metadata."""

import json
from pathlib import Path

from models.retrieval.network import CHANNELS, Network
from models.retrieval.token_network import PT
from models.weights import load_weights, write_weights
from pipeline.constants import RETRIEVAL

AnyNetwork = Network | PT


def save(network: AnyNetwork, path: Path | str, **metadata: str) -> None:
    """Write weights, statistics and projection as safetensors.

    Args:
        network: what to write.
        path: file to write.
        metadata: kept in the file beside the model's name, its widths and its spectrogram.
    """
    write_weights(network, path, _identity(network) | metadata)


def load(path: Path | str) -> AnyNetwork:
    """Load a trained network, in evaluation mode.

    Args:
        path: what `save` wrote.

    Raises:
        ValueError: if the file is of another kind, model or spectrogram.
        OSError: if it cannot be read.
    """
    return load_weights(path, _described, _identity)


def _described(metadata: dict[str, str]) -> AnyNetwork:
    """Build the network that the metadata of a weights file name."""
    name = metadata.get("model", "")
    if name != PT.name:
        return Network(name, _channels(metadata))
    try:
        return PT(**json.loads(metadata["widths"]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"names no widths of {PT.name}; train it again") from error


def _identity(network: AnyNetwork) -> dict[str, str]:
    """Metadata that a file of this network must have."""
    if isinstance(network, PT):
        widths = {"widths": json.dumps(network.widths)}
    else:
        widths = {"channels": " ".join(map(str, network.channels))}
    return {
        "model": network.name,
        **widths,
        "fps": f"{RETRIEVAL.fps:g}",
        "bins": str(RETRIEVAL.bins),
    }


def _channels(metadata: dict[str, str]) -> tuple[int, ...]:
    channels = tuple(int(number) for number in metadata.get("channels", "").split())
    if len(channels) != len(CHANNELS):
        raise ValueError(f"expected {len(CHANNELS)} numbers of channels; train it again")
    return channels
