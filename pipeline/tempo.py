"""Tempo ratios: a number, or a range from which every performance draws its own (B 3.1)."""

import math
import random

DECIMALS = 4  # of a ratio that is drawn


def span(tempo_ratio: str) -> tuple[float, float]:
    """The slowest and the fastest ratio of a setting, "1.5" or "0.9-1.1"; 2 is twice as fast.

    Raises ValueError for anything else, and for ratios that are not above 0 or not in order.
    """
    slowest, _, fastest = tempo_ratio.partition("-")
    try:
        low = float(slowest)
        high = float(fastest) if "-" in tempo_ratio else low
    except ValueError:
        low = high = math.nan
    if not (0 < low <= high < math.inf):
        raise ValueError(
            f"tempo ratio {tempo_ratio}: it must be above 0, a range like 0.9-1.1 in order"
        )
    return low, high


def drawn(tempo_ratio: str, seed: int, piece_id: str, font: str) -> float:
    """The ratio of one performance: follows from its arguments alone, evenly spread in a range."""
    low, high = span(tempo_ratio)
    number = random.Random(f"tempo_ratio:{seed}:{piece_id}:{font}").random()
    return round(low + number * (high - low), DECIMALS) if low < high else low
