"""The embedding networks of Balke et al. 2019 (Table 1).

They embed a snippet of sheet music and an excerpt of a recording as vectors of 32 numbers;
vectors of the same music lie close together. The models with attention weigh the frames of the
excerpt before they embed it.
"""

from dataclasses import dataclass

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

CHANNELS = (24, 48, 96, 96)  # Table 1: of the two convolutions of each of the four stages
NORMALISATION = {"eps": 1e-4, "momentum": 0.1}  # batch normalisation as the authors' library has it
REDUCTION = 16  # four poolings


@dataclass(frozen=True)
class Shape:
    """How the models of the paper differ."""

    head: str  # "global" average or "dense" layer
    context: int  # frames of an excerpt
    attends: bool  # weighs the frames of an excerpt


MODELS = {
    "BL1-SC": Shape("global", CONTEXTS["SC"], False),
    **{f"BL2-{length}": Shape("dense", frames, False) for length, frames in CONTEXTS.items()},
    **{f"BL2-{length}+AT": Shape("dense", frames, True) for length, frames in CONTEXTS.items()},
}


class Convolution(nn.Sequential):
    """3x3 convolution, batch normalisation, ELU and, if `pool`, 2x2 pooling.

    The paper pools after the ELU. Both are monotone, so they commute exactly, and pooling first
    leaves the ELU a quarter of the values.
    """

    def __init__(self, inputs: int, outputs: int, *, pool: bool = False):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.normalisation = BatchNorm(outputs, **NORMALISATION)
        if pool:
            self.pool = nn.MaxPool2d(2)
        self.activation = nn.ELU(inplace=True)


def trunk(channels: tuple[int, ...]) -> nn.Sequential:
    """The four stages of a branch, of two convolutions and a pooling each.

    (n, 1, rows, columns) -> (n, channels[-1], rows // 16, columns // 16).
    """
    stages, inputs = [], 1
    for outputs in channels:
        stages += [Convolution(inputs, outputs), Convolution(outputs, outputs, pool=True)]
        inputs = outputs
    return nn.Sequential(*stages)


class GlobalHead(nn.Module):
    """1x1 convolution, batch normalisation, average over the map: (n, c, rows, columns) -> (n, 32).

    The embedding of the first baseline.
    """

    def __init__(self, inputs: int):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, EMBEDDING, 1, bias=False)
        self.normalisation = nn.BatchNorm2d(EMBEDDING, **NORMALISATION)

    def forward(self, values: Tensor) -> Tensor:
        values = self.normalisation(self.convolution(values))
        return values.mean(dim=(2, 3), dtype=self.convolution.weight.dtype)


class DenseHead(nn.Module):
    """1x1 convolution and a dense layer, both linear: (n, c, rows, columns) -> (n, 32).

    Table 1 has a batch normalisation in between on both sides; the authors' code and weights have
    it on the audio side alone, and a bias in its place on the sheet side.
    """

    def __init__(self, inputs: int, positions: int, *, normalise: bool):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, EMBEDDING, 1, bias=not normalise)
        self.normalisation = (
            nn.BatchNorm2d(EMBEDDING, **NORMALISATION) if normalise else nn.Identity()
        )
        self.dense = nn.Linear(EMBEDDING * positions, EMBEDDING)

    def forward(self, values: Tensor) -> Tensor:
        values = self.normalisation(self.convolution(values)).flatten(1)  # channels, rows, columns
        with torch.autocast(values.device.type, enabled=False):  # the projection needs all digits
            return self.dense(values.to(self.dense.weight.dtype))


class Attention(nn.Module):
    """Weights of the frames of an excerpt, (n, 1, bins, T) -> (n, T), rows sum to one.

    The authors' code has a 1x1 convolution with a filter for each frame (Table 1 says 32) and
    then the average over the map. Both are linear, so here the average comes first.
    """

    def __init__(self, channels: tuple[int, ...], context: int):
        super().__init__()
        self.trunk = trunk(channels)
        self.dense = nn.Linear(channels[-1], context)

    def forward(self, excerpts: Tensor) -> Tensor:
        features = self.trunk(excerpts)
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(self.dense.weight.dtype).mean(dim=(2, 3))
            return self.dense(features).softmax(dim=1)


