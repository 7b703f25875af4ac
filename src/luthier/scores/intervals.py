"""How far a score could be off because the rows are few: intervals from resampled rows.

One idea serves every metric. A statistic answers many resamples at once: it takes row numbers (draws, rows)
and gives one value a draw. A mean is such a statistic (`mean_of`), macro F1 another (`resampled_macro_f1`,
beside the metric), and the score itself is the statistic of the rows as they are, each taken once.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats, Ints

Statistic = Callable[[Ints], NDArray[np.float64]]
"""A function from row numbers (draws, rows) to values (draws,)."""

NUMBERS_AT_ONCE = 2**18
"""Row numbers held in memory together: 2 MiB, which stays in the processor's cache. One draw is never cut."""


@dataclass(frozen=True, repr=False)
class Estimate:
    """A score, and the interval in which it would probably lie on other rows of the same kind.

    >>> Estimate(0.892, 0.8781, 0.9062)
    Estimate(0.892, 0.878 to 0.906)
    >>> print(Estimate(0.892, 0.8781, 0.9062))
    0.892 (0.878 to 0.906)
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"

    def __repr__(self) -> str:
        return f"Estimate({self.value:.3f}, {self.low:.3f} to {self.high:.3f})"

    def to_json(self) -> dict[str, float]:
        """The estimate as `scorecard.json` holds it; `Estimate(**that)` reads it back."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, repr=False)
