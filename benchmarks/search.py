"""Our exact search beside three indices of FAISS: `python -m benchmarks.search`.

Unit vectors of 32 values in clusters, as pieces make them, 10,000 to a million, and queries near
some of them. Recall is the share of the exact 25 nearest, or of the very nearest, that is found.
"""

import time

import numpy as np
import torch

from models.retrieval import search
from pipeline.constants import EMBEDDING

SIZES = (10_000, 100_000, 1_000_000)
QUERIES = 1_000
NEIGHBOURS = 25  # entries that vote for a piece
CLUSTER = 30  # vectors about one centre, on average
LATENT = 64  # dimensions in which the clusters are drawn
SPREAD = 0.5  # of a vector about its centre, in units of the centres' own spread
DISTANCE = 0.3  # of a query from a vector
ROUNDS = 3  # of searching; the fastest counts, the others were disturbed


def made_up(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(count, 32) candidates and (QUERIES, 32) queries, unit vectors."""
    centres = random.standard_normal((count // CLUSTER, LATENT), np.float32)
    projection = random.standard_normal((LATENT, EMBEDDING), np.float32) / LATENT**0.5
    noise = SPREAD * random.standard_normal((count, EMBEDDING), np.float32)
    candidates = (centres @ projection)[random.integers(0, len(centres), count)] + noise
    queries = candidates[random.choice(count, QUERIES, replace=False)]
    queries = queries + DISTANCE * random.standard_normal(queries.shape, np.float32)
    return unit(candidates), unit(queries)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def recall(found: np.ndarray, true: np.ndarray) -> float:
    """Share of the rows in `true` (n, k) that `found` (n, k) has."""
    return np.mean([np.isin(one, other).mean() for one, other in zip(true, found, strict=True)])


def main() -> None:
    random = np.random.default_rng(0)
    print(f"{QUERIES} queries, {torch.get_num_threads()} threads, best of {ROUNDS}")
    print(f"{'vectors':>9}  search  build s  recall@1  recall@{NEIGHBOURS}  queries/s  x exact")
    for count in SIZES:
        candidates, queries = made_up(count, random)
        true, rate = None, {}
        for kind in ("exact", "flat", "hnsw", "ivf"):
            begin = time.perf_counter()
            index = candidates if kind == "exact" else search.build(candidates, kind)
            built = time.perf_counter() - begin
            taken = []
            for _ in range(ROUNDS):
                begin = time.perf_counter()
                _, found = search.nearest(queries, index, NEIGHBOURS)
                taken.append(time.perf_counter() - begin)
            true = found if true is None else true
            rate[kind] = QUERIES / min(taken)
            print(
                f"{count:9}  {kind:6} {built:8.1f} {recall(found[:, :1], true[:, :1]):9.3f} "
                f"{recall(found, true):10.3f} {rate[kind]:10.0f} {rate[kind] / rate['exact']:8.1f}",
                flush=True,
            )
            del index


if __name__ == "__main__":
    main()
