"""The losses against their definitions, pair by pair."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.retrieval.loss import LARGEST, contrastive_loss, local_loss, ranking_loss


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


# --- of our own network ------------------------------------------------------------------------
def unit(*shape, seed=0):
    values = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(values, dim=-1)


def test_contrastive_loss_is_minus_the_log_probability_of_the_own_counterpart():
    sheet, audio, scale = unit(5, 32), unit(5, 32, seed=1), torch.tensor(7.0)
    scores = np.exp(7 * sheet.numpy() @ audio.numpy().T)
    down, across = (np.diag(scores) / scores.sum(axis=axis) for axis in (0, 1))
    expected = -(np.log(down).mean() + np.log(across).mean()) / 2
    assert contrastive_loss(sheet, audio, scale).item() == pytest.approx(expected, rel=1e-6)


def test_other_pairs_are_wrong_answers_to_those_of_the_batch_and_ask_nothing():
    sheet, audio, scale = unit(9, 32), unit(9, 32, seed=1), torch.tensor(7.0)
    number = torch.arange(9)
    scores = np.exp(7 * sheet.numpy() @ audio.numpy().T)
    own = np.diag(scores)[:5]
    expected = -(np.log(own / scores[:, :5].sum(0)) + np.log(own / scores[:5].sum(1))).mean() / 2
    loss = contrastive_loss(
        sheet[:5], audio[:5], scale, number[:5], (sheet[5:], audio[5:], number[5:])
    )
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_an_onset_is_no_wrong_answer_to_itself_in_another_recording():
    sheet, audio, scale = unit(6, 32), unit(6, 32, seed=1), torch.tensor(7.0)
    number = torch.tensor([0, 1, 2, 1, 3, 2])  # 1 and 2 are heard twice
    scores = np.exp(7 * sheet.numpy() @ audio.numpy().T)
    own = np.diag(scores).copy()
    scores[[1, 3, 2, 5], [3, 1, 5, 2]] = 0
    expected = -(np.log(own / scores.sum(0)) + np.log(own / scores.sum(1))).mean() / 2
    whole = contrastive_loss(sheet, audio, scale, number).item()
    assert whole == pytest.approx(expected, rel=1e-6)
    asked = scores[:4]  # and in another step
    expected = -(np.log(own[:4] / scores[:, :4].sum(0)) + np.log(own[:4] / asked.sum(1))).mean() / 2
    others = sheet[4:], audio[4:], number[4:]
    parted = contrastive_loss(sheet[:4], audio[:4], scale, number[:4], others).item()
    assert parted == pytest.approx(expected, rel=1e-6)


def test_local_loss_finds_an_onset_among_those_of_its_own_segment():
    sheet, audio = unit(2, 3, 32), unit(2, 3, 32, seed=1)
    real = torch.tensor([[True, True, True], [True, True, False]])
    scores = 3 * np.einsum("sid,sjd->sij", sheet.numpy(), audio.numpy())
    scores[1, :, 2] = scores[1, 2, :] = -np.inf  # the one that is not real
    expected = [
        np.log(np.exp(scores[s, i, :]).sum()) / 2
        + np.log(np.exp(scores[s, :, i]).sum()) / 2
        - scores[s, i, i]
        for s, i in np.argwhere(real.numpy())
    ]
    loss = local_loss(sheet, audio, torch.tensor(3.0), real, torch.arange(6).view(2, 3))
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-6)


def test_an_onset_that_is_played_twice_is_no_wrong_answer_to_itself():
    sheet, audio = unit(1, 3, 32), unit(1, 3, 32, seed=1)
    same = torch.tensor([[7, 8, 7]])
    scores = 3 * (sheet @ audio.mT)[0].numpy()
    allowed = [np.r_[0, 1], np.r_[0, 1, 2], np.r_[1, 2]]
    expected = [
        np.log(np.exp(scores[i, others]).sum()) / 2
        + np.log(np.exp(scores[others, i]).sum()) / 2
        - scores[i, i]
        for i, others in enumerate(allowed)
    ]
    loss = local_loss(sheet, audio, torch.tensor(3.0), torch.ones(1, 3, dtype=bool), same)
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-6)


def test_gradient_of_the_losses_is_that_of_finite_differences():
    sheet, audio = unit(4, 3, 32).requires_grad_(), unit(4, 3, 32, seed=1).requires_grad_()
    real = torch.rand(4, 3) > 0.3
    same = torch.tensor([[0, 1, 0], [2, 3, 4], [5, 6, 7], [8, 8, 9]])
    scale = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)

    def losses(sheet, audio, scale):
        local = local_loss(sheet, audio, scale, real, same)
        return local + contrastive_loss(sheet[real], audio[real], scale)

    assert torch.autograd.gradcheck(losses, (sheet, audio, scale))
