"""The network of Dorfer et al. 2016 that finds a note's place in the image of its staff.

A staff image and a spectrogram excerpt go in, a score for each of 40 buckets of the image's
width comes out (2.2, Table 1).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.constants import (
    BUCKET_PX,
    BUCKETS,
    EXCERPT_FRAMES,
    SCORE_FOLLOWING,
    STAFF_HEIGHT_PX,
    STAFF_WIDTH_PX,
)

# Table 1: output channels of the four convolutions of either side, and units of the dense layers.
SHEET_CHANNELS = (64, 64, 128, 128)
AUDIO_CHANNELS = (64, 64, 96, 96)
DENSE_UNITS = 1024
CONVOLUTION_DROPOUT = 0.15
DENSE_DROPOUT = 0.3


class Dropout(nn.Module):
    """Dropout whose masks cost a fifth of torch's on a processor: 16 random bits a value.

    The probability is thereby a multiple of 1/65536; the scale fits it exactly.
    """

    def __init__(self, probability: float):
        super().__init__()
        self.dropped = round(probability * 2**16)  # of the 2^16 values of 16 bits

    def forward(self, values: Tensor) -> Tensor:
        probability = self.dropped / 2**16
        if not self.training or values.device.type != "cpu":
            return functional.dropout(values, probability, self.training)
        words = torch.empty((values.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: values.numel()].as_strided(values.shape, values.stride())
        kept = (bits >= self.dropped - 2**15).to(values.dtype)
        return values * kept.mul_(1 / (1 - probability))


class Convolution(nn.Sequential):
    """Convolution, batch normalisation, ReLU and, where asked for, 2x2 pooling and dropout.

    The paper pools after the ReLU. Both are monotone, so they commute exactly, and pooling first
    leaves the ReLU a quarter of the values.
    """

    def __init__(self, inputs: int, outputs: int, *, size: int = 3, stride=1, pool: bool = False):
        super().__init__()
        self.convolution = nn.Conv2d(
            inputs, outputs, size, stride=stride, padding=size // 2, bias=False
        )
        self.normalisation = nn.BatchNorm2d(outputs)
        if pool:
            self.pool = nn.MaxPool2d(2)
        self.activation = nn.ReLU(inplace=True)
        if pool:
            self.dropout = Dropout(CONVOLUTION_DROPOUT)


class FirstConvolution(Convolution):
    """Convolution of a one-channel input that normalises its weights instead of its outputs.

    A convolution is linear: the mean and the variance of its outputs over a batch follow from
    those of the few input values under its kernel. With the normalisation folded into weights and
    bias the outputs are the same, and the largest arrays of the network are written only once.
    """

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or values.requires_grad:
            return super().forward(values)
        convolution, normalisation = self.convolution, self.normalisation
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
            count = outputs.numel() // outputs.shape[1]  # a channel
            normalisation.running_mean.lerp_(mean, normalisation.momentum)
            normalisation.running_var.lerp_(variance * count / (count - 1), normalisation.momentum)
            normalisation.num_batches_tracked += 1
        return self.activation(outputs)


@torch.no_grad()
def patch_moments(values: Tensor, convolution: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Mean (k,) and covariance (k, k) of the k values under a kernel, over all its places.

    values: (n, 1, rows, columns).
    """
    down, right = convolution.padding
    patches = functional.pad(values.to(convolution.weight.dtype), (right, right, down, down))[:, 0]
    for axis in (0, 1):
        patches = patches.unfold(1 + axis, convolution.kernel_size[axis], convolution.stride[axis])
    patches = patches.permute(3, 4, 0, 1, 2).flatten(0, 1).flatten(1)
    mean = patches.mean(dim=1, keepdim=True)
    patches = patches - mean
    return mean[:, 0], patches @ patches.T / patches.shape[1]


