"""Weights files are loaded as the network that they name, and as nothing else."""

import pytest
import torch

from models.score_following.matching import PT
from models.score_following.network import Network
from models.score_following.weights import load, save
from models.weights import read_metadata, write_weights
from tests.support.staves import narrow, narrow_matching


@pytest.mark.parametrize(("make", "name"), [(narrow, "paper"), (narrow_matching, "PT")])
def test_a_saved_network_is_loaded_in_evaluation_mode(tmp_path, make, name):
    network, path = make(), tmp_path / "weights.safetensors"
    save(network, path, epoch="3")
    assert read_metadata(path)["network"] == name
    loaded = load(path)
    assert type(loaded) is type(network)
    assert not loaded.training
    for tensor_name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[tensor_name], tensor)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"network": "other", "widths": "{}"},
        {"network": "PT", "widths": "no JSON"},
        {"network": "PT", "widths": "[" * 100_000},
        {"network": "PT", "widths": '{"channels": [1, 2], "width": 8}'},
        {"network": "paper", "widths": '{"channels": [2, 2, 2, 4, 4], "width": 8}'},
    ],
)
def test_weights_of_no_known_network_are_refused(tmp_path, metadata):
    path = tmp_path / "weights.safetensors"
    write_weights(narrow(), path, {"model": "BL2-SC", **metadata})
    with pytest.raises(ValueError, match=r"weights\.safetensors: names no network of score"):
        load(path)


def test_a_pickle_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"PK\x03\x04 a pickle")
    with pytest.raises(ValueError, match=r"weights\.safetensors is not a safetensors file"):
        load(path)


@pytest.mark.parametrize(("make", "other"), [(narrow, PT), (narrow_matching, Network)])
def test_one_networks_weights_do_not_pass_for_the_others(tmp_path, make, other):
    path = tmp_path / "weights.safetensors"
    save(make(), path)
    assert not isinstance(load(path), other)


def test_widths_beyond_all_memory_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    widths = '{"channels": [2, 2, 2, 4, 4], "width": 100000000}'
    write_weights(narrow_matching(), path, {"network": "PT", "widths": widths})
    with pytest.raises(ValueError, match="train it again"):
        load(path)
