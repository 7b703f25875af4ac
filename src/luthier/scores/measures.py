"""A metric as it was measured on some rows: its value, its interval, and how far it is from that of another candidate.

Either each row has its share by itself and the metric is their mean (`PerRow`), or it is of all rows together (`OfAll`). Either
may have been measured on some of the rows only (`OfSome`). Whatever asks for values, intervals and differences needs to know no
more of a metric than that. Where rows share something, as questions on one text do, a measure is told so once (`clustered`).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats, Ints
from luthier.scores.apart import Apart, means_apart, shares_apart, statistics_apart
from luthier.scores.clusters import Clusters
from luthier.scores.intervals import (
    Difference,
    Estimate,
    Statistic,
    bootstrap,
    mean_of,
    paired_bootstrap,
    paired_bootstrap_of,
    paired_proportions,
    paired_standard_error,
    percentiles,
    proportion,
)

CONFIDENCE = 0.95
"""Confidence of the intervals."""


class Measure(ABC):
    """A metric of one candidate's answers to some rows."""

    @property
    @abstractmethod
    def value(self) -> float:
        """The metric of all rows."""

    @abstractmethod
    def of(self, rows: Ints) -> float:
        """The metric of some of the rows, by their places."""

    @abstractmethod
    def among(self, rows: Ints) -> Self:
        """The same metric of some of the rows, as it was measured beside all of them. rows: their places, ascending."""

    @property
    @abstractmethod
    def clusters(self) -> Clusters:
        """Which of the values that it is made of go together."""

    @abstractmethod
    def clustered(self, groups: Ints) -> Self:
        """The same metric, of rows that share something. groups: (rows,) equal where they do."""

    @abstractmethod
    def estimate(self, seed: int) -> Estimate:
        """The value with its 95 % interval."""

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether differences are tested at any level, as they are where each row has its share: a bootstrap alone knows little
        of what happens once in a thousand times."""

    @abstractmethod
    def minus(self, other: Any, seed: int, confidence: float = CONFIDENCE) -> Difference:
        """How much higher this is than the same metric of another candidate's answers to the same rows, and the interval."""

    @abstractmethod
    def standard_error(self, other: Any, seed: int) -> float:
        """Standard error of the difference between the two candidates' metrics."""

    @abstractmethod
    def apart(self, other: Any, seed: int) -> Apart:
        """How much higher this is than the same metric of other rows."""


@dataclass(frozen=True)
class PerRow(Measure):
    """A metric that is the mean of one value per row, such as accuracy; or of one per word, question or the like of a row."""

    values: Floats
    """(units,) the value of each row, or of each of its units."""
    share: bool = False
    """Whether each value is 1 or 0: the interval of a share stays honest where all rows are alike."""
    rows: Ints | None = None
    """(units,) the place of the row that each unit is of; None where there is a unit for each row, in their order."""
    groups: Ints | None = None
    """(units,) equal where units share something; None where they share nothing but their row."""

    @property
    def value(self) -> float:
        return float(self.values.mean())

    def of(self, rows: Ints) -> float:
        return float(self.values[rows].mean())

    def among(self, rows: Ints) -> "PerRow":
        if self.rows is None:
            return replace(
                self, values=self.values[rows], groups=None if self.groups is None else self.groups[rows]
            )
        own = np.isin(self.rows, rows)
        return replace(
            self,
            values=self.values[own],
            rows=np.searchsorted(rows, self.rows[own]),
            groups=None if self.groups is None else self.groups[own],
        )

    @property
    def clusters(self) -> Clusters:
        return Clusters.of_rows(self.together, len(self.values))

    def clustered(self, groups: Ints) -> "PerRow":
        return replace(self, groups=groups if self.rows is None else groups[self.rows])

    @property
    def together(self) -> Ints | None:
        """(units,) equal where units share something, be it their row; None where none do."""
        return self.rows if self.groups is None else self.groups

    def estimate(self, seed: int) -> Estimate:
        if self.share:
            return proportion(self.values, groups=self.together, confidence=CONFIDENCE)
        return bootstrap(
            mean_of(self.values),
            len(self.values),
            groups=self.together,
            confidence=CONFIDENCE,
            seed=seed,
        )

    @property
    def exact(self) -> bool:
        return True

    def minus(self, other: "PerRow", seed: int, confidence: float = CONFIDENCE) -> Difference:
        how = paired_proportions if self.share and other.share else paired_bootstrap
        return how(self.values, other.values, groups=self.together, confidence=confidence, seed=seed)

    def standard_error(self, other: "PerRow", seed: int) -> float:
        return paired_standard_error(self.values, other.values, self.together)

    def apart(self, other: "PerRow", seed: int) -> Apart:
        how = shares_apart if self.share and other.share else means_apart
        return how(self.values, other.values, (self.clusters, other.clusters), CONFIDENCE)


