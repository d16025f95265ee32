"""The ranking loss against its definition, pair by pair."""

import pytest
import torch
from torch.nn import functional

from models.retrieval.loss import LARGEST, ranking_loss


def one_way(anchors, others, margin):
    """Mean over all pairs of an anchor and somebody else's counterpart."""
    costs = [
        min(max(margin - float(a @ others[i]) + float(a @ other), 0.0), LARGEST)
        for i, a in enumerate(anchors)
        for j, other in enumerate(others)
        if i != j
    ]
    return sum(costs) / len(costs)


@pytest.fixture
def vectors():
    torch.manual_seed(0)
    return [functional.normalize(torch.randn(7, 5, dtype=torch.float64)) for _ in range(2)]


@pytest.mark.parametrize("margin", [0.0, 0.7, 1.5])
def test_is_the_mean_over_the_pairs_of_a_snippet_and_another_excerpt(vectors, margin):
    sheet, audio = vectors
    assert one_way(sheet, audio, margin) != pytest.approx(one_way(audio, sheet, margin))
    loss = ranking_loss(sheet, audio, margin)
    assert loss.item() == pytest.approx(one_way(sheet, audio, margin))


def test_symmetric_is_the_mean_of_both_directions(vectors):
    sheet, audio = vectors
    both = (one_way(sheet, audio, 0.7) + one_way(audio, sheet, 0.7)) / 2
    assert ranking_loss(sheet, audio, 0.7, symmetric=True).item() == pytest.approx(both)


def test_one_term_is_bounded(vectors):
    sheet, audio = (1e4 * part for part in vectors)
    assert ranking_loss(sheet, audio).item() == pytest.approx(one_way(sheet, audio, 0.7))


def test_is_zero_once_all_others_are_a_margin_away():
    own = torch.eye(4)
    assert ranking_loss(own, own, margin=1.0).item() == 0
    assert ranking_loss(own, own, margin=1.25).item() == pytest.approx(0.25)
    assert ranking_loss(own, own.roll(1, dims=0), margin=0.7).item() == pytest.approx(
        (4 * 1.7 + 8 * 0.7) / 12
    )


def test_gradient_pulls_pairs_together_and_pushes_others_apart():
    sheet = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    audio = torch.tensor([[0.6, 0.8], [0.8, 0.6]], requires_grad=True)
    ranking_loss(sheet, audio).backward()
    torch.testing.assert_close(audio.grad, torch.tensor([[-0.5, 0.5], [0.5, -0.5]]))


@pytest.mark.parametrize("rows", [(3, 4), (1, 1)])
def test_refuses_what_it_cannot_rank(rows):
    with pytest.raises(ValueError, match="two or more pairs"):
        ranking_loss(*(torch.zeros(count, 2) for count in rows))
