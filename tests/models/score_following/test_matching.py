"""Our matching network: its shapes, where its columns stand, and that it learns where to look."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.score_following.batches import Batches, batch_tensors
from models.score_following.matching import COLUMN_PX, COLUMNS, FIRST_COLUMN_PX, PT
from models.score_following.network import (
    Network,
    bucket,
    predict_interpolated,
    soft_targets,
)
from models.score_following.reading import read_examples
from pipeline.constants import BUCKETS
from tests.support.staves import inputs, narrow, narrow_matching, performance, write_shard

PARAMETERS = 1_022_544
SMALL = {"channels": (4, 4, 8, 8, 16), "width": 32}


def test_has_about_a_million_parameters():
    assert sum(p.numel() for p in PT().parameters()) == PARAMETERS


def test_outputs_are_log_probabilities_of_the_buckets():
    network = PT(**SMALL).eval()
    images, excerpts, index = inputs(staves=2, notes=5)
    assert network.sheet(images).shape == (2, 32, COLUMNS)
    logits = network(images, excerpts, index)
    assert logits.shape == (5, BUCKETS)
    torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(5))
    torch.testing.assert_close(logits.softmax(dim=1), logits.exp())


def test_one_pass_of_an_image_serves_all_its_notes():
    network = PT(**SMALL).eval()
    images, excerpts, index = inputs(staves=2, notes=5)
    shared = network(images, excerpts, index)
    single = network(images[index], excerpts, torch.arange(5))
    torch.testing.assert_close(shared, single)


def test_a_staff_that_an_excerpt_does_not_match_is_improbable():
    network = PT(**SMALL).eval()
    _, excerpts, _ = inputs(staves=3, notes=5)
    heard = network.audio(excerpts)
    sheet = torch.zeros(3, 32, COLUMNS)
    torch.nn.init.dirac_(network.key.weight)
    torch.nn.init.zeros_(network.key.bias)
    sheet[1, :, 30] = 100 * heard[0] / heard[0].norm() ** 2  # what the first note sounds like
    found = network.compare_staves(sheet, heard)
    torch.testing.assert_close(found.sum(dim=(1, 2)), torch.ones(5))
    assert found[0, 1].sum() > 0.95
    x = FIRST_COLUMN_PX + COLUMN_PX * 30
    assert found[0, 1].argmax() == bucket(torch.tensor([x]))


@pytest.mark.parametrize("make", [narrow, narrow_matching])
def test_a_staff_of_several_is_as_it_is_by_itself(make):
    network = make().eval()
    images, excerpts, _ = inputs(staves=3, notes=5)
    with torch.no_grad():
        found = network.compare_staves(network.sheet(images), network.audio(excerpts))
        for staff in range(3):
            alone = network(images, excerpts, torch.full((5,), staff)).softmax(dim=1)
            of_staff = found[:, staff] / found[:, staff].sum(dim=1, keepdim=True)
            torch.testing.assert_close(of_staff, alone, rtol=1e-4, atol=1e-6)


def test_other_staves_and_notes_of_a_batch_do_not_matter():
    network = PT(**SMALL).eval()
    images, excerpts, index = inputs(staves=3, notes=6)
    alone = network(images[index[:1]], excerpts[:1], torch.zeros(1, dtype=torch.long))
    torch.testing.assert_close(network(images, excerpts, index)[:1], alone)


@pytest.mark.parametrize("column", [0, 1, 50, 96])
def test_a_column_sees_the_pixels_about_its_centre(column):
    trunk = PT(**SMALL).double().eval().sheet.trunk
    images = torch.rand(1, 1, 40, 390, dtype=torch.float64, requires_grad=True)
    trunk(images)[0, :, column].sum().backward()
    seen = images.grad[0, 0].any(dim=0).nonzero()[:, 0]
    left, right = seen.min().item(), seen.max().item() + 1  # px
    centre = FIRST_COLUMN_PX + COLUMN_PX * column
    reach = max(centre - left, right - centre)
    assert reach < 30
    assert left == max(0, centre - reach)
    assert right == min(390, centre + reach) or column == 96  # the last pixels are pooled away


def test_columns_share_their_weights():
    trunk = PT(**SMALL).eval().sheet.trunk
    images = torch.zeros(2, 1, 40, 390)
    images[0, :, 18:22, 200:205] = images[1, :, 18:22, 200 + COLUMN_PX : 205 + COLUMN_PX] = 1
    here, moved = trunk(images)
    torch.testing.assert_close(here[:, 20:80], moved[:, 21:81])


def test_a_certain_column_is_predicted_where_it_stands(monkeypatch):
    chosen = torch.tensor([2, 40, 94])
    network = PT(**SMALL).eval()
    scores = 50.0 * functional.one_hot(chosen, COLUMNS)
    monkeypatch.setattr(network, "match", lambda *inputs: scores)
    probabilities = network(*inputs(staves=2, notes=3)).softmax(dim=1)
    expected = FIRST_COLUMN_PX + COLUMN_PX * chosen
    torch.testing.assert_close(predict_interpolated(probabilities), expected.float())


def test_every_parameter_has_a_gradient():
    network = PT(**SMALL)
    images, excerpts, index = inputs(staves=3, notes=8)
    loss = functional.cross_entropy(network(images, excerpts, index), soft_targets(torch.rand(8)))
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_an_impossible_target_has_a_finite_loss(monkeypatch):
    network = PT(**SMALL).eval()
    scores = 1000.0 * functional.one_hot(torch.zeros(1, dtype=torch.long), COLUMNS)
    monkeypatch.setattr(network, "match", lambda *inputs: scores)
    logits = network(*inputs(staves=2, notes=1))
    assert functional.cross_entropy(logits, soft_targets(torch.tensor([380.0]))).isfinite()


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Made-up music: training examples, and examples of pieces that are not trained on."""
    folder = tmp_path_factory.mktemp("toy")
    rows = [performance(f"piece{n}", seed=n, staves=4) for n in range(14)]
    parts = {"train": rows[:10], "unseen": rows[10:]}
    return [read_examples([write_shard(folder / name, part)]) for name, part in parts.items()]


def unseen_hits(network, optimiser, toy, steps: int) -> float:
    """Share of unseen notes in the right bucket, or one beside it, after some steps."""
    trained, unseen = toy
    batches = Batches(trained, notes_per_staff=5, batch_size=40, seed=0)
    for number in range(steps):
        *arrays, x = batches[number]
        loss = functional.cross_entropy(network(*arrays), soft_targets(x))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    *arrays, x = batch_tensors(unseen, np.arange(len(unseen)))
    with torch.no_grad():
        found = network.eval()(*arrays).argmax(dim=1)
    return ((found - bucket(x)).abs() <= 1).float().mean().item()


def test_learns_in_steps_in_which_the_papers_network_does_not(toy):
    """Matching finds notes of unseen staves; one vector a staff stays near chance."""
    torch.manual_seed(0)
    ours, papers = PT(**SMALL), Network((4, 4, 8, 8), (4, 4, 8, 8), 64)
    adamw = torch.optim.AdamW(ours.parameters(), lr=4e-3)
    sgd = torch.optim.SGD(papers.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    assert unseen_hits(ours, adamw, toy, steps=40) > 0.4
    assert unseen_hits(papers, sgd, toy, steps=40) < 0.15
