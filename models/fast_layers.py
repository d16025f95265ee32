"""Layers that compute what torch's do, faster on a processor.

They stand apart so that the networks read as the papers' tables. What `BatchNorm` and `Conv2d` save
of a training step is in docs/benchmarks.md.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LANES = 32  # numbers of 16 bits in a register of 512
NOISE_LEVELS = 2**16  # of a random number of 16 bits
FEW_ROWS = 64  # with fewer, a dense layer spends its time on reading its weights
FEW_INPUTS = 16  # channels; with fewer, a convolution's products are too small to gain
MOST_IMAGES, MOST_PIXELS = 10, 16_000  # of which the gradient is taken at once, to stay in cache


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`, the same up to rounding, in a third of the time if channels are few.

    torch's kernels for channels-last maps work along the channels, and with the 24 of the first
    layers they neither fill a register nor gain by a second thread. Neighbouring pixels of such a
    map lie one after the other in memory, so a few of them can be seen as one pixel with a few
    times as many channels; their sums are joined afterwards. Fewer than 32 channels on a
    processor, in training, take this way; all else takes torch's.
    """

    def forward(self, values: Tensor) -> Tensor:
        rows, channels, height, width = values.shape
        group = LANES // math.gcd(LANES, channels)
        if not (
            self.training
            and values.device.type == "cpu"
            and values.is_contiguous(memory_format=torch.channels_last)
            and channels < LANES
            and rows * height * width % group == 0
        ):
            return super().forward(values)
        outputs, mean, variance = _Normalise.apply(values, self.weight, self.bias, self.eps, group)
        with torch.no_grad():
            count = rows * height * width
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
            self.num_batches_tracked += 1
        return outputs


class Conv2d(nn.Conv2d):
    """`nn.Conv2d`; with AVX2 the gradient of 3x3 weights takes about half the time.

    oneDNN's kernel for that gradient is slow with AVX2 where the layout is channels-last. Here it
    is three products of matrices, one for each row of the kernel. In float32, without a stride and
    with 16 channels or more, in training, a processor with AVX2 takes this way; all else takes
    torch's.
    """

    def forward(self, values: Tensor) -> Tensor:
        if not (
            self.training
            and torch.is_grad_enabled()
            and values.device.type == "cpu"
            and values.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and values.is_contiguous(memory_format=torch.channels_last)
            and self.kernel_size == (3, 3)
            and self.stride == self.dilation == (1, 1)
            and self.groups == 1
            and self.bias is None
            and self.in_channels >= FEW_INPUTS
            and torch.backends.cpu.get_cpu_capability() == "AVX2"
        ):
            return super().forward(values)
        return _Convolve.apply(values, self.weight, self.padding)


