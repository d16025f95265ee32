"""Weights files: the tensors of a network as safetensors, and metadata that say which network."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

from pipeline.replacing import replacing

N = TypeVar("N", bound=nn.Module)


def write_weights(network: nn.Module, path: Path | str, metadata: dict[str, str]) -> None:
    """Write weights and statistics of a network; equal weights and metadata give equal bytes."""
    tensors = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    written = serialise(tensors, metadata)
    end = 8 + int.from_bytes(written[:8], "little")
    with replacing(Path(path)) as temporary, temporary.open("wb") as file:
        file.write(_sorted_header(written[8:end]))
        file.write(memoryview(written)[end:])  # of hundreds of MB: no copy of it


def load_weights(
    path: Path | str,
    build: Callable[[dict[str, str]], N],
    identity: Callable[[N], dict[str, str]],
) -> N:
    """Load a trained network, in evaluation mode.

    The header is compared with the network before memory is taken for the tensors.

    Args:
        path: what `write_weights` wrote.
        build: makes, of the metadata, the network that the tensors are for. It is also called where
            tensors take no memory.
        identity: metadata that a file of a network must have.

    Raises:
        ValueError: if it is not a safetensors file, or not one of that network.
        OSError: if it cannot be read.
    """
    tensors, metadata = _read(path, build)
    network = build(metadata)
    _load_into(network, path, tensors, metadata, identity(network))
    return network.eval()


def _read(
    path: Path | str, build: Callable[[dict[str, str]], nn.Module]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a weights file, whose header fits the network."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            _check_header(file, metadata.get("model", "the network"), lambda: build(metadata))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, metadata
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file ({error}); train it again") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_metadata(path: Path | str) -> dict[str, str]:
    """Read the metadata of a weights file, and no tensors.

    Raises:
        ValueError: if it is not a safetensors file.
        OSError: if it cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file ({error}); train it again") from error


def _check_header(file, name: str, build: Callable[[], nn.Module]) -> None:
    """Check that an opened safetensors file holds the tensors of a network.

    Raises:
        ValueError: if there is no such network, or its tensors have other names or shapes.
    """
    try:
        with torch.device("meta"):
            network = build()
            expected = {key: list(value.shape) for key, value in network.state_dict().items()}
    except (RuntimeError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise ValueError("its header describes no network; train it again") from error
    actual = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
    if actual != expected:
        odd = min(key for key in actual | expected if actual.get(key) != expected.get(key))
        raise ValueError(
            f"does not fit {name}: '{odd}' is {actual.get(odd)}, not {expected.get(odd)}; "
            "train it again"
        )


def _load_into(
    network: nn.Module,
    path: Path | str,
    tensors: dict[str, Tensor],
    metadata: dict[str, str],
    expected: dict[str, str],
) -> None:
    """Load tensors of a file into a network if the metadata are the expected ones."""
    for name, value in expected.items():
        if metadata.get(name) != value:
            raise ValueError(
                f"{path} was trained with {name} {metadata.get(name)}, this version has "
                f"{value}; train it again"
            )
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(
            f"{path} does not fit {expected.get('model', 'the network')}; train it again"
        ) from error


def digest(path: Path | str) -> str:
    """SHA-256 of a file, to tell networks apart."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sorted_header(written: bytes) -> bytes:
    """The header of a safetensors file with its length, its metadata sorted.

    The library keeps metadata in a hash map, whose order differs from process to process.
    """
    header = json.loads(written)
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight bytes
    return len(text).to_bytes(8, "little") + text
