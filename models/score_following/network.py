"""The network of Dorfer et al. 2016 that locates a sounding note in the image of its staff.

It takes a staff image and a spectrogram excerpt and gives a score for each of 40 buckets of the
image's width (2.2, Table 1).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.fast_layers import Conv2d, Dropout, Linear
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


class Convolution(nn.Sequential):
    """Convolution, batch normalisation, ReLU and, if `pool`, 2x2 pooling and dropout.

    The pooling comes first, which gives the same numbers and spares the ReLU three of four.
    """

    def __init__(self, inputs: int, outputs: int, *, size: int = 3, stride=1, pool: bool = False):
        super().__init__()
        self.convolution = Conv2d(
            inputs, outputs, size, stride=stride, padding=size // 2, bias=False
        )
        self.normalisation = nn.BatchNorm2d(outputs)
        if pool:
            self.pool = nn.MaxPool2d(2)
        self.activation = nn.ReLU(inplace=True)
        if pool:
            self.dropout = Dropout(CONVOLUTION_DROPOUT)


class Dense(nn.Sequential):
    """Dense layer, batch normalisation, ReLU, dropout."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.dense = Linear(inputs, outputs)
        self.normalisation = nn.BatchNorm1d(outputs)
        self.activation = nn.ReLU(inplace=True)
        self.dropout = Dropout(DENSE_DROPOUT)


class Network(nn.Module):
    """Table 1 of Dorfer et al. 2016, with 74,902,056 parameters as published.

    Convolutions and dense layers before a batch normalisation have no bias, which it would cancel.
    The paper does not give the first weights: here they are drawn as He et al. 2015 do for ReLU,
    and those of the last layer by torch's default.
    """

    def __init__(
        self,
        sheet_channels: tuple[int, int, int, int] = SHEET_CHANNELS,
        audio_channels: tuple[int, int, int, int] = AUDIO_CHANNELS,
        dense_units: int = DENSE_UNITS,
    ):
        """Set up the layers.

        Args:
            sheet_channels: output channels of the convolutions of the image.
            audio_channels: output channels of the convolutions of the excerpt.
            dense_units: of the dense layers. Narrower widths make a small network for tests.
        """
        super().__init__()
        self.widths = {
            "sheet_channels": sheet_channels,
            "audio_channels": audio_channels,
            "dense_units": dense_units,
        }
        a, b, c, d = sheet_channels
        # 40 x 390 -> 40 x 195 -> 20 x 97 -> 10 x 48, rows x columns
        sheet_values = d * (STAFF_HEIGHT_PX // 4) * (STAFF_WIDTH_PX // 8)
        self.sheet = nn.Sequential(
            Convolution(1, a, size=5, stride=(1, 2)),
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
            Convolution(1, a),
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
        """Score every bucket for every note; softmax turns scores into probabilities (eq. 1).

        Args:
            images: (staves, 1, 40, 390) in [0, 1], ink 1 and paper 0.
            excerpts: (notes, 1, 136, 40), bins x frames.
            image_index: (notes,) row of `images` for each note, so that the notes of one staff
                share the pass of its image.

        Returns:
            (notes, 40) scores before the softmax.
        """
        return self.listen(self.sheet(images), excerpts, image_index)

    def listen(self, sheet: Tensor, excerpts: Tensor, image_index: Tensor) -> Tensor:
        """The part of `forward` after the pass of the images, which gave `sheet` (staves, 1024)."""
        return self.combine(sheet, self.audio(excerpts), image_index)

    def combine(self, sheet: Tensor, heard: Tensor, image_index: Tensor) -> Tensor:
        """The part of `forward` after the pass of the excerpts: `heard` is (notes, 1024)."""
        return self.joint(torch.cat([sheet.index_select(0, image_index), heard], dim=1))

    def compare_staves(self, sheet: Tensor, heard: Tensor) -> Tensor:
        """Probabilities of the buckets of all staves for every note: (notes, staves, 40).

        They sum to one for each note. The network scores one staff at a time and cannot compare
        staves, so each staff gets the same total.
        """
        each = torch.arange(len(sheet), device=heard.device).repeat(len(heard))
        scores = self.combine(sheet, heard.repeat_interleave(len(sheet), dim=0), each).float()
        return scores.softmax(dim=1).unflatten(0, (len(heard), len(sheet))) / len(sheet)


# --- buckets -------------------------------------------------------------------------------
def bucket(x: Tensor) -> Tensor:
    """The bucket, 0 to 39, whose centre is nearest to x (px)."""
    return (x / BUCKET_PX).floor().long().clamp(0, BUCKETS - 1)


def centres(like: Tensor) -> Tensor:
    """The centres c_b of the buckets (40,) in px, of the type and on the device of `like`."""
    return (torch.arange(BUCKETS, device=like.device, dtype=like.dtype) + 0.5) * BUCKET_PX


def soft_targets(x: Tensor) -> Tensor:
    """Divide a note's probability linearly between the two buckets nearest to it (2.2.2).

    Args:
        x: (notes,) px.

    Returns:
        (notes, 40), rows sum to one; left of the first centre and right of the last one the end
        bucket takes all.
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

    Args:
        probabilities: (notes, 40).

    Returns:
        (notes,) px. An end bucket has one neighbour; the missing one is left out.
    """
    best = probabilities.argmax(dim=1, keepdim=True)
    three = best + torch.arange(3, device=best.device)  # indices into the padded rows
    weights = functional.pad(probabilities, (1, 1)).gather(1, three)
    positions = functional.pad(centres(probabilities), (1, 1))[three]
    return (weights * positions).sum(dim=1) / weights.sum(dim=1)
