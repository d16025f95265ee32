"""Metrics of retrieval: recalls, reciprocal ranks and ranks (B 3.3).

The match of a query is the other side of the very same pair. Ties, of which repeated bars make
many, are resolved by chance: every metric is the expectation over all orders of the candidates
that tie.
"""

import numpy as np
import pandas as pd

from models.bootstrap import Bootstrap
from models.retrieval import search

TOP = (1, 5, 25)  # k of R@k


def metrics(
    queries: np.ndarray, candidates: np.ndarray, snippet: np.ndarray, bootstrap: Bootstrap
) -> pd.DataFrame:
    """All metrics of n pairs.

    Args:
        queries: (n, d) unit vectors.
        candidates: (n, d) unit vectors; row i is the match of query i.
        snippet: (n,) hash of each pair's snippet.
        bootstrap: of the pairs' pieces.

    Returns:
        Columns metric, micro, macro, low, high, n_pairs, n_pieces.
    """
    better, equal = search.ranks(queries, candidates)
    _, group, size = np.unique(snippet, return_inverse=True, return_counts=True)
    rank = expected_rank(better, equal)
    per_pair = {f"r{k}": expected_hit(better, equal, k) for k in TOP} | {
        "mrr": expected_reciprocal(better, equal),
        "median_rank": rank,
        "mean_rank": rank,
        "r1_identical": identical_first(queries, candidates, group, better, equal),
        "duplicates": size[group] > 1,
    }
    rows = {
        name: (bootstrap.median if name == "median_rank" else bootstrap.mean)(values[:, None])
        for name, values in per_pair.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["micro", "macro", "low", "high"])
    table = table.rename_axis("metric").reset_index()
    return table.assign(n_pairs=len(queries), n_pieces=bootstrap.pieces)


# --- ties: with b better and t others equal, the ranks b+1 to b+t+1 are as likely as each other ---
def expected_hit(better: np.ndarray, equal: np.ndarray, k: int) -> np.ndarray:
    """Probability (n,) that the match is among the first k."""
    return np.clip(k - better, 0, equal + 1) / (equal + 1)


def expected_rank(better: np.ndarray, equal: np.ndarray) -> np.ndarray:
    """Expected rank (n,) of the match, from 1."""
    return better + 1 + equal / 2


def expected_reciprocal(better: np.ndarray, equal: np.ndarray) -> np.ndarray:
    """Expected 1 / rank (n,) of the match: a difference of harmonic sums."""
    harmonic = np.append(0, np.cumsum(1 / np.arange(1, (better + equal).max() + 2)))
    return (harmonic[better + equal + 1] - harmonic[better]) / (equal + 1)


def identical_first(
    queries: np.ndarray,
    candidates: np.ndarray,
    group: np.ndarray,
    better: np.ndarray,
    equal: np.ndarray,
) -> np.ndarray:
    """Probability (n,) that the first result is of a pair with the same snippet as the query's.

    Of the pairs in a query's group, the one with the best candidate replaces the match: none may be
    better, and of those that tie with it the fraction from the group counts.

    Args:
        queries: (n, d) unit vectors.
        candidates: (n, d) unit vectors; row i is the match of query i.
        group: (n,) number shared by pairs with pixel for pixel the same snippet.
        better: (n,) candidates ranked before the match, from `search.ranks`.
        equal: (n,) other candidates that tie with it.
    """
    target, right = np.arange(len(group)), np.ones(len(group), np.int64)
    order = np.argsort(group, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(members) > 1:
            scores = queries[members] @ candidates[members].T
            ties = scores >= scores.max(axis=1, keepdims=True) - search.TIE
            match_ties = ties.diagonal()
            target[members] = np.where(match_ties, members, members[scores.argmax(axis=1)])
            right[members] = np.count_nonzero(ties, axis=1)
    other = np.flatnonzero(target != np.arange(len(group)))
    better, equal = better.copy(), equal.copy()
    better[other], equal[other] = search.ranks(queries[other], candidates, target[other])
    return np.where(better == 0, right / (equal + 1), 0.0)
