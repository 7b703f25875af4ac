"""Whether a calibration helps: the log loss of rows that it was not fitted on, with it and without it.

Shapes: logits (units, classes); a unit is a row, or one of the words of a row.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier import seeds
from luthier.arrays import Array, Bools, Floats, Ints
from luthier.scores import classification, multilabel
from luthier.scores.calibration import (
    apply_platt,
    apply_temperature,
    fit_platt_per_label,
    fit_temperature,
    sigmoid,
)

FOLDS = 10
"""Folds of the cross-validation: of twenty rows, the fewest that are calibrated on, two are held out at a time."""


@dataclass(frozen=True)
class Gain:
    """By how much a calibration lowers the log loss of rows that it was not fitted on."""

    value: float
    """The mean gain, in nats."""
    error: float
    """The standard error of that mean, paired by row."""

    @property
    def helps(self) -> bool:
        """Whether the gain is larger than its standard error.

        The one-standard-error rule in favour of the simpler (Breiman et al. 1984, "CART", section 3.4.3): doing nothing is the
        simpler. The log loss decides, as it is a proper score, and the one that is fitted; the calibration error is none, and on
        few rows it is mostly noise.
        """
        return self.value > self.error


def temperature_gain(logits: Floats, labels: Ints, rows_of: Ints | None = None) -> Gain:
    """What one temperature gains (`calibration.fit_temperature`).

    labels: (units,), integers.  rows_of: (units,) the row that each unit belongs to; None where a row is a unit.
    """

    def fitted(learnt: Ints, held: Ints) -> NDArray[np.float64]:
        temperature = fit_temperature(logits[learnt], labels[learnt])
        return classification.log_loss_per_row(apply_temperature(logits[held], temperature), labels[held])

    before = classification.log_loss_per_row(apply_temperature(logits, 1.0), labels)
    return held_out_gain(before, fitted, np.arange(len(labels)) if rows_of is None else rows_of)


def platt_gain(logits: Floats, truth: Bools | Ints) -> Gain:
    """What a line for each label gains (`calibration.fit_platt_per_label`).

    truth: (rows, labels), 1 where a row has the label.
    """

    def fitted(learnt: Ints, held: Ints) -> NDArray[np.float64]:
        platt = fit_platt_per_label(logits[learnt], truth[learnt])
        return multilabel.log_loss_per_row(apply_platt(logits[held], platt), truth[held])

    before = multilabel.log_loss_per_row(sigmoid(logits), truth)
    return held_out_gain(before, fitted, np.arange(len(truth)))


def held_out_gain(before: Floats, fitted: Callable[[Ints, Ints], Array], rows_of: Ints) -> Gain:
    """What a calibration gains by cross-validation, whole rows held out.

    before: (units,) losses without it.  fitted(learnt, held): losses of the units `held` by the calibration of those `learnt`.
    The standard error is that of a ratio of sums over rows, as units of one row are alike (Cochran 1977, "Sampling techniques",
    section 2.11); where each row is one unit it is the usual one.
    """
    rows, row = np.unique(rows_of, return_inverse=True)
    if len(rows) < 2:
        return Gain(0.0, math.inf)  # there is nothing to learn from where the only row is held out
    folds = seeds.generator(0, "calibration folds").permutation(len(rows)) % FOLDS
    after = np.array(before, np.float64)
    for fold in range(min(FOLDS, len(rows))):
        held = np.flatnonzero(folds[row] == fold)
        after[held] = fitted(np.flatnonzero(folds[row] != fold), held)
    gains = np.asarray(before, np.float64) - after
    mean = float(gains.mean())
    sums, counts = np.bincount(row, gains), np.bincount(row)
    squares = float(np.square(sums - mean * counts).sum())
    error = math.sqrt(squares * len(rows) / (len(rows) - 1)) / len(gains)
    return Gain(mean, error)
