"""How far a score could be off because the rows are few: intervals from resampled rows.

One idea serves every metric. A statistic answers many resamples at once: it takes row numbers (draws, rows)
and gives one value a draw. A mean is such a statistic (`mean_of`), macro F1 another (`resampled_macro_f1`,
beside the metric), and the score itself is the statistic of the rows as they are, each taken once. Rows that share something
are drawn together (`clusters.py`); a share of the rows needs no draws (`shares.py`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Bools, Floats, Ints
from luthier.scores.clusters import Clusters, student
from luthier.scores.exchange import exchange_test
from luthier.scores.shares import difference_of_shares, share, wilson_ends

Statistic = Callable[[Ints], NDArray[np.float64]]
"""A function from row numbers (draws, rows) to values (draws,)."""

POWER = 0.8
"""The share of tests in which a difference that a test is said to be able to see is found."""


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

    @property
    def detectable(self) -> float | None:
        """How small a true difference such a test would find beyond noise in 8 of 10 cases: half the width of its interval,
        times what 95 % confidence and 80 % power take together over what 95 % take, (1.96 + 0.84) / 1.96 = 1.43. None where the
        interval has no width, as that of two who answer alike: nothing shows how much rows may differ.

        Cohen 1988, "Statistical Power Analysis for the Behavioral Sciences", 2nd edition, section 2.4, with the standard error
        that the interval is made of.

        >>> round(Difference(0.010, -0.010, 0.030).detectable, 4)
        0.0286
        """
        if self.low == self.high:
            return None
        normal = NormalDist()
        return (self.high - self.low) / 2 * (1 + normal.inv_cdf(POWER) / normal.inv_cdf(0.975))

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
    statistic: Statistic,
    rows: int,
    *,
    groups: Ints | None = None,
    draws: int = 1000,
    confidence: float = 0.95,
    seed: int,
    basic: bool = False,
) -> Estimate:
    """The statistic of the rows as they are, with the percentile interval of it over resampled rows.

    groups: (rows,) equal where rows share something: these are drawn together.  basic: whether the basic interval takes the place
    of that of percentiles (`_interval`).
    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3. Such intervals are too narrow for few rows or
    clusters, so the percentiles are those further out that Student's distribution asks for (`percentiles`); of one row or cluster
    the interval is the value itself, which says nothing. For a share of right answers use `proportion`. An interval that misses
    the value, as happens when resampling biases the statistic, is widened to reach it.

    >>> print(bootstrap(mean_of(np.array([1.0, 2.0, 3.0, 4.0])), rows=4, seed=0))
    2.500 (1.000 to 3.970)
    """
    return Estimate(*_interval(statistic, Clusters.of_rows(groups, rows), draws, confidence, seed, basic))


def percentiles(clusters: int, confidence: float) -> tuple[float, float]:
    """Which percentiles of the resamples are the ends of an interval.

    Student's quantile for the normal one, and the variance of a sample of n for that of its bootstrap, which is smaller by
    (n - 1) / n: the "expanded percentile interval" of Hesterberg 2015 (arXiv:1411.5279). Over 1,000 drawn sets of 20 clusters of
    five rows the 95 % interval of a share of 70 % held the truth 94 times in 100, and without this 91 times.

    >>> [round(end, 4) for end in percentiles(10, 0.95)], [round(end, 4) for end in percentiles(2000, 0.95)]
    ([0.0086, 0.9914], [0.0249, 0.9751])
    """
    if clusters < 2:
        return 0.0, 1.0
    reach = student(clusters, confidence) * math.sqrt(clusters / (clusters - 1))
    tail = NormalDist().cdf(-reach)
    return tail, 1 - tail


def proportion(right: Floats, *, groups: Ints | None = None, confidence: float = 0.95) -> Estimate:
    """Accuracy with Wilson's score interval, of as many rows as the clusters are worth (`shares.share`).

    right: (rows,), 1 where the answer is right, else 0.  groups: (rows,) equal where rows share something.

    >>> print(proportion(np.ones(10)))
    1.000 (0.722 to 1.000)
    """
    return Estimate(*share(right, Clusters.of_rows(groups, len(right)), confidence))


def wilson(successes: int, rows: int, confidence: float = 0.95) -> Estimate:
    """Score interval of a proportion, honest also for few rows and for none or all successes.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.

    >>> print(wilson(0, 10))
    0.000 (0.000 to 0.278)
    """
    assert rows > 0, "no row to judge"
    assert 0 <= successes <= rows, f"{successes} successes among {rows} rows"
    return Estimate(successes / rows, *wilson_ends(successes / rows, rows, confidence))


def paired_proportions(
    first_right: Floats,
    second_right: Floats,
    *,
    groups: Ints | None = None,
    confidence: float = 0.95,
    seed: int,
) -> Difference:
    """Share of the rows that the first has right minus that of the second, on the same rows in the same order.

    first_right, second_right: (rows,) 1 or 0.  groups: (rows,) equal where rows share something.
    Tango's score interval, of as many rows as the clusters are worth (`shares.difference_of_shares`), widened to reach zero where
    exchanged answers are as far apart by chance (`exchange.exchange_test`; of rows that share nothing this is McNemar's exact
    test). So two candidates that are equally good differ beyond noise 1 time in 20 at the most, however few the rows.
    """
    gap = _gap(first_right, second_right)
    clusters = Clusters.of_rows(groups, len(gap))
    if not gap.any():
        return Difference(0.0, 0.0, 0.0)
    found = Difference(*difference_of_shares(gap, clusters, confidence))
    return _reach_zero_where_exchangeable(found, clusters.sums(gap), confidence, seed)


def paired_bootstrap(
    first_per_row: Floats,
    second_per_row: Floats,
    *,
    groups: Ints | None = None,
    draws: int = 1000,
    confidence: float = 0.95,
    seed: int,
) -> Difference:
    """Mean of first minus second, where both were measured on the same rows in the same order.

    first_per_row, second_per_row: (rows,).  groups: (rows,) equal where rows share something.
    What is hard for both cancels, so the interval is narrower than those of the two means suggest. It is widened to reach zero
    where exchanged answers are as far apart by chance (`exchange.exchange_test`), as the bootstrap alone finds too much in few
    rows.
    """
    gap = _gap(first_per_row, second_per_row)
    clusters = Clusters.of_rows(groups, len(gap))
    found = Difference(*_interval(mean_of(gap), clusters, draws, confidence, seed))
    return _reach_zero_where_exchangeable(found, clusters.sums(gap), confidence, seed)


def paired_bootstrap_of(
    first: Statistic,
    second: Statistic,
    differing: Bools,
    *,
    groups: Ints | None = None,
    draws: int = 1000,
    confidence: float = 0.95,
    seed: int,
    basic: bool = False,
) -> Difference:
    """First minus second of a metric that is no mean over rows, such as macro F1, on the same resamples.

    differing: (rows,) whether the two candidates answer a row differently.  groups: (rows,) equal where rows share something.
    basic: as `bootstrap` takes it.
    If the clusters that are answered differently are so few that even all of them in favour of one would be no evidence (fewer
    than 6, at 95 %), the interval is widened to reach zero. The bootstrap alone does not see this: four rows of any number, all
    in favour, leave zero outside its interval, while four coins fall alike 1 time in 8.
    """

    def gap(drawn: Ints) -> NDArray[np.float64]:
        return first(drawn) - second(drawn)

    clusters = Clusters.of_rows(groups, len(differing))
    found = Difference(*_interval(gap, clusters, draws, confidence, seed, basic))
    return _reach_zero_if_few_differ(
        found, int(np.count_nonzero(clusters.sums(differing.astype(np.float64)))), confidence
    )


def paired_standard_error(first_per_row: Floats, second_per_row: Floats, groups: Ints | None = None) -> float:
    """Standard error of the mean of first minus second on the same rows; infinite for one row or cluster.

    first_per_row, second_per_row: (rows,).  groups: (rows,) equal where rows share something.

    >>> paired_standard_error(np.array([1.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0, 0.0]))
    0.28867513459481287
    """
    gap = _gap(first_per_row, second_per_row)
    if groups is not None:
        return math.sqrt(Clusters.of_rows(groups, len(gap)).variance_of_mean(gap))
    if len(gap) == 1:
        return math.inf
    return float(gap.std(ddof=1) / math.sqrt(len(gap)))


def jackknife(
    statistic: Callable[[Ints], float], rows: int, groups: int = 20, clusters: Ints | None = None
) -> float:
    """Standard error of any statistic of rows: how it varies as one group of them after the other is left out (Efron and
    Tibshirani 1993, "An Introduction to the Bootstrap", chapter 11, in groups). Without end where there is one group alone.

    statistic: of the row numbers it is given.  rows: in an order that means nothing, since a group is every so many-th.
    clusters: (rows,) equal where rows share something, and are left out together; None where none do.

    >>> numbers = np.array([1.0, 0.0, 0.0, 1.0, 0.0])
    >>> round(jackknife(lambda rows: float(numbers[rows].mean()), 5), 6), round(float(numbers.std(ddof=1)) / 5**0.5, 6)
    (0.244949, 0.244949)
    """
    every = np.arange(rows)
    of = every if clusters is None else in_order_of_occurrence(clusters)
    groups = min(groups, int(of.max(initial=-1)) + 1)
    if groups < 2:
        return float("inf")
    left = np.array([statistic(every[of % groups != group]) for group in range(groups)])
    return float(np.sqrt((groups - 1) / groups * np.square(left - left.mean()).sum()))


def in_order_of_occurrence(clusters: Ints) -> Ints:
    """(rows,) clusters numbered anew, in the order in which they occur.

    >>> in_order_of_occurrence(np.array([7, 2, 7, 9])).tolist()
    [0, 1, 0, 2]
    """
    _, first, of = np.unique(clusters, return_index=True, return_inverse=True)
    found: Ints = np.argsort(np.argsort(first))[of]
    return found


def _gap(first_per_row: Floats, second_per_row: Floats) -> NDArray[np.float64]:
    first, second = np.asarray(first_per_row, np.float64), np.asarray(second_per_row, np.float64)
    assert first.shape == second.shape, (
        f"the candidates were measured on {first.shape} and {second.shape} rows"
    )
    assert len(first) > 0, "no row to compare on"
    return first - second


def _interval(
    statistic: Statistic, clusters: Clusters, draws: int, confidence: float, seed: int, basic: bool = False
) -> tuple[float, float, float]:
    """The value, and the low and high end of its interval.

    basic: whether the percentiles are mirrored at the value (Davison and Hinkley 1997, "Bootstrap Methods and their
    Application", eq. 5.6), which takes back what resampling adds to a statistic: the rows have added as much to it already.
    """
    rows = len(clusters.of)
    assert rows > 0, "no row to resample"
    assert 0 < confidence < 1, f"confidence {confidence} is not a share"
    value = float(statistic(np.arange(rows)[None, :])[0])
    values = np.concatenate([statistic(drawn) for drawn in clusters.resamples(draws, seed)])
    low, high = np.quantile(values, percentiles(clusters.count, confidence))
    if basic:
        low, high = 2 * value - high, 2 * value - low
    return value, min(value, float(low)), max(value, float(high))


def _reach_zero_where_exchangeable(
    found: Difference, gaps: Floats, confidence: float, seed: int
) -> Difference:
    """gaps: (clusters,) the sum over the rows of each of first minus second."""
    level = 1 - confidence
    return found if exchange_test(gaps, seed, level) <= level else _reaching_zero(found)


def _reach_zero_if_few_differ(found: Difference, differing: int, confidence: float) -> Difference:
    """The sign test's floor (Dixon and Mood 1946, JASA 41): n rows all in favour have p = 2 / 2**n."""
    return found if 2.0 ** (1 - differing) <= 1 - confidence else _reaching_zero(found)


def _reaching_zero(found: Difference) -> Difference:
    return Difference(found.value, min(found.low, 0.0), max(found.high, 0.0))
