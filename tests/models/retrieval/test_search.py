"""Exact and approximate search against a plain one that sorts all cosine distances."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from models.retrieval import search


def unit(count: int, seed: int = 0, dimensions: int = 8) -> np.ndarray:
    """Random unit vectors (count, dimensions) float32."""
    rows = np.random.default_rng(seed).standard_normal((count, dimensions))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=[(1, 1), (4, 7), (1_024, 8_192)], ids=str)
def blocks(request, monkeypatch):
    """Blocks of one, blocks that do not divide the sizes, and blocks that hold everything."""
    monkeypatch.setattr(search, "QUERIES_AT_ONCE", request.param[0])
    monkeypatch.setattr(search, "CANDIDATES_AT_ONCE", request.param[1])


def test_ranks_are_those_of_sorted_cosine_distances(blocks):
    queries, candidates = unit(30), unit(30, seed=1)
    order = np.argsort(cdist(queries, candidates, "cosine"), axis=1)
    expected = np.argmax(order == np.arange(30)[:, None], axis=1)
    better, equal = search.ranks(queries, candidates)
    assert better.tolist() == expected.tolist()
    assert not equal.any()


def test_ties_are_counted_and_do_not_count_as_better(blocks):
    """Candidates 0 to 4 are one vector, 5 and 6 another; the last one stands alone."""
    distinct = unit(3)
    candidates = distinct[[0, 0, 0, 0, 0, 1, 1, 2]]
    queries = np.array([distinct[0]] * 8)
    distance = cdist(distinct[:1], distinct, "cosine")[0]
    assert distance[0] < min(distance[1:])
    better, equal = search.ranks(queries, candidates)
    assert equal.tolist() == [4, 4, 4, 4, 4, 1, 1, 0]
    first, second = (5, 7) if distance[1] < distance[2] else (6, 5)
    assert better.tolist() == [0] * 5 + [first] * 2 + [second]


def test_rounding_does_not_part_equal_vectors():
    """The same product can come out differently at the edge of a block of the multiplication."""
    queries, candidate = unit(500, dimensions=32), unit(1, seed=1, dimensions=32)
    better, equal = search.ranks(queries, np.repeat(candidate, 500, axis=0))
    assert not better.any()
    assert (equal == 499).all()


def test_the_true_candidate_can_be_any(blocks):
    queries, candidates = unit(5), unit(40, seed=1)
    order = np.argsort(cdist(queries, candidates, "cosine"), axis=1)
    for place in (0, 3, 39):
        better, _ = search.ranks(queries, candidates, truth=order[:, place])
        assert better.tolist() == [place] * 5


@pytest.mark.parametrize("k", [1, 5, 60])
def test_nearest_are_the_first_of_all_sorted(blocks, k):
    queries, candidates = unit(9), unit(60, seed=1)
    distance = cdist(queries, candidates, "cosine")
    order = np.argsort(distance, axis=1)[:, :k]
    scores, rows = search.nearest(queries, candidates, k)
    assert rows.tolist() == order.tolist()
    np.testing.assert_allclose(scores, 1 - np.take_along_axis(distance, order, 1), atol=1e-6)


def test_flat_index_is_exact():
    queries, candidates = unit(20), unit(500, seed=1)
    exact = search.nearest(queries, candidates, 25)
    found = search.nearest(queries, search.build(candidates, "flat"), 25)
    assert found[1].tolist() == exact[1].tolist()
    np.testing.assert_allclose(found[0], exact[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_approximate_indices_find_nearly_all_of_an_easy_set(kind):
    """Queries stand next to one of 2,000 vectors in clusters of 20."""
    random = np.random.default_rng(0)
    candidates = np.repeat(unit(100, dimensions=32), 20, axis=0)
    candidates = candidates + 0.05 * random.standard_normal(candidates.shape)
    queries = candidates[::10] + 0.01 * random.standard_normal((200, 32))
    candidates, queries = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (candidates, queries)
    )
    true = np.argsort(cdist(queries, candidates, "cosine"), axis=1)[:, :25]
    scores, rows = search.nearest(queries, search.build(candidates, kind), 25)
    assert (rows[:, 0] == true[:, 0]).all()
    assert np.mean([np.isin(*both) for both in zip(true, rows, strict=True)]) > 0.95
    assert (np.diff(scores, axis=1) <= 0).all()
    assert scores[:, 0] == pytest.approx((queries * candidates[rows[:, 0]]).sum(1), abs=1e-5)


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf"])
def test_one_vector_is_a_collection_too(kind, capfd):
    one = unit(1)
    scores, rows = search.nearest(one, search.build(one, kind), 1)
    assert rows.tolist() == [[0]]
    assert scores == pytest.approx(1)
    assert capfd.readouterr() == ("", "")  # no warning either


def test_bad_input_is_refused():
    vectors = unit(10)
    for candidates in (vectors, search.build(vectors)):
        for k in (0, 11):
            with pytest.raises(ValueError, match=f"{k} nearest of 10 vectors"):
                search.nearest(vectors, candidates, k)
        with pytest.raises(ValueError, match=r"dimensions|same length"):
            search.nearest(unit(3, dimensions=4), candidates, 1)
    with pytest.raises(ValueError, match="9 queries for 10 candidates"):
        search.ranks(vectors[:9], vectors)
    with pytest.raises(ValueError, match="no index of kind 'tree'; there are flat, hnsw, ivf"):
        search.build(vectors, "tree")
    with pytest.raises(ValueError, match="no vectors"):
        search.build(vectors[:0])
    broken = vectors.copy()
    broken[4, 2] = np.nan  # would else come out on top: nothing is better than it
    for search_with in (
        lambda: search.ranks(broken, vectors),
        lambda: search.ranks(vectors, broken),
        lambda: search.nearest(broken, vectors, 1),
        lambda: search.build(broken),
    ):
        with pytest.raises(ValueError, match="vector 4 has values that are not finite"):
            search_with()
