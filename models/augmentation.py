"""Change loudness and tone of excerpts, as another room, piano or microphone would."""

import torch
from torch import Tensor
from torch.nn import functional

CURVE_POINTS = 6  # of an equaliser curve; it is straight between them
AMPLITUDE_DB = 20  # a tenfold amplitude, dB


def vary_sound(excerpts: Tensor, level_db: float, equaliser_db: float) -> Tensor:
    """Amplify each excerpt by a random gain and a random smooth curve over frequency.

    The spectrogram holds log10(1 + |X|), so a gain g is exact: log10(1 + g |X|).

    Args:
        excerpts: (n, 1, bins, frames), log10(1 + |X|).
        level_db: gains are uniform between minus and plus this, dB.
        equaliser_db: standard deviation of the points of the curve, dB.

    Returns:
        The same shape; zeros stay zeros.
    """
    count, _, bins, _ = excerpts.shape
    random = {"device": excerpts.device, "dtype": excerpts.dtype}
    levels = level_db * (2 * torch.rand(count, 1, 1, **random) - 1)
    points = equaliser_db * torch.randn(count, 1, CURVE_POINTS, **random)
    curves = functional.interpolate(points, size=bins, mode="linear", align_corners=True)
    gains = 10 ** ((levels + curves) / AMPLITUDE_DB)
    return torch.log10(1 + gains[..., None] * (10**excerpts - 1))
