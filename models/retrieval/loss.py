"""The losses that pull a sheet snippet and its own recording together, and others apart."""

import torch
from torch import Tensor
from torch.nn import functional

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


def contrastive_loss(
    sheet: Tensor,
    audio: Tensor,
    scale: Tensor,
    same: Tensor | None = None,
    others: tuple[Tensor, Tensor, Tensor] | None = None,
) -> Tensor:
    """Cross-entropy of finding each pair's other side among all, mean of both directions (InfoNCE).

    Args:
        sheet, audio: (n, 32) unit vectors of pairs.
        scale: of a cosine in the softmax, the inverse of its temperature.
        same: (n,) a number for each pair; those with the same one are no negatives of each
            other. All are different if absent.
        others: further negatives: vectors (k, 32) of sheet and audio, and their numbers (k,).
    """
    own = torch.arange(len(sheet), device=sheet.device)
    if same is None:
        same = own
    sheets, audios, known = sheet, audio, same
    if others is not None:
        sheets, audios, known = (
            torch.cat(two) for two in zip((sheet, audio, same), others, strict=True)
        )
    alike = same[:, None] == known
    alike[own, own] = False
    return (
        sum(
            functional.cross_entropy((scale * (one @ all_.T)).masked_fill(alike, -torch.inf), own)
            for one, all_ in ((sheet, audios), (audio, sheets))
        )
        / 2
    )


def local_loss(sheet: Tensor, audio: Tensor, scale: Tensor, real: Tensor, same: Tensor) -> Tensor:
    """Cross-entropy of finding each onset's other side in its own segment, mean of both directions.

    Args:
        sheet, audio: (segments, onsets, 32) unit vectors.
        scale: of a cosine in the softmax.
        real: (segments, onsets) which of the onsets count.
        same: (segments, onsets) a number for each; onsets with the same one, which a repeat plays
            twice, are no negatives of each other.
    """
    onsets = torch.arange(real.shape[1], device=real.device)
    own = onsets.expand(real.shape)[real]
    others = ~(real[:, :, None] & real[:, None]) | (same[:, :, None] == same[:, None])
    others[:, onsets, onsets] = ~real
    scores = (scale * (sheet @ audio.transpose(1, 2))).masked_fill(others, -torch.inf)
    return (
        sum(functional.cross_entropy(way[real], own) for way in (scores, scores.transpose(1, 2)))
        / 2
    )
