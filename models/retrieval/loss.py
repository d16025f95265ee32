"""The loss that pulls a sheet snippet and its own recording together, and others apart."""

import torch
from torch import Tensor

MARGIN = 0.7  # of cosine similarity (authors' code)
LARGEST = 1000.0  # of one term of the sum (authors' code); unit vectors stay far below


def ranking_loss(
    sheet: Tensor, audio: Tensor, margin: float = MARGIN, symmetric: bool = False
) -> Tensor:
    """Pairwise ranking loss of a batch (B 2): the mean over all pairs of different examples.

    sheet, audio: (n, d) unit vectors, row i of both belongs together. With s_ij the cosine
    similarity of snippet i and excerpt j a pair costs max(0, margin - s_ii + s_ij), as in the
    authors' code: every snippet against the other excerpts. `symmetric` takes the mean of that
    and of every excerpt against the other snippets.

    Raises ValueError where the batches do not match or have fewer than two rows.
    """
    if sheet.shape != audio.shape or len(sheet) < 2:
        raise ValueError(
            f"ranking needs two or more pairs, not {tuple(sheet.shape)} and {tuple(audio.shape)}"
        )
    similarity = sheet @ audio.T
    if symmetric:
        return (_one_way(similarity, margin) + _one_way(similarity.T, margin)) / 2
    return _one_way(similarity, margin)


def _one_way(similarity: Tensor, margin: float) -> Tensor:
    """Mean cost of the pairs off the diagonal; the rows are the anchors."""
    count = len(similarity)
    costs = (margin - similarity.diagonal()[:, None] + similarity).clamp(0, LARGEST)
    others = 1 - torch.eye(count, dtype=costs.dtype, device=costs.device)
    return (costs * others).sum() / (count * (count - 1))
