"""Our own embedding network for the task of Balke et al. 2019, of tokens and attention.

Inputs, outputs and projection are the paper's. What lies between keeps time and columns: a trunk of
convolutions turns a strip into a row of tokens, one every 16 px, and a spectrogram into one every
four frames. The vector of an onset is read off the tokens about it. So one pass over a long part of
a piece gives the vectors of all its onsets. A snippet or an excerpt is such a part with one onset
in its middle; it is embedded with two grids of tokens, half a step apart, and both are averaged.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.fast_layers import BatchNorm
from models.retrieval.cca import CCA
from pipeline.constants import (
    CONTEXTS,
    EMBEDDING,
    RETRIEVAL,
    SNIPPET_FACTOR,
    SNIPPET_HEIGHT_PX,
    SNIPPET_WIDTH_PX,
)

CHANNELS = (32, 64, 64, 96, 96)  # of the first five of six convolutions of either trunk
WIDTH = 160  # values of a token
HEADS = 8  # of the attention
HEAD = 24  # values of each
HIDDEN = 256  # values of the layer before the embedding
SHEET_STEP = 8  # px of the halved strip from one token to the next
AUDIO_STEP = 4  # frames from one token to the next
SHEET_DILATIONS = (1, 2)  # tokens between the taps of the context's convolutions
AUDIO_DILATIONS = (1, 2, 4)
FIRST_SCALE, LARGEST_SCALE = 15.0, 100.0  # of a cosine in the training's softmax
SMALLEST_LENGTH = 1e-6


class Block(nn.Sequential):
    """Convolution, batch normalisation and ReLU; rows are padded, columns are not."""

    def __init__(self, inputs, outputs, *, size=3, stride=1):
        super().__init__()
        padding = (size // 2, 0) if isinstance(size, int) else 0
        self.convolution = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        self.normalisation = BatchNorm(outputs)
        self.activation = nn.ReLU(inplace=True)


class Context(nn.Module):
    """Add to every token what a dilated convolution finds in its neighbours."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(
                width, width, (1, 3), padding=(0, dilation), dilation=(1, dilation), bias=False
            ),
            BatchNorm(width),
            nn.ReLU(inplace=True),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, width, 1, tokens), same shape out."""
        return tokens + self.layers(tokens)


def trunk(rows: int, step: int, channels: tuple[int, ...], width: int) -> nn.Sequential:
    """Layers that turn maps (n, 1, rows, columns) into tokens (n, width, 1, tokens).

    Heights and pitches are kept apart, a token for each of an eighth of the rows, until one
    convolution over all of them mixes them. Token i sees the columns up to `half_width(step)` from
    column half_width(step) + i * step, and none beyond the map.
    """
    a, b, c, d, e = channels
    across = 2 if step == SHEET_STEP else 1
    return nn.Sequential(
        Block(1, a, size=5, stride=2),
        Block(a, b, stride=2),
        Block(b, c),
        Block(c, d, stride=(2, across)),
        Block(d, e),
        Block(e, width, size=(math.ceil(rows / 8), 1)),
    )


def half_width(step: int) -> int:
    """Columns that a token sees on either side of its own.

    Half the kernel of each of the five convolutions, in columns of the map.
    """
    return 2 + 2 + 4 + 4 + step


class Side(nn.Module):
    """Embed positions of maps: of the sheet music, or of the sound."""

    def __init__(
        self,
        rows: int,
        columns: int,
        step: int,
        dilations: tuple[int, ...],
        channels: tuple[int, ...],
        width: int,
    ):
        super().__init__()
        self.step, self.first = step, half_width(step)
        self.count = (columns - 2 * self.first - 1) // step + 1  # tokens of a snippet or an excerpt
        self.before = (columns // 2 - self.first) // step  # of them left of its middle
        reach = self.count / 2
        self.trunk = trunk(rows, step, channels, width)
        self.context = nn.Sequential(*(Context(width, dilation) for dilation in dilations))
        self.query = nn.Linear(width, HEADS * HEAD)
        self.keys = nn.Linear(width, HEADS * HEAD, bias=False)
        self.values = nn.Linear(width, HEADS * HEAD, bias=False)
        # Each head looks at its own distance from the onset first: bell curves side by side.
        self.middle = nn.Parameter(torch.linspace(-0.9, 0.9, HEADS) * reach)
        self.spread = nn.Parameter(torch.full((HEADS,), math.log(2 * reach / HEADS)))
        self.head = nn.Sequential(
            nn.Linear(width + HEADS * HEAD, HIDDEN, bias=False),
            nn.BatchNorm1d(HIDDEN),
            nn.ReLU(inplace=True),
        )
        self.out = nn.Linear(HIDDEN, EMBEDDING)

    def forward(self, maps: Tensor, positions: Tensor) -> Tensor:
        """Vectors of positions of maps.

        Args:
            maps: (n, 1, rows, columns).
            positions: (n, positions), in columns from the first; a whole snippet, or excerpt, lies
                about each.

        Returns:
            (n, positions, 32) unit vectors.
        """
        n, count = positions.shape
        tokens = self.trunk(maps).squeeze(2).transpose(1, 2)
        positions = (positions - self.first) / self.step
        begin = (positions.floor() - self.before).clamp(0, tokens.shape[1] - self.count)
        near = begin.long()[..., None] + torch.arange(self.count, device=maps.device)
        each = torch.arange(n, device=maps.device)[:, None, None]
        tokens = tokens[each, near].flatten(0, 1)  # (n * positions, count, width)
        tokens = self.context(tokens.transpose(1, 2)[:, :, None]).squeeze(2).transpose(1, 2)
        return self.read(tokens, (positions - begin).flatten()[:, None]).view(n, count, EMBEDDING)

    def middle_of_each(self, maps: Tensor) -> Tensor:
        """Vectors of the middle of maps (n, 1, rows, columns), each a snippet or an excerpt.

        A vector depends a little on where the tokens lie. So the maps are embedded twice, with
        tokens half a step apart, and the mean is taken: (n, 32) unit vectors.
        """
        middle = maps.new_full((len(maps), 1), maps.shape[3] // 2)
        vectors = [
            self(functional.pad(maps, (shift, 0, 0, 0), mode="replicate"), middle + shift)[:, 0]
            for shift in (self.step // 4, self.step * 3 // 4)
        ]
        return functional.normalize(vectors[0] + vectors[1])

    def columns_needed(self, first: float, last: float) -> tuple[int, int]:
        """Range of columns that the vectors of positions depend on, the end exclusive.

        It begins at a whole token, counted from column 0, so that a part of a map that begins
        there has the tokens of the whole map.

        Args:
            first, last: the outermost positions, in columns.
        """
        begin = math.floor((first - self.first) / self.step) - self.before
        end = math.floor((last - self.first) / self.step) - self.before + self.count
        return begin * self.step, (end - 1) * self.step + 2 * self.first + 1

    def read(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Vectors of positions, from the tokens about them.

        Args:
            tokens: (n, tokens, width).
            positions: (n, positions), in tokens from the first.

        Returns:
            (n, positions, 32) unit vectors.
        """
        n, count, _ = tokens.shape
        shares = shares_of_tokens(positions, count)
        centre = shares.to(tokens.dtype) @ tokens

        def heads(values: Tensor) -> Tensor:
            return values.view(n, -1, HEADS, HEAD).transpose(1, 2)

        # A head's score of a token: how well both fit, less the square of how far the token lies
        # from the head's distance to the onset, in spreads. In float32, or in more.
        distance = torch.arange(count, device=tokens.device) - positions[..., None]
        away = (distance[:, None] - self.middle[:, None, None]) * torch.exp(
            -self.spread[:, None, None]
        )
        query = heads(self.query(centre) / math.sqrt(HEAD))
        scores = query @ heads(self.keys(tokens)).transpose(2, 3)
        scores = torch.addcmul(scores.to(away.dtype), away, away, value=-0.5)
        attention = scores.softmax(dim=3)
        found = attention.to(tokens.dtype) @ heads(self.values(tokens))
        found = found.transpose(1, 2).flatten(2)
        hidden = self.head(torch.cat([centre, found], dim=2).flatten(0, 1))
        with torch.autocast(hidden.device.type, enabled=False):  # the projection needs all digits
            vectors = self.out(hidden.to(self.out.weight.dtype))
            return functional.normalize(vectors, eps=SMALLEST_LENGTH).view(n, -1, EMBEDDING)