@dataclass(frozen=True)
class OfAll(Measure):
    """A metric that is a statistic of all rows together, such as a correlation or macro F1."""

    statistic: Statistic
    answers: NDArray[Any]
    """(rows, ...) by which two candidates are told to answer a row alike."""
    groups: Ints | None = None
    """(rows,) equal where rows share something; None where none do."""
    shift: Statistic | None = None
    """How far the gaps of resampled rows lie from those of the rows themselves, where the statistic is a sum of absolute gaps: it
    is further off in no case. Such a sum has more of chance in it the fewer the rows are, and in resampled rows twice as much, so
    that their percentiles lie too high. None where resampling moves the statistic to no side."""

    @property
    def value(self) -> float:
        return self.of(np.arange(len(self.answers)))

    def of(self, rows: Ints) -> float:
        return float(self.statistic(rows[None])[0])

    def among(self, rows: Ints) -> "OfAll":
        return OfAll(
            lambda drawn: self.statistic(rows[drawn]),
            self.answers[rows],
            None if self.groups is None else self.groups[rows],
        )

    @property
    def clusters(self) -> Clusters:
        return Clusters.of_rows(self.groups, len(self.answers))

    def clustered(self, groups: Ints) -> "OfAll":
        return replace(self, groups=groups)

    def estimate(self, seed: int) -> Estimate:
        if self.shift is None:
            return self.bootstrapped(self.statistic, seed)
        found, reach = (
            self.bootstrapped(self.statistic, seed, basic=True),
            self.bootstrapped(self.shift, seed),
        )
        return replace(found, low=max(0.0, found.value - reach.high))

    def bootstrapped(self, statistic: Statistic, seed: int, basic: bool = False) -> Estimate:
        """A statistic of these rows with its interval."""
        rows = len(self.answers)
        return bootstrap(statistic, rows, groups=self.groups, confidence=CONFIDENCE, seed=seed, basic=basic)

    @property
    def exact(self) -> bool:
        return False

    def minus(self, other: "OfAll", seed: int, confidence: float = CONFIDENCE) -> Difference:
        unlike = self.answers != other.answers
        return paired_bootstrap_of(
            self.statistic,
            other.statistic,
            unlike.reshape(len(unlike), -1).any(axis=1),
            groups=self.groups,
            confidence=confidence,
            seed=seed,
            basic=self.shift is not None,
        )

    def standard_error(self, other: "OfAll", seed: int) -> float:
        """Half the interval of the difference, in standard errors."""
        gap, clusters = self.minus(other, seed), Clusters.of_rows(self.groups, len(self.answers))
        _, upper = percentiles(clusters.count, CONFIDENCE)
        reach = NormalDist().inv_cdf(upper) if upper < 1 else math.inf
        return (gap.high - gap.low) / (2 * reach) if math.isfinite(reach) else math.inf

    def apart(self, other: "OfAll", seed: int) -> Apart:
        both = (self.clusters, other.clusters)
        return statistics_apart(self.statistic, other.statistic, both, CONFIDENCE, seed)


@dataclass(frozen=True)
class OfSome(Measure):
    """A metric that was measured on some of the rows alone, as it is dear: texts are generated for a few hundred at the most."""

    measure: Measure
    """The metric of those rows."""
    places: Ints
    """(measured,) the places of those rows among all, ascending."""

    @property
    def value(self) -> float:
        return self.measure.value

    def of(self, rows: Ints) -> float:
        """The metric of those of the rows on which it was measured, each as often as it is named; not a number without any."""
        found = np.searchsorted(self.places, rows)
        measured = self.places[np.minimum(found, len(self.places) - 1)] == rows
        return self.measure.of(found[measured]) if measured.any() else math.nan

    def among(self, rows: Ints) -> "OfSome":
        measured = np.flatnonzero(np.isin(self.places, rows))
        return OfSome(self.measure.among(measured), np.searchsorted(rows, self.places[measured]))

    @property
    def clusters(self) -> Clusters:
        return self.measure.clusters

    def clustered(self, groups: Ints) -> "OfSome":
        return replace(self, measure=self.measure.clustered(groups[self.places]))

    def estimate(self, seed: int) -> Estimate:
        return self.measure.estimate(seed)

    @property
    def exact(self) -> bool:
        return self.measure.exact

    def minus(self, other: "OfSome", seed: int, confidence: float = CONFIDENCE) -> Difference:
        return self.measure.minus(self.alike(other), seed, confidence)

    def standard_error(self, other: "OfSome", seed: int) -> float:
        return self.measure.standard_error(self.alike(other), seed)

    def apart(self, other: "OfSome", seed: int) -> Apart:
        return self.measure.apart(other.measure, seed)

    def alike(self, other: "OfSome") -> Measure:
        """The other candidate's metric of the same rows."""
        assert np.array_equal(self.places, other.places), "the candidates were measured on different rows"
        return other.measure
