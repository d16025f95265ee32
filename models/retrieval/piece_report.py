"""Tables of piece identification and alignment, for which the paper has no numbers."""

import numpy as np
import pandas as pd

from models.table_output import Grid
from pipeline.constants import PAGE_WIDTH_PX

DIRECTIONS = {"A2S": "audio to sheet", "S2A": "sheet to audio"}
METHODS = {"votes": "votes", "sequence": "in sequence"}
ALIGNERS = {"network": "network", "published": "as published", "line": "straight line"}
RANKS = (1, 5, 10)


# --- piece identification ----------------------------------------------------------------------
IDENTIFICATION = (
    "At which rank the right piece is found, queries being whole pieces. Votes: each place of the "
    "query votes for the pieces of its nearest entries. In sequence: the places in their order "
    "are laid along each of the pieces with most votes, from its beginning to its end."
)


def count_ranks(identified: pd.DataFrame) -> pd.DataFrame:
    """Count the pieces whose match ranks 1, up to 5, up to 10 and beyond.

    Args:
        identified: rows of IDENTIFIED.
    """
    rows = []
    keys = ["model", "direction", "method"]
    for names, group in identified.groupby(keys, sort=False):
        counts = {f"up_to_{k}": int((group["rank"] <= k).sum()) for k in RANKS}
        beyond = len(group) - counts[f"up_to_{RANKS[-1]}"]
        rows.append({**dict(zip(keys, names, strict=True)), **counts, "beyond": beyond})
        rows[-1] |= {"pieces": len(group), "candidates": group.n_pieces.max()}
    return pd.DataFrame(rows)


def identification_grid(counts: pd.DataFrame) -> Grid:
    """A line for each network, direction and method."""
    lines = [
        [model, DIRECTIONS[direction], METHODS[method], *map(str, numbers)]
        for model, direction, method, *numbers in counts.itertuples(index=False)
    ]
    ranks = [f"rank {RANKS[0]}", *(f"≤ {k}" for k in RANKS[1:]), f"> {RANKS[-1]}"]
    header = ["model", "direction", "method", *ranks, "pieces", "among"]
    return Grid(header, lines, "Piece identification: how many pieces are found at which rank")


# --- alignment ---------------------------------------------------------------------------------
ALIGNMENT = (
    "Distance between the true and the found place of an onset in its strip, in px and in percent "
    f"of the width of a page ({PAGE_WIDTH_PX} px). As published: an onset beyond the ends of the "
    "path counts as no error. Straight line: between the same ends."
)


def summarise_errors(aligned: pd.DataFrame) -> pd.DataFrame:
    """Position errors of the onsets, for each network and method.

    Args:
        aligned: rows of ALIGNED.

    Returns:
        Columns model, method, median_px (of the medians of pieces), mean_px (over all onsets), both
        also in percent of a page, within (fraction of all onsets at most 25 px off), outside
        (fraction beyond the ends of the path), pieces, onsets.
    """
    rows = []
    for (model, method), group in aligned.groupby(["model", "method"], sort=False):
        onsets = group.onsets.sum()
        median, mean = group.median_px.median(), np.average(group.mean_px, weights=group.onsets)
        rows.append(
            {
                "model": model,
                "method": method,
                "median_px": median,
                "median_percent": 100 * median / PAGE_WIDTH_PX,
                "mean_px": mean,
                "mean_percent": 100 * mean / PAGE_WIDTH_PX,
                "within": np.average(group.within, weights=group.onsets),
                "outside": group.outside.sum() / onsets,
                "pieces": len(group),
                "onsets": onsets,
            }
        )
    return pd.DataFrame(rows)


def alignment_grid(errors: pd.DataFrame) -> Grid:
    """A line for each network and method."""
    lines = [
        [
            row.model,
            ALIGNERS[row.method],
            f"{row.median_px:.1f}",
            f"{row.median_percent:.2f}",
            f"{row.mean_px:.1f}",
            f"{row.mean_percent:.2f}",
            f"{row.within:.1%}",
            f"{row.pieces:,}",
            f"{row.onsets:,}",
        ]
        for row in errors.itertuples()
    ]
    header = ["model", "method", "median px", "%", "mean px", "%", "≤ 25 px", "pieces", "onsets"]
    return Grid(header, lines, "Alignment: median over pieces, mean and share over all onsets")
