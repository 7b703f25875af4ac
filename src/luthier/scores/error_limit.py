"""From which confidence on a model may answer, so that at most a given share of what it answers is wrong."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Bools, Floats

CERTAINTY = 0.95
"""How sure it is that the limit of error holds."""
STARTS = (0.0, 0.5)
"""Where the walks over thresholds begin: when these shares of the rows are answered, but not before there are so many that they
can show something. A walk from on high stops at the first sure mistake; one from below finds nothing where the model is weak.
On banking77 with 500 calibration rows and a limit of 5 %, one walk from on high answers 66 % of the rows, both together 75 %."""


@dataclass(frozen=True)
class Limit:
    """The threshold that keeps a limit of error."""

    error: float
    """The largest share of wrong answers that is allowed."""
    above: float | None
    """A row is answered where its confidence is above this; None: no row is."""
    answered: float
    """The share of the calibration rows that are answered."""
    wrong: float | None
    """The share of these that are answered wrongly; None where none is answered."""

    def answers(self, confidence: Floats) -> Bools:
        """(rows,) which rows are answered. confidence: (rows,); a row that is never to be answered has minus infinity."""
        if self.above is None:
            return np.zeros(len(confidence), bool)
        found: Bools = np.asarray(confidence) > self.above
        return found


@dataclass(frozen=True)
class Thresholds:
    """Every threshold there is between the calibration rows, from high to low, with what it answers."""

    above: NDArray[np.float64]
    """(thresholds,) the different confidences, and minus infinity as the last: rows above it are answered."""
    rows: NDArray[np.int64]
    """(thresholds,) how many rows are."""
    wrong: NDArray[np.int64]
    """(thresholds,) how many of them are answered wrongly."""
    total: int
    """How many rows there are."""

    @staticmethod
    def of(confidence: Floats, right: Bools) -> "Thresholds":
        """Rows of one confidence are answered all or none, and those at a threshold are not: given the threshold, the rows above
        it are then a plain draw of such rows, as the test wants them."""
        confidence = np.asarray(confidence, np.float64)
        order = np.argsort(-confidence, kind="stable")
        ordered, mistakes = confidence[order], ~np.asarray(right, bool)[order]
        above = np.unique(np.append(ordered, -np.inf))[::-1]
        rows = np.searchsorted(-ordered, -above, side="left")
        wrong = np.concatenate([[0], np.cumsum(mistakes)])[rows]
        return Thresholds(above, rows.astype(np.int64), wrong.astype(np.int64), len(ordered))

    def limit(self, error: float, certainty: float = CERTAINTY) -> Limit:
        """The lowest threshold above which at most this share is answered wrongly, with this certainty.

        Learn then Test (Angelopoulos et al. 2021, arXiv:2110.01052): that a threshold answers wrongly too often is a hypothesis,
        which the exact binomial test rejects; thresholds are tested in a fixed order, from high to low, until one is not
        rejected (fixed-sequence testing), from several starts which share the level. The
        certainty is that of all calibration rows that could have been drawn; the share is that among the rows that are answered.

        >>> sure, right = np.linspace(0.99, 0.5, 100), np.arange(100) < 95
        >>> limit = Thresholds.of(sure, right).limit(0.1)
        >>> limit.answered, limit.wrong
        (0.98, 0.030612244897959183)
        """
        assert 0 < error < 1, f"an error of {error} is no share"
        level = (1 - certainty) / len(STARTS)
        rejected = tail(self.wrong, self.rows, error) <= level
        lowest = -1
        for start in self.starts(error, level):
            # The first that is not rejected ends the walk.
            kept = np.flatnonzero(~rejected[start:])
            end = start + int(kept[0]) if len(kept) else len(rejected)
            lowest = max(lowest, end - 1 if end > start else -1)
        if lowest < 0:
            return Limit(error, None, 0.0, None)
        rows, wrong = int(self.rows[lowest]), int(self.wrong[lowest])
        return Limit(error, float(self.above[lowest]), rows / self.total, wrong / rows)

    def starts(self, error: float, level: float) -> list[int]:
        """(at most len(STARTS)) the thresholds that the walks begin at: no mistake has a part in them."""
        least = fewest_answered(error, level)
        wanted = [max(least, math.ceil(share * self.total)) for share in STARTS]
        places = [int(np.searchsorted(self.rows, rows, side="left")) for rows in wanted]
        return [place for place in places if place < len(self.rows)]


def tail(wrong: NDArray[np.int64], rows: NDArray[np.int64], error: float) -> NDArray[np.float64]:
    """How likely so few mistakes are where the true share is `error`: the exact p-values that the true share is no smaller."""
    from scipy.special import bdtr  # 0.1 s, and prediction without a limit does without it

    found: NDArray[np.float64] = np.where(rows > 0, bdtr(wrong, np.maximum(rows, 1), error), 1.0)
    return found


def fewest_answered(error: float, level: float = (1 - CERTAINTY) / len(STARTS)) -> int:
    """The fewest rows that can show a limit of error, if all of them are answered rightly.

    >>> fewest_answered(0.05), fewest_answered(0.01)
    (72, 368)
    """
    return math.ceil(math.log(level) / math.log1p(-error) - 1e-9)
