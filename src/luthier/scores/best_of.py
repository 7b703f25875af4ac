"""How much the best of several scores flatters itself: the expected maximum of normal numbers."""

import numpy as np


def expected_maximum(count: int) -> float:
    """Expected largest of so many independent standard normal numbers.

    It is the integral of the chance that the largest lies above x, less that it lies below -x, over all x > 0, where the chance
    to lie below x is the normal one to the power of `count` (David and Nagaraja 2003, "Order Statistics", sections 2.1 and 3.1).

    >>> [round(expected_maximum(count), 4) for count in (2, 3, 10)]
    [0.5642, 0.8463, 1.5388]
    """
    from scipy.special import ndtr  # here, as it takes a while, and prediction does without it

    x = np.linspace(0.0, 40.0, 40_001)
    return float(np.trapezoid(-np.expm1(count * np.log(ndtr(x))) - ndtr(-x) ** count, x))


def best_of_bias(standard_error: float, count: int) -> float:
    """How much too good the best of so many equally good models looks on the same rows, at the most, in units of the score.

    It is the expected maximum of as many independent errors. Errors on the same rows go together, and then it is less (Slepian
    1962). The bias of a choice by a score, and why that score is no estimate any more: Cawley and Talbot 2010 (JMLR 11,
    section 5); of test sets that are used again and again: Blum and Hardt 2015 (arXiv:1502.04585).
    """
    return standard_error * expected_maximum(count)
