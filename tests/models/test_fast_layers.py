"""Fast layers against torch's own."""

import pytest
import torch
from torch import nn

from models.fast_layers import BatchNorm, Conv2d, Dropout, Linear, _Convolve, _Normalise

SETTINGS = {"eps": 1e-4, "momentum": 0.1}
CHANNELS_LAST = torch.channels_last


def pair(channels, dtype=torch.float64):
    """Ours and torch's with the same random weights; float32 for values of lower precision."""
    torch.manual_seed(0)
    ours, theirs = (module(channels, **SETTINGS) for module in (BatchNorm, nn.BatchNorm2d))
    nn.init.normal_(ours.weight)
    nn.init.normal_(ours.bias)
    theirs.load_state_dict(ours.state_dict())
    if dtype == torch.float64:
        ours, theirs = ours.double(), theirs.double()
    return ours, theirs


def maps(channels, rows=6, dtype=torch.float64, layout=CHANNELS_LAST):
    """(5, channels, rows, 4), of another mean and scale in each channel and place."""
    torch.manual_seed(1)
    values = (
        torch.randn(5, channels, rows, 4, dtype=torch.float64) * torch.arange(1, rows + 1)[:, None]
    )
    values = (values + torch.arange(4) + torch.randn(channels)[:, None, None]).to(dtype)
    return values.to(memory_format=layout).requires_grad_()


def run(module, values, layout=CHANNELS_LAST):
    """Outputs, gradients of values, weight and bias, and the running statistics."""
    outputs = module(values)
    torch.manual_seed(2)
    upstream = torch.randn_like(outputs).to(memory_format=layout)
    gradients = torch.autograd.grad(outputs, [values, module.weight, module.bias], upstream)
    return [outputs, *gradients, *module.buffers()]


def is_ours(values):
    """Whether the maps came from the fast way."""
    return values.grad_fn.name() == f"{_Normalise.__name__}Backward"


@pytest.mark.parametrize("channels", [1, 4, 24])
@pytest.mark.parametrize("layout", [CHANNELS_LAST, torch.contiguous_format])  # of the gradient
def test_equals_torch(channels, layout):
    ours, theirs = pair(channels)
    values = maps(channels, rows=8)
    assert is_ours(ours(values))
    ours, theirs = pair(channels)
    for mine, other in zip(run(ours, values, layout), run(theirs, values, layout), strict=True):
        torch.testing.assert_close(mine, other)


def test_equals_torch_up_to_rounding_in_bfloat16():
    ours, theirs = pair(24, torch.bfloat16)
    exact, _ = pair(24)
    values = maps(24, rows=8, dtype=torch.bfloat16)
    expected = run(exact, values.detach().double().requires_grad_())
    for mine, other, truth in zip(run(ours, values), run(theirs, values), expected, strict=True):
        assert mine.dtype == other.dtype
        error, usual = ((part.double() - truth).abs().max() for part in (mine, other))
        assert error <= 2 * usual + 1e-6


@pytest.mark.parametrize(
    ("channels", "rows", "layout"),
    [(24, 8, torch.contiguous_format), (33, 8, CHANNELS_LAST), (1, 7, CHANNELS_LAST)],
)
def test_leaves_other_maps_to_torch(channels, rows, layout):
    ours, theirs = pair(channels)
    values = maps(channels, rows, layout=layout)
    assert not is_ours(ours(values))
    ours, _ = pair(channels)
    for mine, other in zip(run(ours, values), run(theirs, values), strict=True):
        torch.testing.assert_close(mine, other)


def test_evaluation_uses_the_running_statistics():
    ours, theirs = pair(24)
    values = maps(24, rows=8)
    for module in (ours, theirs):
        module(values)
        module.eval()
    torch.testing.assert_close(ours(2 * values), theirs(2 * values))


