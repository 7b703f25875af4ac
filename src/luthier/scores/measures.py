"""A metric as it was measured on some rows: its value, its interval, and how far it is from that of another candidate.

Either each row has its share by itself and the metric is their mean (`PerRow`), or it is of all rows together (`OfAll`). Either
may have been measured on some of the rows only (`OfSome`). Whatever asks for values, intervals and differences needs to know no
more of a metric than that.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats, Ints
from luthier.scores.intervals import (
    Difference,
    Estimate,
    Statistic,
    bootstrap,
    mean_of,
    paired_bootstrap,
    paired_bootstrap_of,
    paired_standard_error,
    proportion,
)

NORMAL = 1.96
"""Standard deviations to either side of a normal variable that hold 95 % of it."""


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
    def estimate(self, seed: int) -> Estimate:
        """The value with its 95 % interval."""

    @abstractmethod
    def minus(self, other: Any, seed: int) -> Difference:
        """How much higher this is than the same metric of another candidate's answers to the same rows, and the interval."""

    def standard_error(self, other: Any, seed: int) -> float:
        """Standard error of the difference between the two candidates' metrics."""
        gap = self.minus(other, seed)
        return (gap.high - gap.low) / (2 * NORMAL)


@dataclass(frozen=True)
class PerRow(Measure):
    """A metric that is the mean of one value per row, such as accuracy."""

    values: Floats
    """(rows,) the value of each row."""
    share: bool = False
    """Whether each value is 1 or 0: the interval of a share stays honest where all rows are alike."""

    @property
    def value(self) -> float:
        return float(self.values.mean())

    def of(self, rows: Ints) -> float:
        return float(self.values[rows].mean())

    def estimate(self, seed: int) -> Estimate:
        if self.share:
            return proportion(self.values, seed=seed)
        return bootstrap(mean_of(self.values), len(self.values), seed=seed)

    def minus(self, other: "PerRow", seed: int) -> Difference:
        return paired_bootstrap(self.values, other.values, seed=seed)

    def standard_error(self, other: "PerRow", seed: int) -> float:
        return paired_standard_error(self.values, other.values)


@dataclass(frozen=True)
class OfAll(Measure):
    """A metric that is a statistic of all rows together, such as a correlation or macro F1."""

    statistic: Statistic
    answers: NDArray[Any]
    """(rows, ...) by which two candidates are told to answer a row alike."""

    @property
    def value(self) -> float:
        return self.of(np.arange(len(self.answers)))

    def of(self, rows: Ints) -> float:
        return float(self.statistic(rows[None])[0])

    def estimate(self, seed: int) -> Estimate:
        return bootstrap(self.statistic, len(self.answers), seed=seed)

    def minus(self, other: "OfAll", seed: int) -> Difference:
        unlike = self.answers != other.answers
        differing = int(unlike.reshape(len(unlike), -1).any(axis=1).sum())
        return paired_bootstrap_of(
            self.statistic, other.statistic, len(self.answers), differing=differing, seed=seed
        )


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

    def estimate(self, seed: int) -> Estimate:
        return self.measure.estimate(seed)

    def minus(self, other: "OfSome", seed: int) -> Difference:
        return self.measure.minus(self.alike(other), seed)

    def standard_error(self, other: "OfSome", seed: int) -> float:
        return self.measure.standard_error(self.alike(other), seed)

    def alike(self, other: "OfSome") -> Measure:
        """The other candidate's metric of the same rows."""
        assert np.array_equal(self.places, other.places), "the candidates were measured on different rows"
        return other.measure