class Network(nn.Module):
    """One of the seven models, with the authors' layers (Table 1; their code if they differ).

    Weights start uniform with the variance 1 / inputs (He et al. 2015 without the gain of ReLU,
    as the authors' library has it), biases at zero. Narrower channels make a small network for
    tests.
    """

    def __init__(self, name: str, channels: tuple[int, ...] = CHANNELS):
        """Set up the layers.

        Args:
            name: one of MODELS.
            channels: of the four stages of each branch.

        Raises:
            ValueError: if there is no such model.
        """
        super().__init__()
        if name not in MODELS:
            raise ValueError(f"no model {name!r}; there are {', '.join(MODELS)}")
        shape = MODELS[name]
        self.name, self.context, self.attends = name, shape.context, shape.attends
        self.channels = tuple(channels)
        sheet_positions = (SNIPPET_HEIGHT_PX // SNIPPET_FACTOR // REDUCTION) * (
            SNIPPET_WIDTH_PX // SNIPPET_FACTOR // REDUCTION
        )
        audio_positions = (RETRIEVAL.bins // REDUCTION) * (shape.context // REDUCTION)
        last = channels[-1]
        if shape.head == "global":
            sheet_head, audio_head = GlobalHead(last), GlobalHead(last)
        else:
            sheet_head = DenseHead(last, sheet_positions, normalise=False)
            audio_head = DenseHead(last, audio_positions, normalise=True)
        self.sheet_branch = nn.Sequential(trunk(channels), sheet_head)
        self.audio_branch = nn.Sequential(trunk(channels), audio_head)
        if shape.attends:
            self.attention_branch = Attention(channels, shape.context)
        self.cca = CCA()
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                bound = (3 / module.weight[0].numel()) ** 0.5
                nn.init.uniform_(module.weight, -bound, bound)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def sheet(self, images: Tensor) -> Tensor:
        """Embed images (n, 1, 80, 100), white 1 and ink 0: (n, 32) before the projection."""
        return self.sheet_branch(images)

    def audio(self, excerpts: Tensor, weights: Tensor | None = None) -> Tensor:
        """Embed excerpts: (n, 32) before the projection.

        Args:
            excerpts: (n, 1, 92, T), bins x frames.
            weights: (n, T) of `attention`, computed if absent. They are multiplied by T, so that
                uniform attention changes nothing.
        """
        if self.attends:
            weights = self.attention(excerpts) if weights is None else weights
            excerpts = excerpts * (weights * self.context)[:, None, None, :]
        return self.audio_branch(excerpts)

    def attention(self, excerpts: Tensor) -> Tensor:
        """Attention weights of the frames of excerpts (n, 1, 92, T): (n, T), rows sum to one.

        Raises:
            ValueError: if the model has no attention.
        """
        if not self.attends:
            raise ValueError(f"{self.name} has no attention")
        return self.attention_branch(excerpts)

    def forward(self, images: Tensor, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors (n, 32) of images and excerpts, projected as `cca.CCA` does."""
        sheet, audio = self.cca(self.sheet(images), self.audio(excerpts))
        return functional.normalize(sheet), functional.normalize(audio)

    def project_sheet(self, embeddings: Tensor) -> Tensor:
        """Project embeddings (n, 32) of `sheet` to unit vectors, with the stored projection."""
        return functional.normalize(self.cca.project_sheet(embeddings))

    def project_audio(self, embeddings: Tensor) -> Tensor:
        """Project embeddings (n, 32) of `audio` to unit vectors, with the stored projection."""
        return functional.normalize(self.cca.project_audio(embeddings))
