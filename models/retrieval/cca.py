"""Canonical correlation analysis as the last layer of both embedding networks (B 2).

It rotates and scales the two embeddings so that they correlate as well as they can. In training
each batch has its own projection, computed from its covariances, and gradients flow through it.
Afterwards a projection fitted to many examples at once takes its place ("refined", B 3.1).
"""

import torch
from torch import Tensor, nn

from pipeline.constants import EMBEDDING

REGULARISATION = 1e-3  # added to the diagonals of both covariances (authors' code: r1, r2)
# Below this sum of two canonical correlations their directions are hardly determined, and the
# true gradient grows without bound; it is kept at what it is here.
SMALLEST_SUM = 1e-3
# A direction counts when its share of the mean square exceeds the rounding of float32.
RANK_TOLERANCE = 1e-10


class CCA(nn.Module):
    """Projects both embeddings to canonical coordinates, with the batch's or stored statistics.

    In training a batch's own means and covariances fix the projection, which is kept (the
    authors' running average has the factor 1: the last batch counts alone). In evaluation the
    kept one is used. Coordinates come in the order of descending correlation; the authors' are
    ascending, and each is free in its sign. Neither changes a distance.
    """

    def __init__(self):
        super().__init__()
        self.register_buffer("mean_sheet", torch.zeros(EMBEDDING))
        self.register_buffer("mean_audio", torch.zeros(EMBEDDING))
        self.register_buffer("sheet", torch.eye(EMBEDDING))  # U, columns are directions
        self.register_buffer("audio", torch.eye(EMBEDDING))  # V

    def forward(self, sheet: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Project (n, 32) sheet and (n, 32) audio embeddings to (n, 32) each, not normalised.

        The gradient in training is exact for losses that do not change when both outputs are
        rotated together, as those of dot products and norms: it leaves out how the rotation of
        the coordinates depends on the batch, which would divide by differences of correlations.

        Raises ValueError for a training batch of too few rows, FloatingPointError where the
        embeddings are not finite or have collapsed.
        """
        with torch.autocast(sheet.device.type, enabled=False):
            if self.training:
                return self._project_batch(_at_least_single(sheet), _at_least_single(audio))
            return self.project_sheet(sheet), self.project_audio(audio)

    def project_sheet(self, sheet: Tensor) -> Tensor:
        """(n, 32) -> (n, 32) with the stored projection."""
        with torch.autocast(sheet.device.type, enabled=False):
            return (sheet.to(self.sheet.dtype) - self.mean_sheet) @ self.sheet

    def project_audio(self, audio: Tensor) -> Tensor:
        """(n, 32) -> (n, 32) with the stored projection."""
        with torch.autocast(audio.device.type, enabled=False):
            return (audio.to(self.audio.dtype) - self.mean_audio) @ self.audio

    def _project_batch(self, sheet: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        _check_count(*sheet.shape)
        # The statistics are nothing for a processor, and not every accelerator has float64.
        joint = torch.cat([sheet, audio], dim=1).to("cpu", torch.float64)
        mean = joint.mean(dim=0)
        joint = joint - mean
        u, v = _directions(mean, joint.T @ joint / (len(joint) - 1))
        mean_sheet, mean_audio = mean.to(sheet).split(EMBEDDING)
        u, v = u.to(sheet), v.to(audio)
        with torch.no_grad():
            for kept, value in (
                (self.mean_sheet, mean_sheet),
                (self.mean_audio, mean_audio),
                (self.sheet, u),
                (self.audio, v),
            ):
                kept.copy_(value)
        return (sheet - mean_sheet) @ u, (audio - mean_audio) @ v


class Moments:
    """Count, means and scatter of pairs of embeddings, gathered batch by batch in float64.

    Batches are joined by their means and their scatter about them (Chan et al. 1979), so that
    means far from zero cost no digits and the order of the batches does not matter.
    """

    def __init__(self):
        self.count = 0
        self.mean = torch.zeros(2 * EMBEDDING, dtype=torch.float64)  # sheet, then audio
        self.scatter = torch.zeros(2 * EMBEDDING, 2 * EMBEDDING, dtype=torch.float64)

    def add(self, sheet, audio) -> None:
        """Take in (n, 32) sheet and (n, 32) audio embeddings, tensors or arrays."""
        parts = [torch.as_tensor(part).detach().to("cpu", torch.float64) for part in (sheet, audio)]
        batch = torch.cat(parts, dim=1)
        if not len(batch):
            return
        mean = batch.mean(dim=0)
        batch = batch - mean
        joined = self.count + len(batch)
        apart = mean - self.mean
        self.scatter += batch.T @ batch
        self.scatter += torch.outer(apart, apart) * (self.count * len(parts[0]) / joined)
        self.mean += apart * (len(batch) / joined)
        self.count = joined


def solve(moments: Moments) -> dict[str, Tensor]:
    """The buffers of `CCA` fitted to all that `moments` has seen, in one go.

    Raises ValueError where there are too few examples, FloatingPointError where the embeddings
    are not finite or have collapsed.
    """
    _check_count(moments.count, EMBEDDING)
    u, v = _directions(moments.mean, moments.scatter / (moments.count - 1))
    mean_sheet, mean_audio = moments.mean.split(EMBEDDING)
    buffers = {"mean_sheet": mean_sheet, "mean_audio": mean_audio, "sheet": u, "audio": v}
    return {name: value.float() for name, value in buffers.items()}


def fit(sheet, audio) -> dict[str, Tensor]:
    """`solve` for (n, 32) sheet and (n, 32) audio embeddings that are all at hand."""
    moments = Moments()
    moments.add(sheet, audio)
    return solve(moments)


def _directions(mean: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """U and V (d, d) whose columns are the canonical directions of sheet and audio.

    mean: (2d,) and covariance: (2d, 2d) of sheet, then audio, float64. With E D F' the singular
    value decomposition of T = S11^-1/2 S12 S22^-1/2, U is S11^-1/2 E and V is S22^-1/2 F. Here E
    is written as W F, W = E F' being the orthogonal matrix nearest to T: W is smooth where equal
    correlations leave E and F open. F then rotates both sides alike and is held constant.
    """
    dimensions = len(mean) // 2
    _check_rank(mean, covariance, dimensions)
    diagonal = REGULARISATION * torch.eye(dimensions, dtype=covariance.dtype)
    s11 = covariance[:dimensions, :dimensions] + diagonal
    s12 = covariance[:dimensions, dimensions:]
    s22 = covariance[dimensions:, dimensions:] + diagonal
    whiten_sheet, whiten_audio = InverseRoot.apply(s11), InverseRoot.apply(s22)
    nearest, f = Polar.apply(whiten_sheet @ s12 @ whiten_audio)
    return whiten_sheet @ nearest @ f, whiten_audio @ f


class InverseRoot(torch.autograd.Function):
    """S^-1/2 of a symmetric positive definite matrix, differentiable at equal eigenvalues."""

    @staticmethod
    def forward(ctx, matrix: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        roots = values.sqrt()
        ctx.save_for_backward(roots, vectors)
        return (vectors / roots) @ vectors.T

    @staticmethod
    def backward(ctx, upstream: Tensor) -> Tensor:
        roots, vectors = ctx.saved_tensors
        # (1/a - 1/b) / (a^2 - b^2) without its difference, which vanishes where a = b
        ratios = -1 / (roots[:, None] * roots * (roots[:, None] + roots))
        return vectors @ (ratios * (vectors.T @ upstream @ vectors)) @ vectors.T


class Polar(torch.autograd.Function):
    """The orthogonal matrix W = E F' nearest to T = E D F', and F, which has no gradient."""

    @staticmethod
    def forward(ctx, matrix: Tensor) -> tuple[Tensor, Tensor]:
        e, values, f_transposed = torch.linalg.svd(matrix)
        f = f_transposed.T.contiguous()
        ctx.save_for_backward(e, values, f)
        ctx.mark_non_differentiable(f)
        return e @ f.T, f

    @staticmethod
    def backward(ctx, upstream: Tensor, _) -> Tensor:
        e, values, f = ctx.saved_tensors
        inner = e.T @ upstream @ f
        sums = (values[:, None] + values).clamp(min=SMALLEST_SUM)
        return e @ ((inner - inner.T) / sums) @ f.T


def _at_least_single(values: Tensor) -> Tensor:
    """In float32, or as it is where it has more."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _check_count(count: int, dimensions: int) -> None:
    if count <= dimensions:
        raise ValueError(
            f"{count} examples do not fix a projection in {dimensions} dimensions; "
            f"{dimensions + 1} or more are needed, larger batches or more data"
        )


def _check_rank(mean: Tensor, covariance: Tensor, dimensions: int) -> None:
    """FloatingPointError where either side is not finite or varies along a single line."""
    remedy = "start again with a lower learning rate"
    if not (covariance.isfinite().all() and mean.isfinite().all()):
        raise FloatingPointError(f"embeddings are not finite; {remedy}")
    for side, part in (("sheet", slice(dimensions)), ("audio", slice(dimensions, None))):
        variances = torch.linalg.eigvalsh(covariance[part, part].detach())
        smallest = RANK_TOLERANCE * (mean[part].square().sum() + variances.sum())
        if (variances > smallest).sum() <= 1:
            raise FloatingPointError(
                f"the {side} embeddings have collapsed to a point or a line; {remedy}"
            )
