"""Muon: momentum whose steps are made orthogonal, for the matrices of a network.

A few singular directions dominate a gradient; an orthogonal step is equally large in all of them.
Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks". torch has one for
two-dimensional weights alone; this one takes convolutions too, and orthogonalises weights of one
shape together.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the polynomial, the authors'
ITERATIONS = 5
UPDATE_RMS = 0.4  # of an update at a learning rate of one
SMALLEST_NORM = 1e-7


def of_network(network: nn.Module, learning_rate: float, weight_decay: float) -> "Muon":
    """Muon for the matrices of a network; AdamW, without decay, for biases and single rows."""
    matrices = [weight for weight in network.parameters() if weight.ndim > 1 and len(weight) > 1]
    kept = {id(weight) for weight in matrices}
    others = [weight for weight in network.parameters() if id(weight) not in kept]
    return Muon(
        [{"params": matrices, "orthogonal": True}, {"params": others, "weight_decay": 0.0}],
        lr=learning_rate,
        weight_decay=weight_decay,
        fused=True,
    )


class Muon(torch.optim.AdamW):
    """Muon for the groups with `orthogonal`, AdamW for the others, at one learning rate.

    A convolution (outputs, inputs, height, width) is seen as a matrix with a row an output. Updates
    have about the same root mean square whatever the shape, so that a learning rate suits all.
    """

    @torch.no_grad()
    def step(self, closure=None):
        """Update all weights that have a gradient; those of Muon's groups lose it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group.get("orthogonal"):
                self._step_matrices(group)
        super().step()  # takes no notice of weights without a gradient
        return loss

    def _step_matrices(self, group: dict) -> None:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        by_shape = defaultdict(list)
        for weight in weights:
            gradient, state = weight.grad.flatten(1), self.state[weight]
            if not state:
                # AdamW's loading of a checkpoint looks for a step in every state.
                state.update(step=torch.zeros(()), momentum=torch.zeros_like(gradient))
            state["momentum"].lerp_(gradient, 1 - MOMENTUM)
            ahead = gradient.lerp(state["momentum"], MOMENTUM)
            by_shape[ahead.shape].append((weight, ahead))
            weight.grad = None
        for alike in by_shape.values():
            updates = orthogonal(torch.stack([ahead for _, ahead in alike]))
            for (weight, _), update in zip(alike, updates, strict=True):
                size = UPDATE_RMS * max(update.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update.view(weight.shape), alpha=-group["lr"] * size)


def orthogonal(matrices: Tensor) -> Tensor:
    """Bring singular values near one, by Newton and Schulz's iteration.

    Args:
        matrices: (n, rows, columns).

    Returns:
        The same shape; singular vectors are as before, singular values 0.7 to 1.2 but for those
        that were nearly zero.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    values = matrices.mT if tall else matrices
    values = values / (values.flatten(1).norm(dim=1)[:, None, None] + SMALLEST_NORM)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        square = values @ values.mT
        polynomial = torch.baddbmm(square, square, square, beta=b, alpha=c)
        values = torch.baddbmm(values, polynomial, values, beta=a)
    return values.mT if tall else values
