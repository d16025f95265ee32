"""Nearest neighbours among unit vectors by cosine, which is their dot product.

The exact search goes through both sides in blocks and so needs little memory at any size. For
collections in which it takes too long there are three indices of FAISS behind the same call;
`benchmarks/search.py` compares them.
"""

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch

if TYPE_CHECKING:
    import faiss

Kind = Literal["flat", "hnsw", "ivf"]

QUERIES_AT_ONCE = 1_024  # large, so that threads on a busy machine seldom wait for each other
CANDIDATES_AT_ONCE = 8_192  # a block of scores takes 32 MiB
TIE = 1e-6  # dot products of the same two float32 vectors differ by less, in whatever order summed

# A graph (hnsw): nearly exact at any size, but long to build, and 270 bytes a vector of 32 values.
HNSW_NEIGHBOURS = 16  # of each vector on every level of the graph, twice as many on the lowest
HNSW_BUILD_WIDTH = 40  # candidates kept while a vector's neighbours are looked for
HNSW_SEARCH_WIDTH = 128  # candidates kept while a query's are; no fewer than are asked for
# Inverted lists (ivf): quick to build, 136 bytes a vector; only the nearest lists are read.
IVF_LISTS_PER_ROOT = 1.0  # x sqrt(vectors) lists: choosing among them costs as reading one
IVF_SHARE_READ = 1 / 16  # of the lists, for a query
IVF_LEAST_READ = 16  # lists; all where there are fewer


def ranks(
    queries: np.ndarray, candidates: np.ndarray, truth: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Count the candidates that rank before each query's match, and those that tie with it.

    Args:
        queries: (n, d) unit vectors.
        candidates: (m, d) unit vectors.
        truth: (n,) row of each query's match; row i for query i if absent.

    Returns:
        (n,) int64, candidates with a higher cosine, and (n,) int64, others with the same cosine to
        within `TIE`.

    Raises:
        ValueError: if shapes do not fit or a number is not finite.
    """
    queries, candidates = _checked(queries, candidates)
    if truth is None:
        if len(queries) != len(candidates):
            raise ValueError(f"{len(queries)} queries for {len(candidates)} candidates")
        truth = np.arange(len(queries))
    better, not_worse = np.zeros((2, len(queries)), np.int64)
    for first in range(0, len(queries), QUERIES_AT_ONCE):
        block = slice(first, first + QUERIES_AT_ONCE)
        wanted = np.einsum("qd,qd->q", queries[block], candidates[truth[block]])[:, None]
        for begin in range(0, len(candidates), CANDIDATES_AT_ONCE):
            margins = queries[block] @ candidates[begin : begin + CANDIDATES_AT_ONCE].T
            margins -= wanted
            better[block] += np.count_nonzero(margins > TIE, axis=1)
            not_worse[block] += np.count_nonzero(margins >= -TIE, axis=1)
    return better, not_worse - better - 1  # the true one ties with itself


def nearest(
    queries: np.ndarray, candidates: "np.ndarray | faiss.Index", k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k candidates with the highest cosine to each query, best first; ties in any order.

    Args:
        queries: (n, d) unit vectors.
        candidates: (m, d) unit vectors, searched exactly, or an index from `build`.
        k: how many.

    Returns:
        (n, k) float32 cosines, and (n, k) int64 rows of the candidates. If an approximate index
        finds fewer than k, the rest has row -1 and a cosine below -1.

    Raises:
        ValueError: if shapes do not fit, a number is not finite, or k exceeds the candidates.
    """
    exact = isinstance(candidates, np.ndarray)
    count = len(candidates) if exact else candidates.ntotal
    if not 1 <= k <= count:
        raise ValueError(f"{k} nearest of {count} vectors were asked for; take 1 to {count}")
    if exact:
        return _nearest(*_checked(queries, candidates), k)
    (queries,) = _checked(queries)
    if queries.shape[1] != candidates.d:
        raise ValueError(f"queries of {queries.shape[1]} dimensions, candidates of {candidates.d}")
    return candidates.search(queries, k)


def _nearest(queries: np.ndarray, candidates: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    scores = torch.empty(len(queries), k)
    rows = torch.empty(len(queries), k, dtype=torch.int64)
    queries, candidates = torch.from_numpy(queries), torch.from_numpy(candidates)
    for first in range(0, len(queries), QUERIES_AT_ONCE):
        block = slice(first, first + QUERIES_AT_ONCE)
        best = torch.empty(len(queries[block]), 0)
        where = torch.empty(len(queries[block]), 0, dtype=torch.int64)
        for begin in range(0, len(candidates), CANDIDATES_AT_ONCE):
            found = queries[block] @ candidates[begin : begin + CANDIDATES_AT_ONCE].T
            row = torch.arange(begin, begin + found.shape[1])
            if best.shape[1] == k:  # few columns beat any query's k best so far: sort these only
                promising = (found > best[:, -1:]).any(dim=0)
                found, row = found[:, promising], row[promising]
            found = torch.cat([best, found], dim=1)
            where = torch.cat([where, row.expand(len(best), -1)], dim=1)
            best, place = found.topk(min(k, found.shape[1]), dim=1)
            where = where.gather(1, place)
        scores[block], rows[block] = best, where
    return scores.numpy(), rows.numpy()


def build(vectors: np.ndarray, kind: Kind = "flat") -> "faiss.Index":
    """Build an index of FAISS for `nearest`.

    FAISS builds the graph of `hnsw` on all processors, so that two builds may differ slightly.

    Args:
        vectors: (m, d) unit vectors.
        kind: `flat` is exact; `hnsw` and `ivf` are approximate, see the constants of this module.

    Raises:
        ValueError: if there is no such kind, no vector, or a number is not finite.
    """
    import faiss  # brings a second OpenMP runtime into the process: only where it is needed

    (vectors,) = _checked(vectors)
    count, dimensions = vectors.shape
    if not count:
        raise ValueError("no vectors to index")
    if kind == "flat":
        index = faiss.IndexFlatIP(dimensions)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(dimensions, HNSW_NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = HNSW_BUILD_WIDTH
        index.hnsw.efSearch = HNSW_SEARCH_WIDTH
    elif kind == "ivf":
        lists = max(1, round(IVF_LISTS_PER_ROOT * count**0.5))
        cells = faiss.IndexFlatIP(dimensions)
        index = faiss.IndexIVFFlat(cells, dimensions, lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = 1  # small collections are no mistake
        index.nprobe = min(lists, max(IVF_LEAST_READ, round(IVF_SHARE_READ * lists)))
        index.train(vectors)
    else:
        raise ValueError(f"no index of kind {kind!r}; there are {', '.join(get_args(Kind))}")
    index.add(vectors)
    return index


def _checked(*parts: np.ndarray) -> list[np.ndarray]:
    """Each as rows of float32; raises ValueError if one is not, or their widths differ."""
    for part in parts:
        if part.ndim != 2 or part.shape[1] != parts[0].shape[1]:
            shapes = " and ".join(str(part.shape) for part in parts)
            raise ValueError(f"vectors of shape {shapes}; rows of the same length are needed")
        if not np.isfinite(part).all():
            row = int(np.flatnonzero(~np.isfinite(part).all(axis=1))[0])
            raise ValueError(f"vector {row} has values that are not finite")
    return [np.ascontiguousarray(part, np.float32) for part in parts]