class Difference:
    """How much higher the first of two candidates scores than the second, on the same rows.

    >>> Difference(0.242, 0.219, 0.265)
    Difference(+0.242, +0.219 to +0.265)
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f})"

    def __neg__(self) -> "Difference":
        """How much lower the first scores than the second.

        >>> -Difference(0.242, 0.219, 0.265)
        Difference(-0.242, -0.265 to -0.219)
        """
        return Difference(-self.value, -self.high, -self.low)

    def __repr__(self) -> str:
        return f"Difference({self.value:+.3f}, {self.low:+.3f} to {self.high:+.3f})"

    def to_json(self) -> dict[str, float]:
        """The difference as `scorecard.json` holds it under `verdict` and `worth`."""
        return {"difference": self.value, "low": self.low, "high": self.high}


def mean_of(per_row: Floats) -> Statistic:
    """The mean of a quantity that each row has by itself: log loss, Brier score, right or wrong.

    per_row: (rows,).
    """
    values = np.asarray(per_row, np.float64)

    def mean(rows: Ints) -> NDArray[np.float64]:
        means: NDArray[np.float64] = values[rows].mean(axis=1)
        return means

    return mean


def bootstrap(
    statistic: Statistic, rows: int, *, draws: int = 1000, confidence: float = 0.95, seed: int
) -> Estimate:
    """The statistic of the rows as they are, with the percentile interval of it over resampled rows.

    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3. With few rows, below about
    30, such intervals are too narrow; of one row the interval is the value itself, which says nothing. For a
    share of right answers use `proportion`, which mends the worst case. An interval that misses the value, as
    happens when resampling biases the statistic, is widened to reach it.

    >>> print(bootstrap(mean_of(np.array([1.0, 2.0, 3.0, 4.0])), rows=4, seed=0))
    2.500 (1.500 to 3.500)
    """
    return Estimate(*_interval(statistic, rows, draws, confidence, seed))


def proportion(right: Floats, *, draws: int = 1000, confidence: float = 0.95, seed: int) -> Estimate:
    """Accuracy with its bootstrap interval, or Wilson's where the bootstrap collapses to a point.

    right: (rows,), 1 where the answer is right, else 0. If all are right, or none, every resample is alike,
    and a point would claim certainty.

    >>> print(proportion(np.ones(10), seed=0))
    1.000 (0.722 to 1.000)
    """
    estimate = bootstrap(mean_of(right), len(right), draws=draws, confidence=confidence, seed=seed)
    if estimate.low < estimate.high:
        return estimate
    return wilson(int(np.sum(right)), len(right), confidence)


def wilson(successes: int, rows: int, confidence: float = 0.95) -> Estimate:
    """Score interval of a proportion, honest also for few rows and for none or all successes.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.

    >>> print(wilson(0, 10))
    0.000 (0.000 to 0.278)
    """
    assert rows > 0, "no row to judge"
    assert 0 <= successes <= rows, f"{successes} successes among {rows} rows"
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / rows
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2)) / (1 + z**2 / rows)
    # At 0 and 1 the formula meets the value exactly, but its rounding need not.
    return Estimate(share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def paired_bootstrap(
    first_per_row: Floats, second_per_row: Floats, *, draws: int = 1000, confidence: float = 0.95, seed: int
) -> Difference:
    """Mean of first minus second, where both were measured on the same rows in the same order.

    first_per_row, second_per_row: (rows,). What is hard for both cancels, so the interval is narrower than
    those of the two means suggest. See `paired_bootstrap_of` for what happens when the two differ on very few
    rows.
    """
    gap = _gap(first_per_row, second_per_row)
    found = _interval(mean_of(gap), len(gap), draws, confidence, seed)
    return _reach_zero_if_few_differ(Difference(*found), int(np.count_nonzero(gap)), confidence)


def paired_bootstrap_of(
    first: Statistic,
    second: Statistic,
    rows: int,
    *,
    differing: int,
    draws: int = 1000,
    confidence: float = 0.95,
    seed: int,
) -> Difference:
    """First minus second of a metric that is no mean over rows, such as macro F1, on the same resamples.

    differing: on how many of the rows the two candidates answer differently. If these are so few that even
    all of them in favour of one would be no evidence (fewer than 6, at 95 %), the interval is widened to
    reach zero. The bootstrap alone does not see this: four rows of any number, all in favour, leave zero
    outside its interval, while four coins fall alike 1 time in 8.
    """

    def gap(drawn: Ints) -> NDArray[np.float64]:
        return first(drawn) - second(drawn)

    found = _interval(gap, rows, draws, confidence, seed)
    return _reach_zero_if_few_differ(Difference(*found), differing, confidence)


def paired_standard_error(first_per_row: Floats, second_per_row: Floats) -> float:
    """Standard error of the mean of first minus second on the same rows; infinite for one row.

    first_per_row, second_per_row: (rows,).

    >>> paired_standard_error(np.array([1.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0, 0.0]))
    0.28867513459481287
    """
    gap = _gap(first_per_row, second_per_row)
    if len(gap) == 1:
        return math.inf
    return float(gap.std(ddof=1) / math.sqrt(len(gap)))


def jackknife(statistic: Callable[[Ints], float], rows: int, groups: int = 20) -> float:
    """Standard error of any statistic of rows: how it varies as one group of them after the other is left out (Efron and
    Tibshirani 1993, "An Introduction to the Bootstrap", chapter 11, in groups).

    statistic: of the row numbers it is given.  rows: in an order that means nothing, since a group is every so many-th.

    >>> numbers = np.array([1.0, 0.0, 0.0, 1.0, 0.0])
    >>> round(jackknife(lambda rows: float(numbers[rows].mean()), 5), 6), round(float(numbers.std(ddof=1)) / 5**0.5, 6)
    (0.244949, 0.244949)
    """
    every, groups = np.arange(rows), min(groups, rows)
    left = np.array([statistic(every[every % groups != group]) for group in range(groups)])
    return float(np.sqrt((groups - 1) / groups * np.square(left - left.mean()).sum()))


def _gap(first_per_row: Floats, second_per_row: Floats) -> NDArray[np.float64]:
    first, second = np.asarray(first_per_row, np.float64), np.asarray(second_per_row, np.float64)
    assert first.shape == second.shape, (
        f"the candidates were measured on {first.shape} and {second.shape} rows"
    )
    assert len(first) > 0, "no row to compare on"
    return first - second


def _interval(
    statistic: Statistic, rows: int, draws: int, confidence: float, seed: int
) -> tuple[float, float, float]:
    """The value, and the low and high end of its interval."""
    assert rows > 0, "no row to resample"
    assert 0 < confidence < 1, f"confidence {confidence} is not a share"
    value = float(statistic(np.arange(rows)[None, :])[0])
    values = np.concatenate([statistic(drawn) for drawn in _resamples(rows, draws, seed)])
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return value, min(value, float(low)), max(value, float(high))


def _resamples(rows: int, draws: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Row numbers drawn with replacement, (draws, rows) in all, a few draws at a time."""
    random = np.random.Generator(np.random.Philox(seed))
    at_once = max(1, NUMBERS_AT_ONCE // rows)
    for start in range(0, draws, at_once):
        yield random.integers(0, rows, (min(at_once, draws - start), rows))


def _reach_zero_if_few_differ(found: Difference, differing: int, confidence: float) -> Difference:
    """The sign test's floor (Dixon and Mood 1946, JASA 41): n rows all in favour have p = 2 / 2**n."""
    if 2.0 ** (1 - differing) <= 1 - confidence:
        return found
    return Difference(found.value, min(found.low, 0.0), max(found.high, 0.0))
