"""Our embedding network: what a vector depends on, and on what it does not."""

import pytest
import torch

from models.retrieval.token_network import PT, shares_of_tokens
from tests.support.performances import narrow_tokens

ROWS = {"sheet": 80, "audio": 92}
REACH = {"sheet": (6 + 0.5) * 8, "audio": (20 + 0.5) * 4}  # columns of tokens attended to
TRUNK = 64  # columns that a token, with its context, may see beyond its own


@pytest.fixture
def network():
    torch.manual_seed(0)
    module = narrow_tokens()
    for _ in range(3):  # statistics that are not those of the start
        module.sheet(torch.rand(4, 1, 80, 100))
        module.audio(torch.rand(4, 1, 92, 168))
    return module.eval()


def side(network: PT, name: str):
    return network.sheet_side if name == "sheet" else network.audio_side


def test_the_network_has_as_many_parameters_as_its_docs_say():
    count = sum(parameter.numel() for parameter in PT().parameters())
    assert f"{count:,} parameters" in PT.__doc__


def test_snippets_and_excerpts_become_unit_vectors(network):
    for vectors in (
        network.sheet(torch.rand(3, 1, 80, 100)),
        network.audio(torch.rand(3, 1, 92, 168)),
    ):
        assert vectors.shape == (3, 32)
        assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)


def test_a_snippet_is_a_segment_with_one_onset_in_its_middle(network):
    images, excerpts = torch.rand(2, 1, 80, 100), torch.rand(2, 1, 92, 168)
    assert network.sheet(images).equal(network.sheet_side(images, torch.full((2, 1), 50.0))[:, 0])
    assert network.audio(excerpts).equal(
        network.audio_side(excerpts, torch.full((2, 1), 84.0))[:, 0]
    )


@pytest.mark.parametrize("name", ["sheet", "audio"])
def test_a_vector_moves_with_the_music(network, name):
    part = side(network, name)
    maps = torch.rand(1, 1, ROWS[name], 400)
    moved = maps.roll(part.step * 3, dims=3)
    here = part(maps, torch.tensor([[200.0, 203.5]]))
    there = part(moved, torch.tensor([[200.0, 203.5]]) + part.step * 3)
    assert torch.allclose(here, there, atol=1e-4)


@pytest.mark.parametrize("name", ["sheet", "audio"])
def test_a_vector_depends_on_what_lies_about_its_onset_alone(network, name):
    part, middle = side(network, name), 400.0
    maps = torch.rand(1, 1, ROWS[name], 800)
    usual = part(maps, torch.tensor([[middle]]))
    far = int(middle + REACH[name] + TRUNK)
    other = maps.clone()
    other[..., far:] = 0
    assert torch.allclose(usual, part(other, torch.tensor([[middle]])), atol=1e-5)
    other[..., int(middle + 10) :] = 0
    assert not torch.allclose(usual, part(other, torch.tensor([[middle]])), atol=1e-3)


def test_the_grid_follows_with_the_vectors_of_all_tokens(network):
    images, x = torch.rand(2, 1, 80, 160), torch.tensor([[40.0, 90.0], [60.0, 80.0]])
    both = network.sheet_side(images, x, grid=True)
    assert both.shape == (2, 2 + 20, 32)
    assert torch.allclose(both[:, :2], network.sheet_side(images, x), atol=1e-6)
    assert torch.allclose(both[0, 0], both[0, 2 + 5], atol=1e-6)  # 40 px is token 5
    assert torch.allclose(both[1, 1], both[1, 2 + 10], atol=1e-6)


def test_a_position_between_two_tokens_shares_itself_between_both():
    shares = shares_of_tokens(torch.tensor([[0.0, 1.25, 3.0, 3.4, -1.0]]), 4)[0]
    assert shares.tolist() == [
        [1, 0, 0, 0],
        [0, 0.75, 0.25, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 1],  # beyond the ends: the last and the first
        [1, 0, 0, 0],
    ]


def test_every_parameter_has_a_gradient():
    torch.manual_seed(0)
    network = narrow_tokens()
    sheet = network.sheet_side(torch.rand(3, 1, 80, 160), torch.full((3, 2), 77.0), grid=True)
    audio = network.audio_side(torch.rand(3, 1, 92, 200), torch.full((3, 2), 99.0), grid=True)
    ((sheet[:, :5] * audio[:, :5]).sum() * network.log_scale).backward()
    missing = [name for name, value in network.named_parameters() if value.grad is None]
    assert not missing
    assert all(value.grad.abs().sum() > 0 for value in network.parameters())


def test_gradient_of_the_attention_is_that_of_finite_differences():
    torch.manual_seed(0)
    part = narrow_tokens().double().audio_side
    tokens = torch.rand(2, 9, 8, dtype=torch.float64, requires_grad=True)
    positions = torch.tensor([[2.0, 4.6], [3.3, 8.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda values: part.read(values, positions), tokens)
