"""Scores of a task that gives each row exactly one of several classes.

Shapes: labels and predicted (rows,), integers from 0 to classes - 1; probabilities (rows, classes), each row
sums to 1. What ends in `_per_row` is what the metric of that name is the mean of; `intervals` takes it.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats, Ints
from luthier.scores.intervals import Statistic

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
"""A probability below this counts as this, so that one certain mistake costs 36 nats and not infinity."""


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found. All shares are in [0, 1]; one without a denominator is 0."""

    precision: float
    """Share of the rows predicted to be of the class that are."""
    recall: float
    """Share of the rows of the class that were predicted to be."""
    f1: float
    """Harmonic mean of precision and recall."""
    support: int
    """Rows that are of the class."""

    def to_json(self) -> dict[str, float | int]:
        return asdict(self)


@dataclass(frozen=True)
class Counts:
    """The three counts from which precision, recall and F1 follow; each (..., classes)."""

    hits: Floats | Ints
    """Rows of the class that were predicted to be."""
    in_truth: Floats | Ints
    in_predictions: Floats | Ints

    def f1(self) -> NDArray[np.float64]:
        """F1 of each class, (..., classes); 0 for a class that occurs nowhere."""
        return _share(2 * self.hits, self.in_truth + self.in_predictions)

    def macro_f1(self) -> NDArray[np.float64]:
        """The mean of F1 over the classes that occur in truth or predictions, (...); 0 if none does."""
        occurring = np.count_nonzero(self.in_truth + self.in_predictions, axis=-1)
        mean: NDArray[np.float64] = self.f1().sum(axis=-1) / np.maximum(occurring, 1)
        return mean

    def micro_f1(self) -> NDArray[np.float64]:
        """F1 of all decisions thrown together, (...); 0 if no class occurs."""
        return _share(2 * self.hits.sum(axis=-1), (self.in_truth + self.in_predictions).sum(axis=-1))

    def per_class(self) -> tuple[ClassScore, ...]:
        """The scores of each class, in their order; only for counts of shape (classes,)."""
        columns = zip(
            _share(self.hits, self.in_predictions).tolist(),
            _share(self.hits, self.in_truth).tolist(),
            self.f1().tolist(),
            self.in_truth.astype(np.int64).tolist(),
            strict=True,
        )
        return tuple(ClassScore(*row) for row in columns)


@dataclass(frozen=True)
class Reliability:
    """What a reliability diagram shows: for predictions of like confidence, how often they are right.

    Bins have equal width over [0, 1]; a confidence on an edge belongs to the lower bin, as in Guo et al. 2017
    (arXiv:1706.04599, section 2). An empty bin holds zeros.
    """

    counts: tuple[int, ...]
    """(bins,) number of predictions in each bin."""
    confidence: tuple[float, ...]
    """(bins,) mean confidence of each bin."""
    accuracy: tuple[float, ...]
    """(bins,) share of each bin's predictions that is right."""

    @staticmethod
    def of(confidence: Floats, right: NDArray[np.bool_], bins: int) -> "Reliability":
        """The diagram of some decisions.

        confidence: (decisions,) in [0, 1].  right: (decisions,).
        """
        assert len(confidence) > 0, "no decision to judge"
        confidence = np.asarray(confidence, np.float64)
        bin_of_each = bin_of(confidence, bins)
        counts = np.bincount(bin_of_each, minlength=bins)
        sure = np.bincount(bin_of_each, confidence, bins)
        hits = np.bincount(bin_of_each, right, bins)
        return Reliability(
            tuple(counts.tolist()), tuple(_share(sure, counts).tolist()), tuple(_share(hits, counts).tolist())
        )

    @property
    def expected_calibration_error(self) -> float:
        """Mean over bins of |accuracy - confidence|, weighted by count (the paper's eq. 3), in [0, 1]."""
        gaps = np.abs(np.subtract(self.accuracy, self.confidence))
        return float(np.average(gaps, weights=self.counts))

    def to_json(self) -> dict[str, list[float]]:
        return {name: list(values) for name, values in asdict(self).items()}


def accuracy(labels: Ints, predicted: Ints) -> float:
    """Share of rows whose class was predicted, in [0, 1].

    >>> accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0]))
    0.75
    """
    return _mean(accuracy_per_row(labels, predicted))


