"""Our embedding network: what a vector depends on, and on what it does not."""

import pytest
import torch

from models.retrieval.token_network import PT, shares_of_tokens
from tests.support.performances import narrow_tokens

ROWS = {"sheet": 80, "audio": 92}
COLUMNS = {"sheet": 100, "audio": 168}  # of a snippet and an excerpt


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


@pytest.mark.parametrize("name, shifts", [("sheet", (2, 6)), ("audio", (1, 3))])
def test_a_snippet_has_two_rows_of_tokens_half_a_step_apart(network, name, shifts):
    """Each is that of a segment with one onset, whose first column is repeated."""
    part, embed = side(network, name), getattr(network, name)
    maps, middle = torch.rand(2, 1, ROWS[name], COLUMNS[name]), COLUMNS[name] / 2
    vectors = [
        part(
            torch.cat([maps[..., :1]] * shift + [maps], dim=3),
            torch.full((2, 1), middle + shift),
        )[:, 0]
        for shift in shifts
    ]
    mean = sum(vectors) / 2
    assert (vectors[0] - vectors[1]).abs().max() > 1e-4
    assert torch.allclose(embed(maps), mean / mean.norm(dim=1, keepdim=True), atol=1e-6)


@pytest.mark.parametrize("name", ["sheet", "audio"])
def test_a_vector_moves_with_the_music(network, name):
    part = side(network, name)
    maps = torch.rand(1, 1, ROWS[name], 400)
    moved = maps.roll(part.step * 3, dims=3)
    here = part(maps, torch.tensor([[200.0, 203.5]]))
    there = part(moved, torch.tensor([[200.0, 203.5]]) + part.step * 3)
    assert torch.allclose(here, there, atol=1e-4)


@pytest.mark.parametrize("name", ["sheet", "audio"])
def test_a_vector_is_that_of_its_own_snippet_or_excerpt(network, name):
    """Exactly, for a token in the middle of the snippet: nothing beyond its edges is seen."""
    part, half = side(network, name), COLUMNS[name] // 2
    maps = torch.rand(2, 1, ROWS[name], 400)
    positions = torch.tensor([[half, half + part.step, 400 - half], [half + 5 * part.step] * 3])
    positions -= (positions - half) % part.step
    alone = [
        part(maps[None, row, :, :, at - half : at + half], torch.tensor([[half]]))[0, 0]
        for row, places in enumerate(positions.tolist())
        for at in places
    ]
    assert torch.allclose(
        part(maps, positions).flatten(0, 1), torch.stack(alone), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("name", ["sheet", "audio"])
def test_a_vector_sees_its_snippet_or_excerpt_up_to_the_edges(network, name):
    part, half = side(network, name), COLUMNS[name] // 2
    maps = torch.rand(1, 1, ROWS[name], 2 * half)
    usual = part(maps, torch.tensor([[half]]))
    for edge in (0, -part.step):
        other = maps.clone()
        other[..., edge] = 1 - other[..., edge]
        assert not torch.allclose(usual, part(other, torch.tensor([[half]])), atol=1e-6)


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
    sheet = network.sheet_side(torch.rand(3, 1, 80, 160), torch.full((3, 2), 77.0))
    audio = network.audio_side(torch.rand(3, 1, 92, 200), torch.full((3, 2), 99.0))
    ((sheet * audio).sum() * network.log_scale).backward()
    missing = [name for name, value in network.named_parameters() if value.grad is None]
    assert not missing
    assert all(value.grad.abs().sum() > 0 for value in network.parameters())


def test_gradient_of_the_attention_is_that_of_finite_differences():
    torch.manual_seed(0)
    part = narrow_tokens().double().audio_side
    tokens = torch.rand(2, 9, 8, dtype=torch.float64, requires_grad=True)
    positions = torch.tensor([[2.0, 4.6], [3.3, 8.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda values: part.read(values, positions), tokens)


def test_the_scale_of_cosines_has_a_limit():
    network = narrow_tokens()
    assert network.scale().item() == pytest.approx(15)
    network.log_scale.data.fill_(20)
    assert network.scale().item() == 100
