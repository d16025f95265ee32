"""Where on the staff image the network looks (Dorfer et al. 2016, 4.1 and Figure 5)."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from captum.attr import GuidedBackprop
from torch import Tensor, nn


def guided_backpropagation(network: nn.Module, image: Tensor, excerpt: Tensor) -> np.ndarray:
    """Guided backpropagation (Springenberg et al. 2015) from the predicted bucket to the image.

    image: (1, 1, 40, 390) in [0, 1], ink 1; excerpt: (1, 1, 136, 40). Returns (40, 390), signed:
    how ink at a pixel raises the bucket's score before the softmax.
    """
    index = torch.zeros(1, dtype=torch.long, device=image.device)
    with _ready(network), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting backward hooks")  # which it takes off again
        with torch.no_grad():
            target = network(image, excerpt, index).argmax(dim=1)
        saliency = GuidedBackprop(network).attribute(
            image.detach().clone().requires_grad_(),
            target=target,
            additional_forward_args=(excerpt, index),
        )
    return saliency[0, 0].detach().cpu().numpy()


@contextmanager
def _ready(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, and ReLUs that keep their input, which the hooks on them need."""
    training = network.training
    changed = [m for m in network.modules() if isinstance(m, nn.ReLU) and m.inplace]
    network.eval()
    for module in changed:
        module.inplace = False
    try:
        yield
    finally:
        network.train(training)
        for module in changed:
            module.inplace = True