def accuracy_per_row(labels: Ints, predicted: Ints) -> NDArray[np.float64]:
    """(rows,), 1 where the class is right, else 0."""
    assert len(labels) == len(predicted), f"{len(labels)} labels and {len(predicted)} predictions"
    return np.equal(labels, predicted).astype(np.float64)


def confusion(labels: Ints, predicted: Ints, classes: int) -> NDArray[np.int64]:
    """(classes, classes) counts of rows: the true class down, the predicted one across.

    >>> confusion(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0]), classes=3)
    array([[1, 0, 0],
           [0, 1, 0],
           [1, 0, 1]])
    """
    _check(labels, predicted, classes)
    cells = np.bincount(np.asarray(labels, np.int64) * classes + predicted, minlength=classes**2)
    return cells.reshape(classes, classes)


def per_class(labels: Ints, predicted: Ints, classes: int) -> tuple[ClassScore, ...]:
    """Precision, recall, F1 and support of each class, in class order."""
    return _counts(labels, predicted, classes).per_class()


def macro_f1(labels: Ints, predicted: Ints, classes: int) -> float:
    """Mean of F1 over the classes that occur in labels or predictions, in [0, 1].

    A class that occurs in neither has no F1 and is left out; one that occurs only in predictions has F1 0.

    >>> macro_f1(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), classes=5)
    1.0
    """
    return float(_counts(labels, predicted, classes).macro_f1())


def resampled_macro_f1(labels: Ints, predicted: Ints, classes: int) -> Statistic:
    """Macro F1 as a statistic over resampled rows, for `intervals`; each resample counts its own classes."""
    _check(labels, predicted, classes)
    right = accuracy_per_row(labels, predicted)

    def statistic(rows: Ints) -> NDArray[np.float64]:
        draws = len(rows)
        block_of_draw = np.arange(draws)[:, None] * classes
        truth = (labels[rows] + block_of_draw).ravel()
        answers = (predicted[rows] + block_of_draw).ravel()
        counts = Counts(
            hits=np.bincount(truth, right[rows].ravel(), draws * classes).reshape(draws, classes),
            in_truth=np.bincount(truth, minlength=draws * classes).reshape(draws, classes),
            in_predictions=np.bincount(answers, minlength=draws * classes).reshape(draws, classes),
        )
        return counts.macro_f1()

    return statistic


def log_loss(probabilities: Floats, labels: Ints) -> float:
    """Mean of -log(probability of the true class), in nats: 0 is perfect, log(classes) is knowing nothing.

    >>> log_loss(np.array([[0.5, 0.5]]), np.array([1]))
    0.6931471805599453
    """
    return _mean(log_loss_per_row(probabilities, labels))


def log_loss_per_row(probabilities: Floats, labels: Ints) -> NDArray[np.float64]:
    """(rows,) -log(probability of the true class) in nats, at most 36.05 (see SMALLEST_PROBABILITY)."""
    of_truth = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0].astype(np.float64)
    return -np.log(np.clip(of_truth, SMALLEST_PROBABILITY, 1))


def brier(probabilities: Floats, labels: Ints) -> float:
    """Squared distance from the truth, summed over classes, mean over rows: in [0, 2], 0 is perfect.

    Brier 1950, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, eq.
    2. For two classes this is twice the one-number form that others report.

    >>> brier(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([1, 0]))
    1.25
    """
    return _mean(brier_per_row(probabilities, labels))


def brier_per_row(probabilities: Floats, labels: Ints) -> NDArray[np.float64]:
    """(rows,) squared distance of each row's probabilities from the truth, in [0, 2]."""
    distances = np.array(probabilities, np.float64)
    distances[np.arange(len(labels)), labels] -= 1
    total: NDArray[np.float64] = np.square(distances).sum(axis=1)
    return total


