"""Whether a difference could have come of chance: what it would be if the two candidates exchanged their answers at random.

Of two candidates that are equally good, either could have given either's answers to a cluster of rows. So the difference that
was found is compared with those after exchanges, cluster by cluster: a test that keeps its level with any number of rows (Noreen
1989, "Computer-Intensive Methods for Testing Hypotheses", chapter 2.7; Yeh 2000, arXiv:cs/0008005).
"""

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats

ENUMERATED = 12
"""The most clusters whose exchanges are all gone through; of more some are drawn."""
DRAWN = 1_999
"""Exchanges that are drawn at the least (Davison and Hinkley 1997, "Bootstrap Methods and their Application", section 4.2.5)."""
PER_LEVEL = 50
"""So many exchanges are drawn at the least as a multiple of one over the level: a p-value cannot be less than one over their
number, however sure the difference is."""
MOST_DRAWN, AT_ONCE = 1_000_000, 10_000
"""Exchanges that are drawn at the most, and at once."""
MANY = 400
"""From so many clusters on that are answered differently the sum is normal, and the interval alone decides."""
EQUAL = 1e-9
"""Sums that differ by less, as a share of the largest there can be, differ by rounding."""


def exchange_test(gaps: Floats, seed: int, level: float = 0.05) -> float:
    """The p-value, two-sided, that exchanges make a difference so large; 0 where the clusters are so many that none is needed.

    gaps: (clusters,) the sum over the rows of each of first minus second.  level: at which it is going to be judged.

    Where all gaps are of one size, as they are for shares of rows that share nothing, this is McNemar's exact test (1947,
    Psychometrika 12), the sign test of Dixon and Mood 1946.

    >>> exchange_test(np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0]), seed=0)
    0.0625
    """
    apart = np.abs(gaps[gaps != 0]).astype(np.float64)
    if not len(apart):
        return 1.0
    found = abs(float(np.sum(gaps)))
    if np.ptp(apart) <= EQUAL * apart.max():
        return binomial(len(apart), round((len(apart) + found / apart.max()) / 2))
    if len(apart) >= MANY:
        return 0.0
    least = found - EQUAL * apart.sum()
    if len(apart) <= ENUMERATED:
        return float(np.mean(np.abs(all_signs(len(apart)) @ apart) >= least))
    dice = np.random.Generator(np.random.Philox(seed))
    drawn = min(MOST_DRAWN, max(DRAWN, math.ceil(PER_LEVEL / level) - 1))
    as_large = 0
    for begin in range(0, drawn, AT_ONCE):
        signs = dice.integers(0, 2, (min(AT_ONCE, drawn - begin), len(apart)), np.int8) * 2 - 1
        as_large += int(np.count_nonzero(np.abs(signs @ apart) >= least))
    return (1 + as_large) / (1 + drawn)


def binomial(rows: int, more: int) -> float:
    """The two-sided p-value of so many heads among some coins. more: of heads and tails the greater number."""
    from scipy.special import bdtrc  # here, as it takes a while, and prediction does without it

    return min(1.0, 2 * float(bdtrc(more - 1, rows, 0.5)))


def all_signs(count: int) -> NDArray[np.float64]:
    """(2 to the power of count, count) every choice of 1 and -1."""
    return np.array(list(itertools.product((1.0, -1.0), repeat=count)))
