"""Sets of labels and margins around numbers that hold the truth as often as they promise: split conformal prediction.

The promise needs no model to be right, only that a new row is of the kind of the calibration rows, which neither training nor
the choice of a model has seen. It holds on average over draws of these rows, and over all new rows together, not for each sort
of row; of sets with a bound for each label it holds for the rows of each label too. Shapes: probabilities (rows, classes).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Bools, Floats, Ints

FEWEST_OF_A_LABEL = 50
"""The fewest calibration rows of each label with which a label has a bound of its own: with fewer, class-wise sets grow large and
their coverage scatters (Ding et al. 2023, arXiv:2306.09335, section 3)."""


def fewest_rows(error: float) -> int:
    """The fewest calibration rows from which a promise of at most this error can be made.

    >>> fewest_rows(0.1), fewest_rows(0.05), fewest_rows(0.01)
    (9, 19, 99)
    """
    return math.ceil(1 / error - 1 - 1e-9)


def conformal_bound(scores: Floats, error: float) -> float:
    """The bound that the score of a new row exceeds with at most this probability; infinite where the rows are too few.

    scores: (rows,) of calibration rows.  The ceil((rows + 1) (1 - error))-th smallest of them: Vovk, Gammerman and Shafer 2005,
    "Algorithmic learning in a random world", section 2.2; Lei et al. 2018, J. Am. Stat. Assoc. 113, section 2.2.

    >>> conformal_bound(np.arange(9.0), 0.1), conformal_bound(np.arange(8.0), 0.1)
    (8.0, inf)
    """
    assert 0 < error < 1, f"an error of {error} is no share"
    # The small number takes back rounding: 100 * 0.55 is above 55.
    place = math.ceil((len(scores) + 1) * (1 - error) - 1e-9)
    if place > len(scores):
        return math.inf
    return float(np.partition(np.asarray(scores, np.float64), place - 1)[place - 1])


@dataclass(frozen=True)
class LabelSets:
    """How sets of labels are made: a label is in the set of a row where it is probable enough.

    The least ambiguous sets (Sadinle, Lei and Wasserman 2019, J. Am. Stat. Assoc. 114, arXiv:1609.00451): of all that cover as
    often, these hold the fewest labels on average where the probabilities are right. Adaptive ones (APS, RAPS) hold more.
    """

    lowest: NDArray[np.float64]
    """(classes,) the probability from which on each label is in a set."""
    by_label: bool
    """Whether each label has a bound of its own, from its own rows: the promise then holds for the rows of each label."""

    @staticmethod
    def fitted(of_truth: Floats, labels: Ints, classes: int, error: float) -> "LabelSets | None":
        """The sets that miss the true label in at most this share of the rows; None where the rows are too few to promise it.

        of_truth: (rows,) the probability of each calibration row's true label.  labels: (rows,) that label.
        """
        least = max(FEWEST_OF_A_LABEL, fewest_rows(error))
        by_label = bool((np.bincount(labels, minlength=classes) >= least).all())
        groups = [labels == label for label in range(classes)] if by_label else [np.ones(len(labels), bool)]
        lowest = np.array([-conformal_bound(-np.asarray(of_truth)[group], error) for group in groups])
        if not np.isfinite(lowest).all():
            return None
        return LabelSets(np.broadcast_to(lowest, classes), by_label)

    def of(self, probabilities: Floats) -> Bools:
        """(rows, classes) which labels are in the set of each row; the most probable one always is, so that none is empty."""
        inside: Bools = np.asarray(probabilities) >= self.lowest
        inside[np.arange(len(inside)), np.argmax(probabilities, axis=1)] = True
        return inside
