"""Scores of a search: at which rank each query finds the one document that is right for it.

Shapes: queries (queries, width), documents (documents, width), compared by cosine; ranks (queries,), 1 is best.
"""

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats, Ints

COSINES_AT_ONCE = 2**24
"""The most cosines held in memory together: 64 MiB of float32. One query is never cut."""

EPSILONS_OF_A_TIE = 8
"""Cosines nearer than this many machine epsilons are tied: a matrix product rounds the same two vectors
differently from place to place, and which of two equal documents comes first must not hang on that."""


def ranks(queries: Floats, documents: Floats, relevant: Ints) -> NDArray[np.int64]:
    """Rank of each query's right document among all documents, from 1; (queries,).

    relevant: (queries,), the row of the right document.  Vectors of any length; one of zeros has cosine 0 with
    all. Ties count against the search, so that vectors all alike rank last and not first; the same text given
    twice as a document therefore costs a rank. Cosines are float32, or float64 if one of the sides is.

    >>> ranks(np.array([[1.0, 0.0]]), np.array([[0.9, 0.1], [0.0, 1.0], [2.0, 0.0]]), np.array([0]))
    array([2])
    """
    _check(queries, documents, relevant)
    precision = np.result_type(queries, documents, np.float32)
    queries, documents = _unit(queries, precision), _unit(documents, precision)
    tie = EPSILONS_OF_A_TIE * np.finfo(precision).eps

    found = np.empty(len(queries), np.int64)
    at_once = max(1, COSINES_AT_ONCE // len(documents))
    for start in range(0, len(queries), at_once):
        block = slice(start, start + at_once)
        cosines = queries[block] @ documents.T
        of_right = np.take_along_axis(cosines, relevant[block, None], axis=1)
        found[block] = np.count_nonzero(cosines >= of_right - tie, axis=1)  # the right one is among them
    return found


def recall_at(ranks: Ints, k: int) -> float:
    """Share of queries whose right document is among the first k, in [0, 1].

    >>> recall_at(np.array([1, 3, 7, 2]), k=3)
    0.75
    """
    return _mean(hits_at(ranks, k))


def hits_at(ranks: Ints, k: int) -> NDArray[np.float64]:
    """(queries,), 1 where the right document is among the first k, else 0; `intervals.proportion` takes it."""
    assert k >= 1, f"there are no first {k}"
    return np.less_equal(ranks, k).astype(np.float64)


def mrr(ranks: Ints) -> float:
    """Mean reciprocal rank, in (0, 1]: 1 if the right document always comes first, 0.5 if always second.

    Voorhees 1999, "The TREC-8 Question Answering Track Report", section 3, there cut off after rank 5.

    >>> mrr(np.array([1, 2, 4, 4]))
    0.5
    """
    return _mean(reciprocal_ranks(ranks))


def reciprocal_ranks(ranks: Ints) -> NDArray[np.float64]:
    """1 / rank of each query, (queries,), in (0, 1]; `intervals` takes it."""
    return 1 / np.asarray(ranks, np.float64)


def _unit(vectors: Floats, precision: np.dtype[np.floating]) -> Floats:
    vectors = vectors.astype(precision)
    lengths = np.sqrt(np.einsum("vw,vw->v", vectors, vectors))[:, None]
    unit: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit


def _mean(per_query: NDArray[np.float64]) -> float:
    assert len(per_query) > 0, "no query to score"
    return float(per_query.mean())


def _check(queries: Floats, documents: Floats, relevant: Ints) -> None:
    assert queries.ndim == documents.ndim == 2, f"queries {queries.shape} and documents {documents.shape}"
    assert queries.shape[1] == documents.shape[1], f"widths {queries.shape[1]} and {documents.shape[1]}"
    assert len(queries) == len(relevant) > 0, f"{len(queries)} queries and {len(relevant)} right documents"
    assert 0 <= relevant.min() <= relevant.max() < len(documents), "a right document that is none"
    # A comparison with NaN is false, so it would give the best of all ranks.
    assert np.isfinite(queries).all(), "queries must be finite"
    assert np.isfinite(documents).all(), "documents must be finite"
