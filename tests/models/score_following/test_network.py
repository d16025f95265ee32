"""The network: its size, its shapes, its files and its buckets."""

import pytest
import torch

from models.score_following.network import (
    Network,
    bucket,
    predict_interpolated,
    predict_max,
    soft_targets,
)
from pipeline.constants import BUCKET_PX, BUCKETS
from tests.support.staves import NARROW, inputs

PARAMETERS = 74_902_056  # of Table 1, bias where no batch normalisation follows


def test_has_the_parameters_of_table_1():
    with torch.device("meta"):
        network = Network()
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS


def test_layers_have_the_shapes_of_table_1():
    with torch.device("meta"):
        network = Network().eval()
        images, excerpts, index = (part.to("meta") for part in inputs(staves=2, notes=3))
        assert network.sheet[:-2](images).shape == (2, 128, 10, 48)
        assert network.audio[:-2](excerpts).shape == (3, 96, 17, 5)
        assert network(images, excerpts, index).shape == (3, BUCKETS)


def test_one_pass_of_an_image_serves_all_its_notes():
    network = Network(**NARROW).eval()
    images, excerpts, index = inputs(staves=2, notes=5)
    shared = network(images, excerpts, index)
    single = network(images[index], excerpts, torch.arange(5))
    torch.testing.assert_close(shared, single)


def test_soft_targets_interpolate_between_the_nearest_centres():
    centre, quarter = 4.5 * BUCKET_PX, 0.25 * BUCKET_PX
    targets = soft_targets(torch.tensor([centre, centre + quarter, centre - quarter]))
    assert targets[0].nonzero().tolist() == [[4]]
    assert targets[1, [4, 5]].tolist() == pytest.approx([0.75, 0.25])
    assert targets[2, [3, 4]].tolist() == pytest.approx([0.25, 0.75])
    assert targets.sum(dim=1).tolist() == pytest.approx([1, 1, 1])


def test_soft_targets_beyond_the_last_centres_give_the_end_bucket_all():
    targets = soft_targets(torch.tensor([0.0, 2.0, 389.0, 390.0]))
    assert targets.argmax(dim=1).tolist() == [0, 0, 39, 39]
    assert targets.max(dim=1).values.tolist() == [1, 1, 1, 1]


def test_bucket_is_the_one_of_the_nearest_centre():
    assert bucket(torch.tensor([0.0, 9.74, 9.76, 389.9, 390.0])).tolist() == [0, 0, 1, 39, 39]


def test_interpolated_prediction_of_a_soft_target_is_the_place_itself():
    x = torch.linspace(BUCKET_PX / 2, 390 - BUCKET_PX / 2, 101)
    torch.testing.assert_close(predict_interpolated(soft_targets(x)), x)
    assert (predict_max(soft_targets(x)) - x).abs().max() <= BUCKET_PX / 2 + 1e-4


def test_interpolation_sees_three_buckets_and_at_the_borders_two():
    chances = torch.full((3, BUCKETS), 0.01)
    chances[0, [9, 10, 11]] = torch.tensor([0.1, 0.4, 0.2])
    chances[1, [0, 1]] = torch.tensor([0.6, 0.2])
    chances[2, [38, 39]] = torch.tensor([0.2, 0.6])
    tenth = (0.1 * 9.5 + 0.4 * 10.5 + 0.2 * 11.5) / 0.7
    expected = [tenth * BUCKET_PX, 0.75 * BUCKET_PX, 390 - 0.75 * BUCKET_PX]
    assert predict_interpolated(chances).tolist() == pytest.approx(expected)
    assert predict_max(chances).tolist() == pytest.approx([102.375, 4.875, 385.125])
