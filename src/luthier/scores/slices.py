"""Slices of rows: which rows they hold, how a metric is in each, and whether it differs from that of all other rows.

Shapes: a slice's rows are places among all rows, ascending.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from luthier.arrays import Floats, Ints
from luthier.scores.apart import Apart
from luthier.scores.intervals import Estimate
from luthier.scores.measures import Measure
from luthier.scores.metrics import Metric
from luthier.scores.multiple import holm

FEWEST = 20
"""The fewest rows, or clusters of them, of a slice that is looked at, and of the rows beside it."""
MOST = 60
"""The most slices that are looked at: the first ones. Each takes its share of what the others could show."""
LEVEL = 0.05
"""The level at which a slice is said to differ, after Holm's correction."""


@dataclass(frozen=True)
class Slice:
    """Some of the rows, and what they have in common."""

    by: str
    """By what rows were told apart: `length`, the name of a column."""
    name: str
    """What is said of these rows."""
    rows: Ints


@dataclass(frozen=True)
class SliceScore:
    """How a metric is in a slice."""

    slice: Slice
    score: Estimate
    apart: Apart
    """How much better it is than in all other rows."""
    corrected: float
    """The p-value after Holm's correction."""

    @property
    def differs(self) -> bool:
        """Whether the slice differs from the other rows beyond noise."""
        return self.corrected <= LEVEL


def scores_of(
    slices: Sequence[Slice], rows: int, measure: Measure, metric: Metric, seed: int
) -> list[SliceScore]:
    """The scores of slices, but for those that are too small, have no score, or hold the rows of an earlier one or all but these.

    rows: how many there are.  measure: the metric on all of them.
    """
    found: list[tuple[Slice, Estimate, Apart]] = []
    for one in distinct(slices, rows):
        own, others = measure.among(one.rows), measure.among(np.setdiff1d(np.arange(rows), one.rows))
        if min(own.clusters.count, others.clusters.count) < FEWEST or len(found) == MOST:
            continue
        score, apart = own.estimate(seed), own.apart(others, seed)
        if np.isfinite([score.value, score.low, score.high, apart.gap.low, apart.gap.high]).all():
            found.append((one, score, apart if metric.higher else -apart))
    corrected = holm(np.array([apart.p for _, _, apart in found]))
    return [
        SliceScore(one, score, apart, float(p))
        for (one, score, apart), p in zip(found, corrected, strict=True)
    ]


def distinct(slices: Sequence[Slice], rows: int) -> Iterator[Slice]:
    """The slices but for those that hold all rows, or the rows of an earlier one, or all but these: a column of two values is one
    question, not two."""
    seen: set[bytes] = set()
    for one in slices:
        inside = np.zeros(rows, bool)
        inside[one.rows] = True
        if inside.tobytes() not in seen and inside.any() and not inside.all():
            seen |= {inside.tobytes(), (~inside).tobytes()}
            yield one


# How rows are told apart


@dataclass(frozen=True)
class Third:
    """The rows whose number lies between two ends, both inside."""

    low: float
    high: float
    rows: Ints


def thirds(values: Floats) -> list[Third]:
    """The rows by their number, in three parts that are as large as equal numbers allow, the smallest first.

    values: (rows,); a row that has none, which is nan, is in no part.

    >>> [(one.low, one.high, one.rows.tolist()) for one in thirds(np.array([3.0, 1.0, np.nan, 2.0]))]
    [(1.0, 1.0, [1]), (2.0, 2.0, [3]), (3.0, 3.0, [0])]
    """
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return []
    ends = np.quantile(values[known], [1 / 3, 2 / 3], method="inverted_cdf")
    part = np.searchsorted(ends, values[known], side="left")
    found = []
    for number in range(3):
        rows = known[part == number]
        if len(rows):
            found.append(Third(float(values[rows].min()), float(values[rows].max()), rows))
    return found


def by_value(values: Sequence[str]) -> dict[str, Ints]:
    """The rows of each value, the most frequent value first.

    >>> {value: rows.tolist() for value, rows in by_value(["b", "a", "b"]).items()}
    {'b': [0, 2], 'a': [1]}
    """
    names, of, counts = np.unique(np.array(values, object), return_inverse=True, return_counts=True)
    return {str(names[number]): np.flatnonzero(of == number) for number in np.argsort(-counts, kind="stable")}