def test_outputs_may_be_changed_in_place():
    ours, theirs = pair(24)
    values = maps(24, rows=8)
    gradients = [
        torch.autograd.grad(nn.ELU(inplace=True)(module(values)).sum(), values)
        for module in (ours, theirs)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("layout", [CHANNELS_LAST, torch.contiguous_format])
@pytest.mark.parametrize("share", [0.15, 0.3])
def test_dropout_drops_its_share_and_keeps_the_mean(share, layout):
    torch.manual_seed(0)
    values = torch.ones(50, 64, 16, 20, requires_grad=True)
    outputs = Dropout(share).train()(values.to(memory_format=layout))
    assert outputs.is_contiguous(memory_format=layout)
    kept = outputs != 0
    count = kept.numel()
    deviation = (share * (1 - share) / count) ** 0.5
    assert (~kept).float().mean() == pytest.approx(share, abs=4 * deviation)
    assert outputs[kept].unique().tolist() == pytest.approx([1 / (1 - share)], abs=1e-4)
    (gradient,) = torch.autograd.grad(outputs.sum(), values)
    torch.testing.assert_close(gradient, outputs.detach())  # of ones: the mask itself
    neighbours = (kept[..., 1:] & kept[..., :-1]).float().mean()  # of one random number
    assert neighbours == pytest.approx((1 - share) ** 2, abs=0.005)


def test_dropout_follows_from_the_seed_and_rests_in_evaluation():
    module, values = Dropout(0.3).train(), torch.randn(7, 3)
    torch.manual_seed(3)
    first = module(values)
    torch.manual_seed(3)
    assert torch.equal(module(values), first) and not torch.equal(module(values), first)
    assert torch.equal(module.eval()(values), values)


@pytest.mark.parametrize("rows", [3, 80])  # few, whose gradient is computed in float32, and many
def test_a_dense_layer_equals_torch_s_with_a_gradient_at_least_as_exact(rows):
    torch.manual_seed(0)
    ours = Linear(300, 40)
    theirs = nn.Linear(300, 40, bias=False)
    theirs.load_state_dict(ours.state_dict())
    values, upstream = torch.randn(rows, 300), torch.randn(rows, 40)

    def run(module, precision):
        inputs = values.clone().requires_grad_()
        with torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None):
            outputs = module(inputs)
        outputs.backward(upstream.to(outputs.dtype))
        gradient, module.weight.grad = module.weight.grad, None
        return outputs, inputs.grad, gradient

    truth = run(theirs, None)
    for exact, mine in zip(truth, run(ours, None), strict=True):
        torch.testing.assert_close(mine, exact)
    for exact, mine, other in zip(
        truth, run(ours, torch.bfloat16), run(theirs, torch.bfloat16), strict=True
    ):
        assert mine.dtype == other.dtype
        assert (mine - exact).abs().max() <= 1.01 * (other - exact).abs().max()


def test_pooling_before_a_rectifier_gives_the_same_numbers_and_gradients():
    values = maps(24, rows=8)
    orders = [[nn.ReLU(), nn.MaxPool2d(2)], [nn.MaxPool2d(2), nn.ReLU()]]
    outputs = [nn.Sequential(*layers)(values) for layers in orders]
    assert torch.equal(*outputs)
    assert torch.equal(*(torch.autograd.grad((o * o).sum(), values)[0] for o in outputs))


@pytest.mark.parametrize("padding", [1, (1, 0), 0])
@pytest.mark.parametrize("images", [1, 23])  # more than are taken at once
def test_gradients_of_a_convolution_equal_torchs(padding, images, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    torch.manual_seed(0)
    ours = Conv2d(16, 24, 3, padding=padding, bias=False)
    theirs = nn.Conv2d(16, 24, 3, padding=padding, bias=False)
    theirs.load_state_dict(ours.state_dict())
    values = torch.randn(images, 16, 9, 7).to(memory_format=CHANNELS_LAST).requires_grad_()
    results = []
    for module in (ours, theirs):
        outputs = module(values)
        torch.manual_seed(1)
        upstream = torch.randn_like(outputs)
        results.append([outputs, *torch.autograd.grad(outputs, [values, module.weight], upstream)])
    assert ours(values).grad_fn.name() == f"{_Convolve.__name__}Backward"
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("capability", "inputs", "stride", "layout"),
    [
        ("AVX512", 16, 1, CHANNELS_LAST),
        ("AVX2", 1, 1, CHANNELS_LAST),
        ("AVX2", 16, 2, CHANNELS_LAST),
        ("AVX2", 16, 1, torch.contiguous_format),
    ],
)
def test_other_convolutions_are_torchs(capability, inputs, stride, layout, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    module = Conv2d(inputs, 8, 3, stride=stride, padding=1, bias=False)
    outputs = module(torch.randn(2, inputs, 9, 7).to(memory_format=layout))
    assert outputs.grad_fn.name() == "ConvolutionBackward0"
