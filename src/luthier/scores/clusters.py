"""Rows that are not independent of each other, as they share something: questions on one text, sentences of one document.

What such rows answer may be alike, so that twenty of them say less than twenty rows that share nothing. Everything that tells how
far a score could be off draws, leaves out or exchanges whole clusters; a row that shares nothing is a cluster of its own.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats, Ints

NUMBERS_AT_ONCE = 2**18
"""Row numbers held in memory together: 2 MiB, which stays in the processor's cache. One draw is never cut."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which rows go together.

    >>> found = Clusters.of_rows(np.array([7, 7, 3]), 3)
    >>> found.count, found.sizes, found.sums(np.array([1.0, 0.0, 1.0]))
    (2, array([1, 2]), array([1., 1.]))
    """

    of: Ints
    """(rows,) the number of the cluster of each row, from 0 on."""
    count: int
    """How many clusters there are."""

    @staticmethod
    def of_rows(groups: Ints | None, rows: int) -> "Clusters":
        """groups: (rows,) equal where rows share something; None where none do."""
        if groups is None:
            return Clusters(np.arange(rows), rows)
        assert len(groups) == rows, f"{len(groups)} groups of {rows} rows"
        numbers, of = np.unique(groups, return_inverse=True)
        return Clusters(of, len(numbers))

    @property
    def single(self) -> bool:
        """Whether every row is a cluster of its own."""
        return self.count == len(self.of)

    @cached_property
    def sizes(self) -> Ints:
        """(clusters,) how many rows each has."""
        return np.bincount(self.of, minlength=self.count)

    @cached_property
    def order(self) -> Ints:
        """(rows,) the row numbers, one cluster after the other."""
        return np.argsort(self.of, kind="stable").astype(np.int64)

    def sums(self, values: Floats) -> NDArray[np.float64]:
        """(clusters,) the sum over the rows of each. values: (rows,)."""
        return np.bincount(self.of, np.asarray(values, np.float64), self.count).astype(np.float64)

    @property
    def largest_effect(self) -> float:
        """The design effect where all rows of a cluster have one value: by how much the variance of a mean is larger then than
        that of independent rows."""
        return float(np.square(self.sizes).sum() / max(1, len(self.of)))

    def variance_of_mean(self, values: Floats) -> float:
        """Variance of the mean of some rows' values, from how the clusters differ; infinite for one cluster.

        values: (rows,).  The mean is a ratio of two sums over clusters, so that clusters of any size are right: its linearised
        variance (Cochran 1977, "Sampling Techniques", 3rd edition, section 2.11). It is that of the independent rows where each
        is a cluster of its own.
        """
        if self.count < 2:
            return math.inf
        apart = self.sums(values) - float(np.mean(values)) * self.sizes
        return float(np.square(apart).sum() * self.count / (self.count - 1)) / len(self.of) ** 2

    def resamples(self, draws: int, seed: int) -> Iterator[NDArray[np.int64]]:
        """Row numbers of whole clusters drawn with replacement, (draws, rows) in all, a few draws at a time.

        Draws whose clusters have as many rows come together, so the rows of one piece may be more or fewer than those of another.
        """
        random = np.random.Generator(np.random.Philox(seed))
        at_once = max(1, NUMBERS_AT_ONCE // max(self.count, len(self.of)))
        for start in range(0, draws, at_once):
            drawn = random.integers(0, self.count, (min(at_once, draws - start), self.count))
            if self.single:
                yield drawn
            else:
                yield from self.rows_of(drawn)

    def sample(self, dice: np.random.Generator) -> Ints:
        """Rows of as many clusters as there are, drawn with replacement."""
        drawn = dice.integers(self.count, size=self.count)
        return drawn if self.single else next(self.rows_of(drawn[None]))[0]

    def rows_of(self, drawn: Ints) -> Iterator[NDArray[np.int64]]:
        """The rows of drawn clusters. drawn: (draws, clusters) their numbers."""
        begins = np.cumsum(self.sizes) - self.sizes
        totals = self.sizes[drawn].sum(axis=1)
        for total in np.unique(totals):
            chosen = drawn[totals == total].ravel()
            sizes = self.sizes[chosen]
            within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            yield self.order[np.repeat(begins[chosen], sizes) + within].reshape(-1, total)


def student(clusters: int, confidence: float) -> float:
    """Standard errors to either side that hold `confidence` of Student's distribution of so many clusters; infinite for one.

    >>> round(student(10, 0.95), 3), round(student(2000, 0.95), 3)
    (2.262, 1.961)
    """
    if clusters < 2:
        return math.inf
    from scipy.special import stdtrit  # here, as it takes a while, and prediction does without it

    return float(stdtrit(clusters - 1, (1 + confidence) / 2))
