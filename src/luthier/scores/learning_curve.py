"""How many rows a score takes: learning curves of scores on growing parts of the rows at hand, carried on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from luthier.arrays import Array

FARTHEST = 4.0
"""Nothing is forecast beyond so many times the rows at hand."""
LOOKED = 30.0
"""A curve is followed up to so many times the rows at hand."""


DRAWS, OUTSIDE = 40, 0.1
"""How many curves are drawn within the noise, and the share of them that lies beyond either end of the range."""


@dataclass(frozen=True)
class Curve:
    """Mean scores in [0, 1] on held-out rows, by the number of rows learnt from."""

    rows: Array
    scores: Array
    held_out: Array
    """Number of held-out rows that each score is a mean over, which says how firm it is."""

    @property
    def errors(self) -> Array:
        return 1 - self.scores

    @property
    def noise(self) -> Array:
        """Standard error of each score."""
        spread: Array = np.maximum(self.errors * self.scores, 1e-3)
        return np.asarray(np.sqrt(spread / np.maximum(1, self.held_out)))

    def shaken(self, dice: np.random.Generator) -> "Curve":
        """The curve as it could have been measured as well."""
        scores = np.clip(self.scores + self.noise * dice.standard_normal(len(self.scores)), 0.0, 1.0)
        return Curve(self.rows, scores, self.held_out)


@dataclass(frozen=True)
class RowsNeeded:
    """Rows, the ones at hand included, that a score is likely to take: the middle, and a range."""

    low: float
    middle: float
    high: float
    """Upper end of the range, in rows; infinite where one of the curves never reaches the score."""


def rows_needed(curve: Curve, score: float, at_hand: int) -> RowsNeeded:
    """Where two curves reach a score: a power law without a floor, which hopes, and one with, which fears.

    Error = a rows^-b and a rows^-b + c (Hestness et al. 2017, arXiv:1712.00409, section 3; Cortes et al. 1993, "Learning
    curves: asymptotic values and rate of convergence", eq. 2). The middle is their geometric mean, which on four sets was
    off by a factor of 1.6 in the median (benchmarks/doctor/labels.py), where either alone is off by more. The range is that
    of both curves as their points are shaken by their noise, but for the outermost tenths.
    """
    hoped, feared = both_laws(curve, score, at_hand)
    dice = np.random.default_rng(0)
    drawn = np.array([both_laws(curve.shaken(dice), score, at_hand) for _ in range(DRAWS)])
    low = min(hoped, feared, float(np.quantile(drawn.min(1), OUTSIDE, method="lower")))
    high = max(hoped, feared, float(np.quantile(drawn.max(1), 1 - OUTSIDE, method="higher")))
    return RowsNeeded(low, middle_of(hoped, feared, at_hand), high)


@dataclass(frozen=True)
class Gain:
    """How much higher a score is likely to be with more rows: the middle, and a range."""

    low: float
    middle: float
    high: float


WITHIN = 1.28
"""Standard errors on either side between which 8 of 10 values of a normal distribution lie."""


def likely_gain(curve: Curve, now: float, then: float) -> Gain:
    """What rows beyond those at hand are likely to bring, by the two curves of `rows_needed`: their mean, and a range that holds
    both and the noise of the points.

    now, then: numbers of rows.

    >>> rows = np.array([20.0, 40.0, 80.0, 160.0])
    >>> found = likely_gain(Curve(rows, 1 - 0.9 * rows**-0.5, np.full(4, 1e7)), 160, 320)
    >>> round(found.middle, 3), round(0.9 * (160**-0.5 - 320**-0.5), 3)
    (0.021, 0.021)
    """
    at, dice = np.array([now, then]), np.random.default_rng(0)
    gains = [float(-np.diff(law(at))[0]) for law in (power_law(curve), power_law_with_floor(curve))]
    shaken = [float(-np.diff(power_law(curve.shaken(dice))(at))[0]) for _ in range(DRAWS)]
    reach = WITHIN * float(np.std(shaken))
    return Gain(min(gains) - reach, float(np.mean(gains)), max(gains) + reach)


def likely_rows(curve: Curve, score: float, at_hand: int) -> float:
    """The middle of `rows_needed` alone: its range takes forty times as long, a second on some machines."""
    return middle_of(*both_laws(curve, score, at_hand), at_hand)


def middle_of(hoped: float, feared: float, at_hand: int) -> float:
    """The geometric mean of the rows that two curves ask for; what is never reached counts as far as curves are followed."""
    most = LOOKED * at_hand
    return float(np.sqrt(min(hoped, most) * min(feared, most)))


def both_laws(curve: Curve, score: float, at_hand: int) -> tuple[float, float]:
    """Where each of the two curves reaches a score."""
    return reached(power_law(curve), score, at_hand), reached(power_law_with_floor(curve), score, at_hand)


def reached(error: Callable[[Array], Array], score: float, at_hand: int) -> float:
    """Rows at which a curve reaches a score; infinite beyond `LOOKED` times the rows at hand."""
    rows = np.geomspace(max(1.0, at_hand / 100), LOOKED * at_hand, 4_000)
    there = np.flatnonzero(error(rows) <= 1 - score)
    return float(rows[there[0]]) if len(there) else float("inf")


def power_law(curve: Curve) -> Callable[[Array], Array]:
    """
    >>> rows = np.array([10.0, 100.0, 1000.0])
    >>> law = power_law(Curve(rows, 1 - 0.8 * rows**-0.3, np.full(3, 10_000)))
    >>> float(law(np.array([10_000.0]))[0].round(4))
    0.0505
    """
    slack = 1e-3  # an error of zero has no logarithm
    weight = np.maximum(curve.errors, slack) / curve.noise
    slope, height = np.polyfit(np.log(curve.rows), np.log(np.maximum(curve.errors, slack)), 1, w=weight)
    return lambda rows: np.exp(height) * rows ** min(float(slope), 0.0)


def power_law_with_floor(curve: Curve) -> Callable[[Array], Array]:
    """The law a rows^-b + c, fitted to a curve. Its floor c is at most nine tenths of the smallest error seen."""
    from scipy.optimize import least_squares

    errors, last = curve.errors, max(float(curve.errors[-1]), 1e-3)

    def off(at: Array) -> Array:
        found: Array = (np.exp(at[0]) * curve.rows ** -at[1] + at[2] - errors) / curve.noise
        return found

    fits = [
        least_squares(
            off,
            [np.log(max(float(errors[0]), 1e-3) * curve.rows[0] ** slope), slope, 0.5 * last],
            bounds=([-20, 0.05, 0], [20, 3, 0.9 * last]),
        )
        for slope in (0.2, 0.5, 1.0)
    ]
    height, slope, floor = min(fits, key=lambda fit: float(fit.cost)).x
    return lambda rows: np.exp(height) * rows**-slope + floor
