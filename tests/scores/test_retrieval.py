"""Scores of a search: against brute force one query at a time, values by hand."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from luthier.scores import retrieval

Found = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Queries, documents, and the number of the right document of each query."""


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def search(random: np.random.Generator) -> Found:
    """60 queries near their right one of 40 documents, none of unit length."""
    documents = random.normal(size=(40, 8)) * random.uniform(0.1, 10, (40, 1))
    relevant = random.integers(0, 40, 60)
    queries = documents[relevant] / 3 + random.normal(size=(60, 8))
    return queries, documents, relevant


def brute_force(queries: NDArray[Any], documents: NDArray[Any], relevant: NDArray[Any]) -> list[int]:
    """Sort all documents of each query by cosine, the right one behind its equals; its place."""
    places = []
    for query, right in zip(queries, relevant, strict=True):
        cosines = [
            float(np.dot(query, document) / np.linalg.norm(query) / np.linalg.norm(document))
            for document in documents
        ]
        order = sorted(range(len(documents)), key=lambda k: (-cosines[k], k == right))
        places.append(order.index(right) + 1)
    return places


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_ranks_are_those_of_sorting_each_querys_cosines(
    search: Found, precision: type[np.floating[Any]]
) -> None:
    queries, documents, relevant = search
    queries, documents = queries.astype(precision), documents.astype(precision)

    found = retrieval.ranks(queries, documents, relevant)

    assert found.tolist() == brute_force(queries, documents, relevant)
    assert found.min() == 1
    assert found.max() > 5


def test_blocks_do_not_show(search: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = retrieval.ranks(*search)

    for at_once in (1, 7 * 40, 59 * 40):
        monkeypatch.setattr(retrieval, "COSINES_AT_ONCE", at_once)
        assert retrieval.ranks(*search).tolist() == whole.tolist()


def test_lengths_do_not_count(search: Found) -> None:
    queries, documents, relevant = search
    asked, held = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (queries, documents))

    found = retrieval.ranks(asked, held, relevant)

    assert found.tolist() == retrieval.ranks(queries, documents, relevant).tolist()


def test_half_precision_is_compared_as_float32(
    search: Found,
) -> None:
    queries, documents, relevant = search
    asked, held = queries.astype(np.float16), documents.astype(np.float16)

    found = retrieval.ranks(asked, held, relevant)

    whole = retrieval.ranks(asked.astype(np.float32), held.astype(np.float32), relevant)
    assert found.tolist() == whole.tolist()


def test_vectors_all_alike_rank_last() -> None:
    collapsed = np.full((5, 3), 0.1, np.float32)

    assert retrieval.ranks(collapsed, collapsed, np.arange(5)).tolist() == [5] * 5


@pytest.mark.parametrize("width", [3, 50, 384, 1024])
def test_a_document_given_twice_costs_one_rank_wherever_the_two_stand(
    random: np.random.Generator, width: int
) -> None:
    once = random.normal(size=(101, width)).astype(np.float32)
    twice = np.concatenate([once, once])

    found = retrieval.ranks(once + 0.1, twice, np.arange(101))

    assert found.tolist() == (2 * retrieval.ranks(once + 0.1, once, np.arange(101))).tolist()


def test_a_query_of_zeros_is_as_far_from_all_and_a_document_of_zeros_as_far_as_a_right_angle() -> None:
    documents = np.array([[1.0, 0.0], [0.0, 0.0], [-1.0, 0.0]])

    assert retrieval.ranks(np.zeros((1, 2)), documents, np.array([0])).tolist() == [3]
    assert retrieval.ranks(np.ones((2, 2)), documents, np.array([1, 2])).tolist() == [2, 3]


def test_many_queries_and_documents_do_not_need_all_cosines_at_once(
    random: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "COSINES_AT_ONCE", 2**16)
    vectors = random.normal(size=(3000, 4)).astype(np.float32)

    tracemalloc.start()
    found = retrieval.ranks(vectors, vectors, np.arange(3000))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert np.median(found) == 1
    assert peak_bytes < 3000 * 3000 * 4 / 10


def test_recall_and_reciprocal_rank_by_hand() -> None:
    ranks = np.array([1, 2, 10, 11])

    assert [retrieval.recall_at(ranks, k) for k in (1, 2, 10, 11)] == [0.25, 0.5, 0.75, 1.0]
    assert retrieval.hits_at(ranks, 2).tolist() == [1, 1, 0, 0]
    assert retrieval.reciprocal_ranks(ranks).tolist() == [1, 0.5, 0.1, 1 / 11]
    assert retrieval.mrr(ranks) == pytest.approx((1 + 1 / 2 + 1 / 10 + 1 / 11) / 4)


def test_a_search_that_is_our_own_bug_is_refused(
    search: Found,
) -> None:
    queries, documents, relevant = search

    with pytest.raises(AssertionError, match="widths 8 and 7"):
        retrieval.ranks(queries, documents[:, :7], relevant)
    with pytest.raises(AssertionError, match="60 queries and 59 right documents"):
        retrieval.ranks(queries, documents, relevant[1:])
    with pytest.raises(AssertionError, match="a right document that is none"):
        retrieval.ranks(queries, documents[: relevant.max()], relevant)
    with pytest.raises(AssertionError, match="queries must be finite"):
        retrieval.ranks(np.full_like(queries, np.nan), documents, relevant)
    with pytest.raises(AssertionError, match="there are no first 0"):
        retrieval.recall_at(np.array([1]), 0)