def expected_calibration_error(probabilities: Floats, labels: Ints, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, weighted by bin size, in [0, 1].

    Bins have equal width, as in Guo et al. 2017 (arXiv:1706.04599, eq. 3); the value depends on `bins`, so
    report both.

    >>> expected_calibration_error(np.array([[0.75, 0.25]]), np.array([0]))
    0.25
    """
    return reliability(probabilities, labels, bins).expected_calibration_error


@dataclass(frozen=True)
class ResampledGaps:
    """The gaps between confidence and accuracy, bin by bin, over resampled rows."""

    sums: NDArray[np.float64]
    """(rows, bins) what the decisions of each row add to the gap of each bin: confidence less right answers."""
    decisions: float
    """Decisions of a row, on average."""

    @staticmethod
    def of(sure: Floats, right: NDArray[np.bool_], row: Ints, bins: int) -> "ResampledGaps":
        """sure, right: (decisions,) as `Reliability.of` takes them.  row: (decisions,) the row that each belongs to, from 0."""
        rows = int(row.max()) + 1
        places = row * bins + bin_of(sure, bins)
        sums = np.bincount(places, np.asarray(sure, np.float64) - right, rows * bins).astype(np.float64)
        return ResampledGaps(sums.reshape(rows, bins), len(row) / rows)

    def gaps(self, drawn: Ints) -> NDArray[np.float64]:
        """(draws, bins) the gap of each bin, weighted by its size. drawn: (draws, rows)."""
        draws, rows = len(drawn), len(self.sums)
        block_of_draw = np.arange(draws)[:, None] * rows
        times_drawn = np.bincount((drawn + block_of_draw).ravel(), minlength=draws * rows).astype(np.float64)
        # Not `@`: that wakes the threads of BLAS, which on busy cores wait 50 times as long for one another.
        sums: NDArray[np.float64] = np.einsum("dr,rb->db", times_drawn.reshape(draws, rows), self.sums)
        gaps: NDArray[np.float64] = sums / (self.decisions * drawn.shape[1])
        return gaps

    def error(self, drawn: Ints) -> NDArray[np.float64]:
        """(draws,) the expected calibration error, for `intervals.bootstrap`."""
        error: NDArray[np.float64] = np.abs(self.gaps(drawn)).sum(axis=1)
        return error

    def shift(self, drawn: Ints) -> NDArray[np.float64]:
        """(draws,) how far the gaps of resampled rows lie from those of the rows themselves, in all bins together."""
        own = self.gaps(np.arange(len(self.sums))[None])
        shift: NDArray[np.float64] = np.abs(self.gaps(drawn) - own).sum(axis=1)
        return shift


def resampled_ece(probabilities: Floats, labels: Ints, bins: int = 15) -> ResampledGaps:
    """The expected calibration error over resampled rows."""
    predicted = probabilities.argmax(axis=1)
    return ResampledGaps.of(probabilities.max(axis=1), predicted == labels, np.arange(len(labels)), bins)


def bin_of(sure: Floats, bins: int) -> NDArray[np.intp]:
    """(decisions,) the bin of each confidence; one on an edge belongs to the lower bin."""
    inner_edges = np.linspace(0, 1, bins + 1)[1:-1]
    return np.searchsorted(inner_edges, np.asarray(sure, np.float64), side="left")


def reliability(probabilities: Floats, labels: Ints, bins: int = 15) -> Reliability:
    """Bins of the confidence in the most probable class, and how often that class is the true one."""
    predicted = probabilities.argmax(axis=1)
    return Reliability.of(probabilities.max(axis=1), predicted == labels, bins)


def _counts(labels: Ints, predicted: Ints, classes: int) -> Counts:
    table = confusion(labels, predicted, classes)
    return Counts(hits=table.diagonal(), in_truth=table.sum(axis=1), in_predictions=table.sum(axis=0))


def _check(labels: Ints, predicted: Ints, classes: int) -> None:
    assert len(labels) == len(predicted) > 0, f"{len(labels)} labels and {len(predicted)} predictions"
    assert min(labels.min(), predicted.min()) >= 0, "a negative class"
    assert max(labels.max(), predicted.max()) < classes, f"a class beyond the {classes} known ones"


def _mean(per_row: NDArray[np.float64]) -> float:
    assert len(per_row) > 0, "no row to score"
    return float(per_row.mean())


def _share(part: Floats | Ints, whole: Floats | Ints) -> NDArray[np.float64]:
    """part / whole, and 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) > 0)