class Dropout(nn.Dropout):
    """`nn.Dropout` in a third of the time: four values share a random number of 64 bits.

    torch draws one for every value, on one thread. The probability is rounded to 1/65536. Training
    on a processor takes this way; all else takes torch's.
    """

    def forward(self, values: Tensor) -> Tensor:
        dropped = round(self.p * NOISE_LEVELS)
        if not self.training or values.device.type != "cpu" or not 0 < dropped < NOISE_LEVELS:
            return super().forward(values)
        noise = torch.empty(math.ceil(values.numel() / 4), dtype=torch.int64)
        noise = noise.random_(-(2**63), None).view(torch.int16)[: values.numel()]
        mask = torch.empty_like(values)  # 0 or 1 / (1 - p), in the layout of `values`
        dense = mask.as_strided((values.numel(),), (1,))
        torch.ge(noise, dropped - NOISE_LEVELS // 2, out=dense)
        return values * mask.mul_(NOISE_LEVELS / (NOISE_LEVELS - dropped))


class Linear(nn.Linear):
    """`nn.Linear` without a bias, for many weights and few rows at a lower precision.

    The gradient of the weights is computed in float32 at once. torch computes it in bfloat16 and
    converts it, which for 63 million weights takes as long as the rest of the layer.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        if not (
            values.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.is_grad_enabled()
            and len(values) < FEW_ROWS
        ):
            return super().forward(values)
        precision = torch.get_autocast_dtype("cpu")
        with torch.autocast("cpu", enabled=False):
            return _Product.apply(values.to(precision), self.weight)


class _Product(torch.autograd.Function):
    """values @ weight.T in the precision of the values; the gradient of the weight in its own."""

    @staticmethod
    def forward(ctx, values, weight):
        lower = weight.to(values.dtype)
        ctx.save_for_backward(values, lower)
        ctx.precision = weight.dtype
        return functional.linear(values, lower)

    @staticmethod
    def backward(ctx, upstream):
        values, lower = ctx.saved_tensors
        return upstream @ lower, upstream.to(ctx.precision).t() @ values.to(ctx.precision)


class _Convolve(torch.autograd.Function):
    """torch's convolution, 3x3 and without a stride; the gradient of the weights is ours."""

    @staticmethod
    def forward(ctx, values, weight, padding):
        ctx.save_for_backward(values, weight)
        ctx.padding = padding
        return functional.conv2d(values, weight, padding=padding)

    @staticmethod
    def backward(ctx, upstream):
        values, weight = ctx.saved_tensors
        gradient = None
        if ctx.needs_input_grad[0]:
            gradient = torch.nn.grad.conv2d_input(
                values.shape, weight, upstream, padding=ctx.padding
            )
        return gradient, _gradient_of_weights(values, upstream, ctx.padding), None


def _gradient_of_weights(values: Tensor, upstream: Tensor, padding: tuple[int, int]) -> Tensor:
    """Gradient (outputs, inputs, 3, 3) of the weights of a 3x3 convolution.

    Args:
        values: (n, inputs, rows, columns), what the convolution took.
        upstream: (n, outputs, rows, columns), the gradient of what it gave.
        padding: of rows and of columns.
    """
    rows, columns = upstream.shape[2:]
    inputs, outputs = values.shape[1], upstream.shape[1]
    count = max(torch.get_num_threads(), min(MOST_IMAGES, MOST_PIXELS // (rows * columns)))
    total = values.new_zeros(3, 3 * inputs, outputs)
    vertical, horizontal = padding
    for some, back in zip(values.split(count), upstream.split(count), strict=True):
        some = functional.pad(
            some.permute(0, 2, 3, 1), (0, 0, horizontal, horizontal, vertical, vertical)
        )
        # Three neighbouring columns side by side, as the kernel meets them: 3 * inputs values
        three = torch.cat([some[:, :, left : left + columns] for left in range(3)], dim=3)
        back = back.permute(0, 2, 3, 1).flatten(1, 2)
        for top in range(3):
            seen = three[:, top : top + rows].flatten(1, 2)
            total[top] += (seen.transpose(1, 2) @ back).sum(dim=0)
    return total.view(3, 3, inputs, outputs).permute(3, 2, 0, 1)


class _Normalise(torch.autograd.Function):
    """(values - mean) / sqrt(variance + eps) * weight + bias, by channel; also mean and variance.

    The kernels are those of torch's batch normalisation, called for the wide view of the maps.
    """

    @staticmethod
    def forward(ctx, values, weight, bias, eps, group):
        wide = _wide(values, group)
        running = [weight.new_zeros(group * len(weight)) for _ in range(2)]  # sets the precision
        mean, variance = torch.batch_norm_update_stats(wide, *running, 0.0)
        means = mean.view(group, -1)
        mean = means.mean(dim=0)
        variance = (variance.view(group, -1) + (means - mean) ** 2).mean(dim=0)
        scale = weight * torch.rsqrt(variance + eps)
        outputs = torch.empty_like(values)
        _scale(wide, scale, bias - mean * scale, _wide(outputs, group))
        ctx.save_for_backward(values, weight, mean, variance)
        ctx.eps, ctx.group = eps, group
        ctx.mark_non_differentiable(mean, variance)
        return outputs, mean, variance

    @staticmethod
    def backward(ctx, upstream, _mean, _variance):
        values, weight, mean, variance = ctx.saved_tensors
        group, count = ctx.group, values.numel() // len(weight)
        wide = _wide(values, group)
        upstream = _wide(upstream, group)
        repeated = [part.repeat(group) for part in (weight, mean, variance)]
        sums = torch.ops.aten.native_batch_norm_backward(
            upstream, wide, *repeated, None, None, False, ctx.eps, [False, True, True]
        )
        grad_weight, grad_bias = (part.view(group, -1).sum(dim=0) for part in sums[1:])
        # With x the normalised values: weight / deviation (upstream - mean - x mean(upstream x))
        inverse = torch.rsqrt(variance + ctx.eps)
        scale = weight * inverse
        slope = -scale * inverse * grad_weight / count
        gradient, correction = torch.empty_like(values), torch.empty_like(values)
        _scale(upstream, scale, torch.zeros_like(scale), _wide(gradient, group))
        shift = -scale * grad_bias / count - mean * slope
        _scale(wide, slope, shift, _wide(correction, group))
        return gradient.add_(correction), grad_weight, grad_bias, None, None


def _wide(values: Tensor, group: int) -> Tensor:
    """(n, c, rows, columns) -> (1, group c, n rows columns / group, 1), a view of channels last."""
    flat = values.permute(0, 2, 3, 1).reshape(1, -1, 1, group * values.shape[1])
    return flat.permute(0, 3, 1, 2)


def _scale(wide: Tensor, scale: Tensor, shift: Tensor, out: Tensor) -> None:
    """Write wide * scale + shift, for each channel, rounded once, to `out`."""
    group = wide.shape[1] // len(scale)
    scale, shift = scale.repeat(group), shift.repeat(group)
    zeros, ones, nothing = torch.zeros_like(scale), torch.ones_like(scale), scale.new_empty(0)
    torch.native_batch_norm(
        wide, scale, shift, zeros, ones, False, 0.0, 0.0, out=(out, nothing, nothing.clone())
    )
