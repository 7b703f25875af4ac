"""Scores of a task that gives each row a number.

Shapes: truth and predicted (rows,), finite, in the unit of the column. What ends in `_per_row` is what the
metric of that name is the mean of; `intervals` takes it.
"""

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Floats, Ints
from luthier.scores.conformal import conformal_bound
from luthier.scores.intervals import Statistic, mean_of


def pearson(truth: Floats | Ints, predicted: Floats | Ints) -> float:
    """Linear correlation, in [-1, 1]; 0 if a side is constant, where there is nothing to go along with.

    >>> pearson(np.array([1.0, 2.0, 4.0]), np.array([10.0, 20.0, 40.0]))
    1.0
    """
    return _of_all_rows(resampled_pearson(truth, predicted), len(truth))


def spearman(truth: Floats | Ints, predicted: Floats | Ints) -> float:
    """Correlation of ranks, in [-1, 1]: does the order agree? 0 if a side is constant.

    Equal values share the mean of their ranks (Spearman 1904, American Journal of Psychology 15).

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.1, 100.0]))
    1.0
    """
    return _of_all_rows(resampled_spearman(truth, predicted), len(truth))


def mae(truth: Floats | Ints, predicted: Floats | Ints) -> float:
    """Mean of |truth - predicted|, in the unit of the column; 0 is perfect.

    >>> mae(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    1.5
    """
    return float(mae_per_row(truth, predicted).mean())


def mae_per_row(truth: Floats | Ints, predicted: Floats | Ints) -> NDArray[np.float64]:
    """(rows,) |truth - predicted|, in the unit of the column."""
    truth, predicted = _checked(truth, predicted)
    distances: NDArray[np.float64] = np.abs(truth - predicted)
    return distances


def r2(truth: Floats | Ints, predicted: Floats | Ints) -> float:
    """Share of the variance of truth that is explained: 1 is perfect, 0 is saying the mean, below 0 is worse.

    Of a truth that is constant nothing can be explained: it is 1 if each row is met exactly, else 0.

    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0]))
    0.0
    """
    return _of_all_rows(resampled_r2(truth, predicted), len(truth))


def resampled_pearson(truth: Floats | Ints, predicted: Floats | Ints) -> Statistic:
    """Pearson's correlation as a statistic over resampled rows, for `intervals.bootstrap`."""
    first, second = (_in_own_unit(side) for side in _checked(truth, predicted))
    return lambda rows: _correlations(first[rows], second[rows])


def resampled_spearman(truth: Floats | Ints, predicted: Floats | Ints) -> Statistic:
    """Spearman's correlation as a statistic over resampled rows, each resample ranked anew."""
    # Which of the distinct values, in rising order, a row has: ranks of a resample then need counts, no sorting.
    first, second = (np.unique(side, return_inverse=True)[1] for side in _checked(truth, predicted))
    return lambda rows: _correlations(_ranks(first[rows]), _ranks(second[rows]))


def resampled_mae(truth: Floats | Ints, predicted: Floats | Ints) -> Statistic:
    """Mean absolute error as a statistic over resampled rows, for `intervals.bootstrap`."""
    return mean_of(mae_per_row(truth, predicted))


def resampled_r2(truth: Floats | Ints, predicted: Floats | Ints) -> Statistic:
    """R squared as a statistic over resampled rows, each held against the mean of its own truth."""
    truth, predicted = _checked(truth, predicted)
    squares = np.square(truth - predicted)

    def statistic(rows: Ints) -> NDArray[np.float64]:
        drawn = truth[rows]
        left = squares[rows].sum(axis=1)
        total = _squared_lengths(_centred(drawn))
        explained = 1 - np.divide(left, total, out=np.ones_like(left), where=total > 0)
        values: NDArray[np.float64] = np.where(_constant(drawn), left == 0, explained)
        return values

    return statistic


def conformal_margin(truth: Floats | Ints, predicted: Floats | Ints, coverage: float = 0.9) -> float:
    """Half width m such that predicted ± m holds the truth of a new row with at least this probability.

    truth, predicted: of calibration rows that neither training nor model choice has seen. The promise needs
    no model to be right, only that the new row is of their kind; it holds over all rows together, not for each
    sort of row. Infinite if the rows are too few for it: at 0.9, below 9.

    Split conformal prediction, Lei et al. 2018, "Distribution-free predictive inference for regression", J. Am.
    Stat. Assoc. 113, section 2.2: of n absolute errors the smallest but ceil((n + 1) * coverage) - 1.

    >>> conformal_margin(np.arange(9.0), np.zeros(9))
    8.0
    """
    assert 0 < coverage < 1, f"coverage {coverage} is not a share"
    return conformal_bound(mae_per_row(truth, predicted), 1 - coverage)


def coverage(truth: Floats | Ints, low: Floats | Ints, high: Floats | Ints) -> float:
    """Share of rows whose truth lies between low and high, ends included, in [0, 1].

    low, high: (rows,).

    >>> coverage(np.array([1.0, 2.0]), np.array([0.0, 0.0]), np.array([1.0, 1.0]))
    0.5
    """
    assert truth.shape == low.shape == high.shape, f"{truth.shape} rows, {low.shape} to {high.shape} bounds"
    assert len(truth) > 0, "no row to score"
    return float(np.mean((low <= truth) & (truth <= high)))


def _of_all_rows(statistic: Statistic, rows: int) -> float:
    return float(statistic(np.arange(rows)[None, :])[0])


def _in_own_unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values centred and scaled to lie between -1 and 1, so that neither a far zero nor a tiny or huge unit costs digits."""
    centred = values - values.mean()
    scaled: NDArray[np.float64] = centred / (np.abs(centred).max() or 1.0)
    return scaled


def _ranks(places: Ints) -> NDArray[np.float64]:
    """Ranks from 1 within each draw, the mean rank for equal ones; (draws, rows), as places are."""
    draws, distinct = len(places), int(places.max()) + 1
    cells = places + np.arange(draws)[:, None] * distinct
    counts = np.bincount(cells.ravel(), minlength=draws * distinct).reshape(draws, distinct)
    mean_rank = np.cumsum(counts, axis=1) - (counts - 1) / 2
    ranks: NDArray[np.float64] = mean_rank.ravel()[cells]
    return ranks


def _correlations(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's correlation of each draw, (draws,); first and second are (draws, rows)."""
    # Asked before centring, which leaves dust of a constant: a mean of equal numbers is rounded too.
    constant = _constant(first) | _constant(second)
    first, second = _centred(first), _centred(second)
    lengths = np.sqrt(_squared_lengths(first) * _squared_lengths(second))
    along = np.einsum("dr,dr->d", first, second)
    values = np.divide(along, lengths, out=np.zeros_like(along), where=~constant & (lengths > 0))
    inside: NDArray[np.float64] = np.clip(values, -1, 1)
    return inside


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred: NDArray[np.float64] = values - values.mean(axis=1, keepdims=True)
    return centred


def _squared_lengths(values: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.einsum("dr,dr->d", values, values)
    return lengths


def _constant(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether all values of a draw are equal, (draws,)."""
    alike: NDArray[np.bool_] = (values == values[:, :1]).all(axis=1)
    return alike


def _checked(
    truth: Floats | Ints, predicted: Floats | Ints
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    assert truth.ndim == 1, f"truth has shape {truth.shape}, not (rows,)"
    assert truth.shape == predicted.shape, f"{len(truth)} rows of truth and predictions {predicted.shape}"
    assert len(truth) > 0, "no row to score"
    assert np.isfinite(truth).all(), "truth must be finite"
    assert np.isfinite(predicted).all(), "predictions must be finite"
    return np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
