"""Bootstrap intervals over pieces, as examples of the same piece are not independent."""

import numpy as np
import pandas as pd

RESAMPLES = 1_000
CONFIDENCE = 0.95
VALUES_AT_ONCE = 2**24  # bounds the memory of the bootstrap of a median


class Bootstrap:
    """Means and medians over notes, their mean over pieces, and intervals by redrawing pieces.

    `mean` and `median` take values (notes, k) and return micro, macro, and the ends of the 95 %
    percentile interval of micro.
    """

    def __init__(self, piece: np.ndarray, seed: int, resamples: int):
        _, self.piece = np.unique(piece, return_inverse=True)
        self.notes = np.bincount(self.piece)
        self.pieces = len(self.notes)
        random = np.random.default_rng(seed)
        even = np.full(self.pieces, 1 / self.pieces)
        self.draws = random.multinomial(self.pieces, even, size=resamples)  # (resamples, pieces)

    def mean(self, values: np.ndarray) -> tuple[float, float, float, float]:
        per_note = values.mean(axis=1)
        sums = np.bincount(self.piece, per_note)
        redrawn = self.draws @ sums / (self.draws @ self.notes)
        return per_note.mean(), (sums / self.notes).mean(), *_interval(redrawn)

    def median(self, values: np.ndarray) -> tuple[float, float, float, float]:
        piece = np.repeat(self.piece, values.shape[1])
        values = values.ravel()
        macro = pd.Series(values).groupby(piece).median().mean()
        order = np.argsort(values, kind="stable")
        ordered, piece = values[order], piece[order]
        redrawn = np.empty(len(self.draws))
        at_once = max(1, VALUES_AT_ONCE // len(values))
        for begin in range(0, len(self.draws), at_once):
            counts = self.draws[begin : begin + at_once, piece].cumsum(axis=1, dtype=np.int32)
            middle = [
                [np.searchsorted(row, k, side="right") for k in ((row[-1] - 1) // 2, row[-1] // 2)]
                for row in counts
            ]
            redrawn[begin : begin + at_once] = ordered[middle].mean(axis=1)
        return np.median(values), macro, *_interval(redrawn)


def _interval(redrawn: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(redrawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return low, high
