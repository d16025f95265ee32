"""Saliency shows where the network looks, and leaves the network as it was."""

import pytest
import torch
from torch import nn

from models.score_following.saliency import guided_backpropagation
from tests.support.staves import inputs, narrow, narrow_matching


class OneEye(nn.Module):
    """Sees the sum of one pixel and the negative of another, in bucket 1; bucket 0 is constant."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images, excerpts, image_index):
        seen = self.relu(3 * images[:, 0])[image_index]
        score = seen[:, 5, 7] - seen[:, 8, 9] + 1
        return torch.stack([torch.zeros_like(score), score], dim=1)


def test_only_what_raises_the_predicted_bucket_is_kept():
    image, excerpt, _ = inputs(staves=1, notes=1)
    saliency = guided_backpropagation(OneEye(), image.clamp(0.1, 0.2), excerpt)
    assert saliency.shape == (40, 390)
    assert saliency[5, 7] == pytest.approx(3)
    saliency[5, 7] = 0
    assert (saliency == 0).all()  # a plain gradient would have -3 at the other pixel


@pytest.mark.parametrize("make", [narrow, narrow_matching])
def test_the_network_is_left_as_it_was(make):
    torch.manual_seed(1)
    network = make().train()
    image, excerpt, _ = inputs(staves=1, notes=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    saliency = guided_backpropagation(network, image, excerpt)
    assert saliency.shape == (40, 390)
    assert saliency.any()
    assert network.training
    assert all(m.inplace for m in network.modules() if isinstance(m, nn.ReLU))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
