"""Scores of a task that gives each row any number of labels.

Shapes: truth and predicted (rows, labels), true or 1 where the row has the label; probabilities (rows,
labels), each in [0, 1] by itself. What ends in `_per_row` is what the metric of that name is the mean of;
`intervals` takes it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Bools, Floats, Ints
from luthier.scores.classification import (
    SMALLEST_PROBABILITY,
    ClassScore,
    Counts,
    Reliability,
    ResampledGaps,
)
from luthier.scores.intervals import Statistic


def accuracy(truth: Bools | Ints, predicted: Bools | Ints) -> float:
    """Share of rows of which every label is right, in [0, 1]: the strict one, also called subset accuracy.

    >>> accuracy(np.array([[1, 0], [1, 1]]), np.array([[1, 0], [1, 0]]))
    0.5
    """
    return _mean(accuracy_per_row(truth, predicted))


def accuracy_per_row(truth: Bools | Ints, predicted: Bools | Ints) -> NDArray[np.float64]:
    """(rows,), 1 where all labels are right, else 0."""
    _check(truth, predicted)
    right: Bools = np.all(np.asarray(truth, bool) == np.asarray(predicted, bool), axis=1)
    return right.astype(np.float64)


def per_class(truth: Bools | Ints, predicted: Bools | Ints) -> tuple[ClassScore, ...]:
    """Precision, recall, F1 and support of each label, in label order."""
    return _counts(truth, predicted).per_class()


def macro_f1(truth: Bools | Ints, predicted: Bools | Ints) -> float:
    """Mean of F1 over the labels that occur in truth or predictions, in [0, 1]; 0 if none does."""
    return float(_counts(truth, predicted).macro_f1())


def micro_f1(truth: Bools | Ints, predicted: Bools | Ints) -> float:
    """F1 of all row-label decisions thrown together, in [0, 1]; 0 if no label occurs."""
    return float(_counts(truth, predicted).micro_f1())


def resampled_macro_f1(truth: Bools | Ints, predicted: Bools | Ints) -> Statistic:
    """Macro F1 as a statistic over resampled rows, for `intervals.bootstrap`."""
    recount = _recounts(truth, predicted)
    return lambda rows: recount(rows).macro_f1()


def resampled_micro_f1(truth: Bools | Ints, predicted: Bools | Ints) -> Statistic:
    """Micro F1 as a statistic over resampled rows, for `intervals.bootstrap`."""
    recount = _recounts(truth, predicted)
    return lambda rows: recount(rows).micro_f1()


def log_loss(probabilities: Floats, truth: Bools | Ints) -> float:
    """Mean over rows and labels of -log(probability of what is true), in nats; log(2) is knowing nothing.

    >>> log_loss(np.array([[0.5, 0.5]]), np.array([[1, 0]]))
    0.6931471805599453
    """
    return _mean(log_loss_per_row(probabilities, truth))


def log_loss_per_row(probabilities: Floats, truth: Bools | Ints) -> NDArray[np.float64]:
    """(rows,), mean over labels, in nats."""
    _check(truth, probabilities)
    present = np.asarray(probabilities, np.float64)
    of_truth = np.where(truth, present, 1 - present)
    means: NDArray[np.float64] = -np.log(np.clip(of_truth, SMALLEST_PROBABILITY, 1)).mean(axis=1)
    return means


def brier(probabilities: Floats, truth: Bools | Ints) -> float:
    """Mean over rows and labels of (probability - truth) squared, in [0, 1].

    Half of what Brier 1950 sums over the two outcomes, as is usual for yes and no.

    >>> brier(np.array([[0.5, 0.0]]), np.array([[1, 0]]))
    0.125
    """
    return _mean(brier_per_row(probabilities, truth))


def brier_per_row(probabilities: Floats, truth: Bools | Ints) -> NDArray[np.float64]:
    """(rows,), mean over labels, in [0, 1]."""
    _check(truth, probabilities)
    means: NDArray[np.float64] = np.square(np.asarray(probabilities, np.float64) - truth).mean(axis=1)
    return means


def expected_calibration_error(probabilities: Floats, truth: Bools | Ints, bins: int = 15) -> float:
    """Mean gap between the probability of a label and how often it is present, in [0, 1].

    Over all row-label pairs, in bins of equal width. The value depends on `bins`, and rare labels, which a
    model knows to be absent, pull it towards 0.
    """
    return reliability(probabilities, truth, bins).expected_calibration_error


def resampled_ece(probabilities: Floats, truth: Bools | Ints, bins: int = 15) -> ResampledGaps:
    """The expected calibration error over resampled rows."""
    _check(truth, probabilities)
    row = np.repeat(np.arange(len(truth)), truth.shape[1])
    return ResampledGaps.of(probabilities.ravel(), np.asarray(truth, bool).ravel(), row, bins)


def reliability(probabilities: Floats, truth: Bools | Ints, bins: int = 15) -> Reliability:
    """Bins of a label's probability, over all row-label pairs; `accuracy`: the share present."""
    _check(truth, probabilities)
    return Reliability.of(probabilities.ravel(), np.asarray(truth, bool).ravel(), bins)


def _counts(truth: Bools | Ints, predicted: Bools | Ints) -> Counts:
    _check(truth, predicted)
    return Counts(*(marks.sum(axis=0) for marks in _marks(truth, predicted)))


def _recounts(truth: Bools | Ints, predicted: Bools | Ints) -> Callable[[Ints], Counts]:
    """The counts of many resamples at once: how often each row was drawn, times what it contributes."""
    _check(truth, predicted)
    total, labels = truth.shape
    contributions = np.concatenate(_marks(truth, predicted), axis=1).astype(np.float64)  # (rows, 3 * labels)

    def recount(rows: Ints) -> Counts:
        draws = len(rows)
        block_of_draw = np.arange(draws)[:, None] * total
        times_drawn = np.bincount((rows + block_of_draw).ravel(), minlength=draws * total).astype(np.float64)
        # Not `@`: that wakes the threads of BLAS, which on busy cores wait 50 times as long for one another.
        sums = np.einsum("dr,rc->dc", times_drawn.reshape(draws, total), contributions)
        return Counts(sums[:, :labels], sums[:, labels : 2 * labels], sums[:, 2 * labels :])

    return recount


def _marks(truth: Bools | Ints, predicted: Bools | Ints) -> tuple[Bools, Bools, Bools]:
    """Where there is a hit, a label in truth, a label in predictions: the order of `Counts`."""
    present, answered = np.asarray(truth, bool), np.asarray(predicted, bool)
    return present & answered, present, answered


def _check(truth: Bools | Ints, other: NDArray[Any]) -> None:
    assert truth.ndim == 2, f"truth has shape {truth.shape}, not (rows, labels)"
    assert truth.shape == other.shape, f"truth has shape {truth.shape}, what is judged by it {other.shape}"
    assert truth.size > 0, "no row or no label to score"


def _mean(per_row: NDArray[np.float64]) -> float:
    return float(per_row.mean())
