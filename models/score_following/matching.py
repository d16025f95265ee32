"""Our own network for the task of Dorfer et al. 2016: match an excerpt with each column of a staff.

Inputs, outputs, soft targets and predictions are the paper's (2.1 to 2.3); what lies between is
ours. The paper's network turns the whole image into one vector, by a dense layer of 63 million
weights that has to learn every position anew. Here the image stays a row of columns that share
their weights, and an excerpt becomes a vector that is compared with every one of them.
"""

import math

import torch
from torch import Tensor, nn

from models.fast_layers import BatchNorm
from models.score_following.network import soft_targets
from pipeline.constants import (
    EXCERPT_FRAMES,
    SCORE_FOLLOWING,
    STAFF_HEIGHT_PX,
    STAFF_WIDTH_PX,
)

CHANNELS = (24, 32, 48, 64, 96)  # of the five convolutions of either trunk
WIDTH = 128  # values of a column and of an excerpt
DILATIONS = (1, 2, 4)  # columns between the taps of the context's convolutions
COLUMN_PX = 4
COLUMNS = STAFF_WIDTH_PX // COLUMN_PX  # 97
FIRST_COLUMN_PX = 1.5  # centre of column 0, whose receptive field is symmetric about pixel 1
SHEET_ROWS = STAFF_HEIGHT_PX // 8  # of a column once the trunk has pooled
AUDIO_ROWS = SCORE_FOLLOWING.bins // 8
AUDIO_STEPS = EXCERPT_FRAMES // 2  # of two frames
SMALLEST = 1e-9  # probability whose logarithm is finite


class Block(nn.Sequential):
    """Convolution, batch normalisation, ReLU, and max-pooling if `pool` gives its size."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        size: int | tuple[int, int] = 3,
        stride: tuple[int, int] = (1, 1),
        padding: int = 1,
        pool: tuple[int, int] | None = None,
    ):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        self.normalisation = BatchNorm(outputs)
        self.activation = nn.ReLU(inplace=True)
        if pool:
            self.pool = nn.MaxPool2d(pool)


class Context(nn.Module):
    """Add to every column what a dilated convolution finds in its neighbours."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
        )

    def forward(self, columns: Tensor) -> Tensor:
        """(staves, width, columns), same shape out."""
        return columns + self.layers(columns)


class Sheet(nn.Module):
    """Turn staff images (staves, 1, 40, 390) into columns (staves, width, 97), one every 4 px.

    Heights are kept apart, five bands of eight pixels with channels for what is finer, since the
    height of a notehead is its pitch. The context tells a column which notes precede it.
    """

    def __init__(self, channels: tuple[int, ...], width: int):
        super().__init__()
        a, b, c, d, e = channels
        self.trunk = nn.Sequential(  # rows x columns
            Block(1, a, size=5, stride=(1, 2), padding=2, pool=(2, 2)),  # 20 x 97
            Block(a, b),
            Block(b, c, pool=(2, 1)),  # 10 x 97
            Block(c, d),
            Block(d, e, pool=(2, 1)),  # 5 x 97
            nn.Flatten(1, 2),
        )
        self.mix = nn.Sequential(
            nn.Conv1d(SHEET_ROWS * e, width, 1, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
        )
        self.position = nn.Parameter(0.02 * torch.randn(1, width, COLUMNS))
        self.context = nn.Sequential(*(Context(width, dilation) for dilation in DILATIONS))

    def forward(self, images: Tensor) -> Tensor:
        return self.context(self.mix(self.trunk(images)) + self.position)


def audio(channels: tuple[int, ...], width: int) -> nn.Sequential:
    """Layers that turn excerpts (notes, 1, 136, 40) into vectors (notes, width)."""
    a, b, c, d, e = channels
    return nn.Sequential(  # bins x frames
        Block(1, a, size=5, stride=(2, 1), padding=2, pool=(2, 1)),  # 34 x 40
        Block(a, b),
        Block(b, c, pool=(2, 2)),  # 17 x 20
        Block(c, d),
        Block(d, e, size=(AUDIO_ROWS, 1), padding=0),  # 1 x 20, all bins of two frames
        nn.Flatten(),
        nn.Linear(AUDIO_STEPS * e, 2 * width, bias=False),
        nn.BatchNorm1d(2 * width),
        nn.ReLU(inplace=True),
        nn.Linear(2 * width, width),
    )


class PT(nn.Module):
    """Match an excerpt with the columns of its staff: 1,022,544 parameters.

    Narrower widths make a small network for tests.
    """

    def __init__(self, channels: tuple[int, ...] = CHANNELS, width: int = WIDTH):
        super().__init__()
        self.widths = {"channels": channels, "width": width}
        self.sheet = Sheet(channels, width)
        self.audio = audio(channels, width)
        self.key = nn.Conv1d(width, width, 1)
        x = FIRST_COLUMN_PX + COLUMN_PX * torch.arange(COLUMNS)
        self.register_buffer("shares", soft_targets(x), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Tensor, excerpts: Tensor, image_index: Tensor) -> Tensor:
        """Score every bucket for every note; softmax makes probabilities of them (eq. 1).

        Args:
            images: (staves, 1, 40, 390) in [0, 1], ink 1 and paper 0.
            excerpts: (notes, 1, 136, 40), bins x frames, log10(1 + |X|).
            image_index: (notes,) row of `images` for each note.

        Returns:
            (notes, 40), logarithms of probabilities.
        """
        return self.listen(self.sheet(images), excerpts, image_index)

    def listen(self, sheet: Tensor, excerpts: Tensor, image_index: Tensor) -> Tensor:
        """The part of `forward` that follows on the images' columns `sheet` (staves, width, 97)."""
        return self.combine(sheet, self.audio(excerpts), image_index)

    def combine(self, sheet: Tensor, heard: Tensor, image_index: Tensor) -> Tensor:
        """The part of `forward` that follows on the excerpts' vectors `heard` (notes, width)."""
        scores = self.match(self.key(sheet).index_select(0, image_index), heard).float()
        # A note in a column shares its probability between two buckets as the targets do (2.2.2).
        with torch.autocast(scores.device.type, enabled=False):
            return (scores.softmax(dim=1) @ self.shares).clamp(min=SMALLEST).log()

    def compare_staves(self, sheet: Tensor, heard: Tensor) -> Tensor:
        """Probabilities of the buckets of all staves for every note.

        One softmax over the columns of all staves: a staff that an excerpt does not match gets
        little. Keys are made in the same way on every staff, so scores of different staves can be
        compared.

        Args:
            sheet: (staves, width, 97), columns.
            heard: (notes, width), the excerpts' vectors.

        Returns:
            (notes, staves, 40), which sum to one for each note.
        """
        keys = self.key(sheet).transpose(0, 1).flatten(1)  # of the columns of all staves
        scores = self.match(keys, heard).float()
        with torch.autocast(scores.device.type, enabled=False):
            return scores.softmax(dim=1).unflatten(1, (len(sheet), COLUMNS)) @ self.shares

    def match(self, keys: Tensor, heard: Tensor) -> Tensor:
        """Score every column for every note by a scaled dot product.

        Args:
            keys: (notes, width, columns), or (width, columns) for all notes.
            heard: (notes, width), the vectors of the excerpts.

        Returns:
            (notes, columns).
        """
        return (heard[:, None] @ keys)[:, 0] / math.sqrt(heard.shape[1])
