"""Weights files of retrieval: they give back the network that was saved, and no other."""

import hashlib
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from models.retrieval.network import Network
from models.retrieval.weights import load, save
from models.weights import digest
from tests.support.performances import narrow_tokens


def paper(name="BL2-SC") -> Network:
    """A network of the paper, of few weights."""
    torch.manual_seed(1)
    return Network(name, (3, 4, 6, 5))


@pytest.mark.parametrize(
    "make", [lambda: paper("BL1-SC"), lambda: paper("BL2-SC+AT"), narrow_tokens]
)
def test_a_file_gives_back_the_network(tmp_path, make):
    network = make().to(memory_format=torch.channels_last)
    images, excerpts = torch.rand(40, 1, 80, 100), torch.rand(40, 1, 92, network.context)
    network.cca(network.sheet(images), network.audio(excerpts))  # statistics and a projection
    network.eval()
    path = tmp_path / "new" / "weights.safetensors"
    save(network, path, epoch="7")
    found = load(path)
    assert (found.name, found.training, found.context) == (network.name, False, network.context)
    for project, embed, batch in (
        ("project_sheet", "sheet", images),
        ("project_audio", "audio", excerpts),
    ):
        both = [getattr(one, project)(getattr(one, embed)(batch)) for one in (found, network)]
        torch.testing.assert_close(*both)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(found.state_dict()[key], value, rtol=0, atol=0)


def metadata_of(path):
    with safe_open(path, framework="pt") as file:
        return file.metadata()


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "weights.safetensors"
    save(paper(), path, epoch="7")
    return path


def test_a_file_says_what_it_holds(saved):
    metadata = metadata_of(saved)
    assert metadata == {
        "model": "BL2-SC",
        "channels": "3 4 6 5",
        "fps": "20",
        "bins": "92",
        "epoch": "7",
    }


def test_equal_weights_are_equal_bytes_that_others_may_read(tmp_path):
    network = paper()
    many = {f"key{number}": str(number) for number in range(20)}
    save(network, tmp_path / "one", **many)
    save(network, tmp_path / "two", **dict(reversed(many.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    (tmp_path / "by_hand").touch()
    assert (tmp_path / "one").stat().st_mode == (tmp_path / "by_hand").stat().st_mode


def test_a_file_of_ours_says_which_widths_it_has(tmp_path):
    save(narrow_tokens(), tmp_path / "weights", epoch="7")
    metadata = metadata_of(tmp_path / "weights")
    assert (metadata["model"], json.loads(metadata["widths"])) == ("PT", narrow_tokens().widths)
    metadata["widths"] = "[]"
    save_file(load_file(tmp_path / "weights"), tmp_path / "weights", metadata)
    with pytest.raises(ValueError, match="names no widths of PT; train it again"):
        load(tmp_path / "weights")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "BL9"}, "no model 'BL9'"),
        ({"model": None}, "no model ''"),
        ({"fps": "31.25"}, "trained with fps 31.25, this version has 20"),
        ({"bins": None}, "trained with bins None, this version has 92"),
        ({"channels": None}, "4 numbers of channels"),
        ({"channels": "3 4 x 5"}, "invalid literal"),
        ({"channels": "3 4 6 6"}, "does not fit BL2-SC"),
        ({"channels": "9999999 9999999 9999999 9999999"}, "does not fit BL2-SC"),
        ({"channels": "3 4 6 -6"}, "describes no network"),
        ({"channels": "9" * 30 + " 4 6 6"}, "describes no network"),
        ({"model": "BL2-MC"}, "does not fit BL2-MC"),
    ],
)
def test_a_file_of_another_network_is_refused(saved, changes, message):
    metadata = {k: v for k, v in (metadata_of(saved) | changes).items() if v is not None}
    save_file(load_file(saved), saved, metadata)
    with pytest.raises(ValueError, match=f"{saved.name}.*{message}"):
        load(saved)


def test_another_kind_of_file_is_refused(tmp_path, saved):
    path = tmp_path / "weights.pt"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"weights\.pt is not a safetensors file"):
        load(path)
    path.write_bytes(saved.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"weights\.pt is not a safetensors file"):
        load(path)
    with pytest.raises(OSError, match="missing"):
        load(tmp_path / "missing.safetensors")


def test_digest_tells_files_apart(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    assert digest(path) == hashlib.sha256(b"abc").hexdigest()
