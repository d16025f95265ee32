"""Weights files of score following: which network it is stands in the metadata."""

import json
from pathlib import Path

from models.score_following.matching import PT
from models.score_following.network import Network
from models.weights import load_weights, write_weights
from pipeline.constants import SCORE_FOLLOWING

NETWORKS = {"paper": Network, "PT": PT}  # by their names in the config


def save(network: Network | PT, path: Path | str, **metadata: str) -> None:
    """Write weights and statistics as safetensors.

    Args:
        network: what is written; name, widths and spectrogram go into the metadata.
        path: file to write.
        metadata: further entries.
    """
    write_weights(network, path, _identity(network) | metadata)


def load(path: Path | str) -> Network | PT:
    """Load a trained network, in evaluation mode.

    Args:
        path: what `save` wrote.

    Raises:
        ValueError: if the file is of another kind, network or spectrogram.
        OSError: if it cannot be read.
    """
    return load_weights(path, _described, _identity)


def _described(metadata: dict[str, str]) -> Network | PT:
    """Build the network that the metadata of a weights file name."""
    try:
        return NETWORKS[metadata["network"]](**json.loads(metadata["widths"]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError("names no network of score following; train it again") from error


def _identity(network: Network | PT) -> dict[str, str]:
    """Metadata that a file of this network must have."""
    (name,) = (name for name, kind in NETWORKS.items() if isinstance(network, kind))
    return {
        "model": "score_following",
        "network": name,
        "widths": json.dumps(network.widths),
        "fps": f"{SCORE_FOLLOWING.fps:g}",
        "bins": str(SCORE_FOLLOWING.bins),
    }
