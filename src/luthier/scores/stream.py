"""Whether a stream of rows is of another kind than the calibration rows: a conformal test martingale."""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats

THRESHOLD = 100.0
"""The evidence at which the alarm is raised: a stream of the usual kind ever reaches it with a probability of 1 / 100 at most
(Ville's inequality), however long it is and however often one looks."""
BETS = (0.5, 0.75)
"""Exponents of the bets: the lower, the more is bet on small p-values."""


@dataclass(frozen=True)
class Evidence:
    """What a stream of rows has shown."""

    highest: float
    """The most evidence, at any row up to the alarm, that its rows are of another kind: the odds that a fair game has reached."""
    alarm: int | None
    """The number of the row, from 0, at which it first reached THRESHOLD; None where it never did."""


def evidence_of(known: Floats, scores: Floats) -> Evidence:
    """The evidence that the rows of a stream are unlike the calibration rows.

    known: scores of the calibration rows.  scores: (rows,) of the stream, in its order; the higher, the more unlike.

    Vovk, Gammerman and Shafer 2005, "Algorithmic learning in a random world", section 7.1: each row's p-value is taken among all
    rows before it, those of the stream too; so those of a stream of the usual kind are independent and uniform, and no bet on
    small ones gains. A p-value is known up to the places that a row shares with its equals: the bet is averaged over these, which
    needs no dice. (P-values against the calibration rows alone are not independent: in a
    long stream their common error would raise the alarm.) Of the capital a part is bet from the first row on and the rest bit by
    bit later, so that a change in the midst of a stream is seen too: a mixture of the martingales e p^(e-1) over e and over when
    they begin.
    """
    bag = sorted(np.asarray(known, np.float64).tolist())
    exponents = np.array(BETS)
    capital: NDArray[np.float64] = np.zeros(len(BETS))
    reserve = 1.0
    highest = 1.0
    for row, score in enumerate(np.asarray(scores, np.float64).tolist()):
        above, all_places = len(bag) - bisect_right(bag, score), len(bag) + 1
        places = all_places - bisect_left(bag, score) - above
        insort(bag, score)
        begun = reserve / (2 * (row + 1))
        reserve -= begun
        share = ((above + places) / all_places) ** exponents - (above / all_places) ** exponents
        capital = (capital + begun / len(BETS)) * share * all_places / places
        total = reserve + float(capital.sum())
        highest = max(highest, total)
        if total >= THRESHOLD:
            # It is shown: going on, the odds would only leave what a float can hold.
            return Evidence(highest, row)
    return Evidence(highest, None)