class Dense(nn.Sequential):
    """Dense layer, batch normalisation, ReLU, dropout."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.dense = nn.Linear(inputs, outputs, bias=False)
        self.normalisation = nn.BatchNorm1d(outputs)
        self.activation = nn.ReLU(inplace=True)
        self.dropout = Dropout(DENSE_DROPOUT)


class Network(nn.Module):
    """Table 1 of Dorfer et al. 2016, with 74,902,056 parameters as published.

    Convolutions and dense layers that batch normalisation follows have no bias, which it would
    take away again. The paper does not say how weights start: here as He et al. 2015 advise for
    ReLU, and the last layer as torch has it. Narrower widths make a small network for tests.
    """

    def __init__(
        self,
        sheet_channels: tuple[int, int, int, int] = SHEET_CHANNELS,
        audio_channels: tuple[int, int, int, int] = AUDIO_CHANNELS,
        dense_units: int = DENSE_UNITS,
    ):
        super().__init__()
        a, b, c, d = sheet_channels
        # 40 x 390 -> 40 x 195 -> 20 x 97 -> 10 x 48, rows x columns
        sheet_values = d * (STAFF_HEIGHT_PX // 4) * (STAFF_WIDTH_PX // 8)
        self.sheet = nn.Sequential(
            FirstConvolution(1, a, size=5, stride=(1, 2)),
            Convolution(a, b, pool=True),
            Convolution(b, c),
            Convolution(c, d, pool=True),
            nn.Flatten(),
            Dense(sheet_values, dense_units),
        )
        a, b, c, d = audio_channels
        # 136 x 40 -> 68 x 20 -> 34 x 10 -> 17 x 5, bins x frames
        audio_values = d * (SCORE_FOLLOWING.bins // 8) * (EXCERPT_FRAMES // 8)
        self.audio = nn.Sequential(
            FirstConvolution(1, a),
            Convolution(a, b, pool=True),
            Convolution(b, c, pool=True),
            Convolution(c, d, pool=True),
            nn.Flatten(),
            Dense(audio_values, dense_units),
        )
        self.joint = nn.Sequential(
            Dense(2 * dense_units, dense_units),
            Dense(dense_units, dense_units),
            nn.Linear(dense_units, BUCKETS),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d) or (
                isinstance(module, nn.Linear) and module.bias is None
            ):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Tensor, excerpts: Tensor, image_index: Tensor) -> Tensor:
        """Score every bucket for every note; softmax makes probabilities of them (eq. 1).

        images: (staves, 1, 40, 390) in [0, 1], ink 1 and paper 0; excerpts: (notes, 1, 136, 40),
        bins x frames; image_index: (notes,) row of `images` for each note, so that the notes of
        one staff share the pass of its image. Returns (notes, 40).
        """
        return self.listen(self.sheet(images), excerpts, image_index)

    def listen(self, sheet: Tensor, excerpts: Tensor, image_index: Tensor) -> Tensor:
        """The part of `forward` that follows on the pass of the images, `sheet` (staves, 1024)."""
        sheet = sheet.index_select(0, image_index)
        return self.joint(torch.cat([sheet, self.audio(excerpts)], dim=1))


def bucket(x: Tensor) -> Tensor:
    """The bucket, 0 to 39, whose centre is nearest to x (px)."""
    return (x / BUCKET_PX).floor().long().clamp(0, BUCKETS - 1)


def centres(like: Tensor) -> Tensor:
    """The centres c_b of the buckets (40,) in px, of the type and on the device of `like`."""
    return (torch.arange(BUCKETS, device=like.device, dtype=like.dtype) + 0.5) * BUCKET_PX


def soft_targets(x: Tensor) -> Tensor:
    """Share a note's probability between the two buckets nearest to it, linearly (2.2.2).

    x: (notes,) px. Returns (notes, 40), rows sum to one; left of the first centre and right of
    the last one the end bucket takes all.
    """
    position = (x / BUCKET_PX - 0.5).clamp(0, BUCKETS - 1)
    low = position.floor().clamp(max=BUCKETS - 2)
    share = (position - low)[:, None]
    targets = torch.zeros(len(x), BUCKETS, dtype=position.dtype, device=x.device)
    low = low.long()[:, None]
    return targets.scatter_(1, low, 1 - share).scatter_(1, low + 1, share)


def predict_max(probabilities: Tensor) -> Tensor:
    """Centre of the most probable bucket (2.3): (notes, 40) -> (notes,) px."""
    return centres(probabilities)[probabilities.argmax(dim=1)]


def predict_interpolated(probabilities: Tensor) -> Tensor:
    """Centres of the best bucket and its neighbours, weighted by probability (eq. 3).

    (notes, 40) -> (notes,) px. An end bucket has one neighbour; the missing one is left out.
    """
    best = probabilities.argmax(dim=1, keepdim=True)
    three = best + torch.arange(3, device=best.device)  # indices into the padded rows
    weights = functional.pad(probabilities, (1, 1)).gather(1, three)
    places = functional.pad(centres(probabilities), (1, 1))[three]
    return (weights * places).sum(dim=1) / weights.sum(dim=1)
