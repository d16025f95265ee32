"""Layers that compute what torch's do, faster on a processor.

They stand apart so that the networks read as the papers' tables. What each saves of a training
step is measured by `benchmarks/train_score_following.py` and `benchmarks/train_retrieval.py`.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LANES = 32  # numbers of 16 bits in a register of 512
RANDOM_BITS = 16  # of a dropout mask, a value


class Dropout(nn.Module):
    """Dropout whose masks cost a fifth of torch's: 16 random bits a value.

    The probability is thereby a multiple of 1/65536; the scale fits it exactly.
    """

    def __init__(self, probability: float):
        super().__init__()
        self.dropped = round(probability * 2**RANDOM_BITS)  # of all values of 16 bits

    def forward(self, values: Tensor) -> Tensor:
        probability = self.dropped / 2**RANDOM_BITS
        if not self.training or values.device.type != "cpu":
            return functional.dropout(values, probability, self.training)
        words = torch.empty((values.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: values.numel()].as_strided(values.shape, values.stride())
        kept = (bits >= self.dropped - 2 ** (RANDOM_BITS - 1)).to(values.dtype)
        return values * kept.mul_(1 / (1 - probability))


# --- normalised convolution of the input -------------------------------------------------------
def normalised_convolution(
    values: Tensor, convolution: nn.Conv2d, normalisation: nn.BatchNorm2d
) -> Tensor:
    """Convolution and batch normalisation of a one-channel input, by normalised kernels.

    A convolution is linear, so mean and variance of its outputs over a batch follow from those of
    the few input values under its kernel. With the normalisation folded into kernels and bias, the
    largest arrays of the network are written once instead of twice. It applies in training, to
    inputs without a gradient; otherwise the two layers run one after the other.

    Args:
        values: (n, 1, rows, columns).
        convolution: without a bias.
        normalisation: of its output channels; its running statistics are updated.

    Returns:
        (n, channels, rows, columns), not activated.
    """
    if not normalisation.training or values.requires_grad:
        return normalisation(convolution(values))
    with torch.autocast(values.device.type, enabled=False):
        mean, covariance = patch_moments(values, convolution)
        kernels = convolution.weight.flatten(1)
        mean = kernels @ mean
        variance = ((kernels @ covariance) * kernels).sum(dim=1)
        scale = normalisation.weight * torch.rsqrt(variance + normalisation.eps)
        weight = convolution.weight * scale[:, None, None, None]
        bias = normalisation.bias - mean * scale
    outputs = functional.conv2d(values, weight, bias, convolution.stride, convolution.padding)
    with torch.no_grad():
        count = outputs.numel() // outputs.shape[1]  # values in a channel
        normalisation.running_mean.lerp_(mean, normalisation.momentum)
        normalisation.running_var.lerp_(variance * count / (count - 1), normalisation.momentum)
        normalisation.num_batches_tracked += 1
    return outputs


@torch.no_grad()
def patch_moments(values: Tensor, convolution: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Mean (k,) and covariance (k, k) of the k values under a kernel, over all its positions.

    Args:
        values: (n, 1, rows, columns).
        convolution: of one input channel; its kernel size, stride and padding count.
    """
    down, right = convolution.padding
    patches = functional.pad(values.to(convolution.weight.dtype), (right, right, down, down))[:, 0]
    for axis in (0, 1):
        patches = patches.unfold(1 + axis, convolution.kernel_size[axis], convolution.stride[axis])
    patches = patches.permute(3, 4, 0, 1, 2).flatten(0, 1).flatten(1)
    mean = patches.mean(dim=1, keepdim=True)
    patches = patches - mean
    return mean[:, 0], patches @ patches.T / patches.shape[1]


# --- batch normalisation of few channels -------------------------------------------------------
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
