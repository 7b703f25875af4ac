"""How far a metric of some rows is from the same metric of other rows: two samples, of which no row is in both.

Rows that share something are drawn and counted together within each sample. Where a cluster has rows in both, the two samples
are taken for independent all the same: what its rows have in common cancels in the difference, so that the interval is rather too
wide.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from luthier import seeds
from luthier.arrays import Floats
from luthier.scores.clusters import Clusters
from luthier.scores.intervals import Difference, Statistic
from luthier.scores.shares import HALVINGS, share

FEWEST_DRAWS, MOST_DRAWS = 50, 200
"""Resamples that a standard error takes (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 6.4)."""
NUMBERS = 4_000_000
"""Row numbers that are drawn for a standard error, where that gives enough resamples."""
LEAST = 1e-12
"""The smallest p-value that is told apart from none."""

Both = tuple[Clusters, Clusters]
"""Which rows go together, of the first sample and of the second."""


@dataclass(frozen=True)
class Apart:
    """How much higher the metric of the first rows is than that of the second, and how likely that is by chance."""

    gap: Difference
    p: float
    """The two-sided p-value of there being no difference."""

    def __neg__(self) -> "Apart":
        return Apart(-self.gap, self.p)


# Shares


def shares_apart(ours: Floats, theirs: Floats, clusters: Both, confidence: float = 0.95) -> Apart:
    """The difference of two shares of rows. ours, theirs: (rows,) 1 or 0 each.

    The interval is Newcombe's, from Wilson's intervals of both (1998, "Interval estimation for the difference between independent
    proportions", Statistics in Medicine 17, method 10), each of as many rows as its clusters are worth. The p-value is that of
    Fisher's exact test where rows share nothing, else the level at which that interval reaches zero.
    """
    gap = newcombe(ours, theirs, clusters, confidence)
    if all(one.single for one in clusters):
        return Apart(gap, fisher((int(ours.sum()), len(ours)), (int(theirs.sum()), len(theirs))))
    return Apart(gap, level_of(lambda p: newcombe(ours, theirs, clusters, 1 - p)))


def newcombe(ours: Floats, theirs: Floats, clusters: Both, confidence: float) -> Difference:
    """The difference of two independent shares with its interval."""
    (mine, my_low, my_high), (other, low, high) = (
        share(right, own, confidence) for right, own in zip((ours, theirs), clusters, strict=True)
    )
    gap = mine - other
    return Difference(
        gap, gap - math.hypot(mine - my_low, high - other), gap + math.hypot(my_high - mine, other - low)
    )


def level_of(interval: Callable[[float], Difference]) -> float:
    """The p-value that intervals stand for: the level from which on they leave zero out. interval: by its level."""

    def holds_zero(p: float) -> bool:
        found = interval(p)
        return found.low <= 0 <= found.high

    low, high = math.log(LEAST), 0.0
    if holds_zero(0.999):
        return 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds_zero(math.exp(middle)) else (low, middle)
    return math.exp(high)


def fisher(ours: tuple[int, int], theirs: tuple[int, int]) -> float:
    """Fisher's exact test, two-sided: the probability of all tables with these margins that are no likelier than this one.

    ours, theirs: how many rows are right, and how many there are.  Fisher 1935, "The Design of Experiments", section 12.

    >>> round(fisher((3, 3), (0, 3)), 3), fisher((2, 4), (2, 4))
    (0.1, 1.0)
    """
    from scipy.special import gammaln  # here, as it takes a while, and prediction does without it

    (right, rows), (other_right, others) = ours, theirs
    total = right + other_right
    counts = np.arange(max(0, total - others), min(total, rows) + 1)
    ways = -sum(
        gammaln(count + 1.0) for count in (counts, rows - counts, total - counts, others - total + counts)
    )
    chances = np.exp(ways - ways.max())
    chances /= chances.sum()
    own = chances[right - counts[0]]
    return float(min(1.0, chances[chances <= own * (1 + 1e-7)].sum()))


# Means, and statistics of all rows together


def means_apart(ours: Floats, theirs: Floats, clusters: Both, confidence: float = 0.95) -> Apart:
    """The difference of two means, by Welch's test (1947, Biometrika 34) with the variances of means over clusters.

    ours, theirs: (rows,).
    """
    values = tuple(np.asarray(one, np.float64) for one in (ours, theirs))
    variances = [own.variance_of_mean(one) for one, own in zip(values, clusters, strict=True)]
    return by_student(float(values[0].mean() - values[1].mean()), variances, clusters, confidence)


def statistics_apart(
    ours: Statistic, theirs: Statistic, clusters: Both, confidence: float = 0.95, seed: int = 0
) -> Apart:
    """The difference of a metric that is no mean over rows, by Welch's test with variances from the bootstrap."""
    values, variances = [], []
    for number, (statistic, own) in enumerate(zip((ours, theirs), clusters, strict=True)):
        values.append(float(statistic(np.arange(len(own.of))[None, :])[0]))
        draws = max(FEWEST_DRAWS, min(MOST_DRAWS, NUMBERS // max(1, len(own.of))))
        drawn = own.resamples(draws, seeds.derive(seed, "apart", number))
        found = np.concatenate([statistic(rows) for rows in drawn])
        found = found[np.isfinite(found)]
        # The variance of a resample is smaller by (n - 1) / n, as in `intervals.percentiles`.
        wider = own.count / (own.count - 1) if own.count > 1 else math.inf
        variances.append(float(found.var(ddof=1)) * wider if len(found) > 1 else math.inf)
    return by_student(values[0] - values[1], variances, clusters, confidence)


def by_student(gap: float, variances: list[float], clusters: Both, confidence: float) -> Apart:
    """A difference with its interval and p-value by Student's distribution. variances: of both means."""
    from scipy.special import stdtr, stdtrit  # here, as it takes a while, and prediction does without it

    whole = sum(variances)
    if not math.isfinite(whole):
        return Apart(Difference(gap, -math.inf, math.inf), 1.0)
    if whole == 0:
        return Apart(Difference(gap, gap, gap), 1.0 if gap == 0 else 0.0)
    freedom = whole**2 / sum(
        variance**2 / (own.count - 1) for variance, own in zip(variances, clusters, strict=True)
    )
    error: float = math.sqrt(whole)
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    return Apart(Difference(gap, gap - reach, gap + reach), 2 * float(stdtr(freedom, -abs(gap) / error)))