def shares_of_tokens(positions: Tensor, count: int) -> Tensor:
    """Shares of tokens in positions between them: (n, positions) -> (n, positions, count).

    A position between two tokens shares itself between both; rows sum to one.
    """
    positions = positions.clamp(0, count - 1)[..., None]
    return (1 - (torch.arange(count, device=positions.device) - positions).abs()).clamp(min=0)


class PT(nn.Module):
    """Embed snippets, excerpts, and every onset of longer parts: 1,496,673 parameters.

    Narrower widths make a small network for tests.
    """

    name = "PT"
    context = CONTEXTS["LC"]  # frames of an excerpt
    attends = False  # not to single frames, as the paper's networks do

    def __init__(self, channels: tuple[int, ...] = CHANNELS, width: int = WIDTH):
        super().__init__()
        self.widths = {"channels": list(channels), "width": width}
        self.sheet_side = Side(
            SNIPPET_HEIGHT_PX // SNIPPET_FACTOR,
            SNIPPET_WIDTH_PX // SNIPPET_FACTOR,
            SHEET_STEP,
            SHEET_DILATIONS,
            channels,
            width,
        )
        self.audio_side = Side(
            RETRIEVAL.bins, self.context, AUDIO_STEP, AUDIO_DILATIONS, channels, width
        )
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))
        self.cca = CCA()  # turns nothing until the projection is refitted
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def sheet(self, images: Tensor) -> Tensor:
        """Embed images (n, 1, 80, 100), white 1 and ink 0: (n, 32) before the projection."""
        return self.sheet_side.middle_of_each(images)

    def audio(self, excerpts: Tensor) -> Tensor:
        """Embed excerpts (n, 1, 92, 168), bins x frames: (n, 32) before the projection."""
        return self.audio_side.middle_of_each(excerpts)

    def scale(self) -> Tensor:
        """What a cosine is multiplied by in the training's softmax."""
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)

    def project_sheet(self, embeddings: Tensor) -> Tensor:
        """Project embeddings (n, 32) of `sheet` to unit vectors, with the stored projection."""
        return functional.normalize(self.cca.project_sheet(embeddings))

    def project_audio(self, embeddings: Tensor) -> Tensor:
        """Project embeddings (n, 32) of `audio` to unit vectors, with the stored projection."""
        return functional.normalize(self.cca.project_audio(embeddings))
