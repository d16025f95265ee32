"""Mixtures of weights before and after a further training."""

import pytest
import torch

from models.retrieval.mixing import mix
from models.retrieval.network import Network
from models.retrieval.token_network import PT
from models.retrieval.weights import load, save
from models.weights import digest, read_metadata
from tests.support.tones import NARROW


@pytest.fixture
def files(tmp_path):
    """Two small networks, whose weights and statistics are all 1 and all 3."""
    paths = tmp_path / "before.safetensors", tmp_path / "after.safetensors"
    for path, value in zip(paths, (1.0, 3.0), strict=True):
        network = PT(channels=(2, 2, 2, 4, 4), width=8)
        for tensor in network.state_dict().values():
            tensor.fill_(value)
        save(network, path)
    return paths


def test_a_mixture_lies_between_both(files, tmp_path):
    out = tmp_path / "mixed.safetensors"
    mix(*files, share=0.25, out=out)
    values = load(out).state_dict().values()
    assert {value.unique().item() for value in values if value.is_floating_point()} == {1.5}
    told = read_metadata(out)
    assert (told["before"], told["after"]) == tuple(map(digest, files)) and told["share"] == "0.25"


@pytest.mark.parametrize(("share", "number"), [(0.0, 0), (1.0, 1)])
def test_the_ends_are_the_files_themselves(files, tmp_path, share, number):
    mix(*files, share=share, out=tmp_path / "mixed.safetensors")
    expected = load(files[number]).state_dict()
    for name, value in load(tmp_path / "mixed.safetensors").state_dict().items():
        assert not value.is_floating_point() or torch.equal(value, expected[name])


def test_what_cannot_be_mixed_is_refused(files, tmp_path):
    other, out = tmp_path / "other.safetensors", tmp_path / "mixed.safetensors"
    save(Network("BL2-SC", NARROW), other)
    refined = tmp_path / "refined.safetensors"
    save(load(files[0]), refined, refined="25000")
    with pytest.raises(ValueError, match=r"other.safetensors: holds BL2-SC of other layers"):
        mix(files[0], other, share=0.5, out=out)
    with pytest.raises(ValueError, match=r"refined.safetensors: is refined"):
        mix(refined, files[1], share=0.5, out=out)
    with pytest.raises(ValueError, match=r"--share is 1.5"):
        mix(*files, share=1.5, out=out)
    assert not out.exists()
