"""Orthogonal momentum, against torch's own and against the singular value decomposition."""

import copy

import torch
from torch import nn

from models.muon import UPDATE_RMS, Muon, of_network, orthogonal

RATE, DECAY = 0.01, 0.1
TORCH_RMS = 0.2  # of an update of torch's Muon at a learning rate of one


def gradients(weights, steps=3):
    """Some gradients for each weight, the same in every call."""
    random = torch.Generator().manual_seed(0)
    for _ in range(steps):
        for weight in weights:
            weight.grad = torch.randn(weight.shape, generator=random)
        yield


def test_matrices_move_as_by_torchs_muon():
    shapes = [(6, 9), (9, 6), (6, 9), (4, 4)]  # wide, tall, one shape twice
    ours = [nn.Parameter(torch.ones(shape)) for shape in shapes]
    torchs = [copy.deepcopy(weight) for weight in ours]
    muon = Muon([{"params": ours, "orthogonal": True}], lr=RATE, weight_decay=DECAY)
    ratio = UPDATE_RMS / TORCH_RMS
    reference = torch.optim.Muon(
        torchs, lr=RATE * ratio, weight_decay=DECAY / ratio, adjust_lr_fn="match_rms_adamw"
    )
    for _ in gradients(ours):
        muon.step()
    for _ in gradients(torchs):
        reference.step()
    for one, other in zip(ours, torchs, strict=True):
        # torch iterates in bfloat16, whose numbers have some 0.4 % between them.
        torch.testing.assert_close(one, other, atol=1e-3, rtol=0)
        assert (one - 1).abs().max() > 10 * 1e-3


def test_a_convolution_is_a_matrix_with_a_row_an_output():
    convolution = nn.Parameter(torch.ones(4, 2, 3, 3).to(memory_format=torch.channels_last))
    matrix = nn.Parameter(torch.ones(4, 18))
    for weight in (convolution, matrix):
        muon = Muon([{"params": [weight], "orthogonal": True}], lr=RATE)
        for _ in gradients([weight]):
            muon.step()
    torch.testing.assert_close(convolution.flatten(1), matrix)


def test_vectors_move_as_by_adamw():
    vector, other = nn.Parameter(torch.ones(5)), nn.Parameter(torch.ones(5))
    matrix = nn.Parameter(torch.ones(3, 3))
    muon = Muon(
        [{"params": [matrix], "orthogonal": True}, {"params": [vector], "weight_decay": 0.0}],
        lr=RATE,
    )
    adamw = torch.optim.AdamW([other], lr=RATE, weight_decay=0.0)
    for _ in gradients([vector]):
        matrix.grad = torch.ones(3, 3)
        muon.step()
    for _ in gradients([other]):
        adamw.step()
    torch.testing.assert_close(vector, other)


def test_rows_and_vectors_of_a_network_are_left_to_adamw():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 1))
    matrices, others = of_network(network, RATE, DECAY).param_groups
    assert [tuple(weight.shape) for weight in matrices["params"]] == [(4, 1, 3, 3)]
    assert len(others["params"]) == 5 and (1, 4) in {weight.shape for weight in others["params"]}
    assert (matrices["weight_decay"], others["weight_decay"]) == (DECAY, 0.0)


def test_a_closure_is_called_before_any_weight_moves():
    matrix = nn.Parameter(torch.ones(3, 3))
    muon = Muon([{"params": [matrix], "orthogonal": True}], lr=RATE)

    def closure():
        matrix.grad = torch.eye(3)
        return matrix.sum()

    assert muon.step(closure).item() == 9
    assert matrix.diagonal().max() < 1


def test_an_update_turns_as_the_singular_vectors_do():
    matrix = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    turned = orthogonal(matrix[None])[0]
    inside = left.T @ turned @ right.T  # of a perfect one, the unit matrix
    assert values.max() / values.min() > 3
    assert (inside.diagonal() > 0.6).all() and (inside.diagonal() < 1.3).all()
    assert (inside - inside.diagonal().diag()).abs().max() < 0.05


def test_a_checkpoint_continues_the_momentum():
    def run(weights, interrupted):
        muon = Muon(
            [{"params": weights[:1], "orthogonal": True}, {"params": weights[1:]}],
            lr=RATE,
            fused=True,
        )
        for step, _ in enumerate(gradients(weights)):
            if interrupted and step == 1:
                kept = copy.deepcopy(muon.state_dict())
                muon = Muon(
                    [{"params": weights[:1], "orthogonal": True}, {"params": weights[1:]}],
                    lr=RATE,
                    fused=True,
                )
                muon.load_state_dict(kept)
            muon.step()
        return weights

    def first():
        return [nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(3))]

    for one, other in zip(run(first(), False), run(first(), True), strict=True):
        assert torch.equal(one, other)
