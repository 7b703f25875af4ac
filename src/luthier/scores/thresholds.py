"""From which probability on a label counts as present."""

from dataclasses import asdict, dataclass

import numpy as np

from luthier.arrays import Bools, Floats, Ints


@dataclass(frozen=True)
class Thresholds:
    """A row has a label when the label's probability is at least the label's threshold."""

    values: tuple[float, ...]
    """(labels,) the threshold of each label, in [0, 1]."""
    unfit: tuple[int, ...]
    """Labels that no validation row has; their threshold is 0.5."""

    def to_json(self) -> dict[str, list[float]]:
        return {name: list(values) for name, values in asdict(self).items()}


def best_thresholds(probabilities: Floats, truth: Bools | Ints) -> Thresholds:
    """For each label the threshold with the highest F1 on these rows, which should be validation rows.

    probabilities: (rows, labels).  truth: (rows, labels), true or 1 where the row has the label.

    The search is exact: between two neighbouring scores all thresholds decide alike, so each gap is tried
    once. A gap stands for 0.5 if it holds it, else for its middle; among gaps of equal F1 the one nearest to
    0.5 wins. Where the scores say nothing about a label, F1 is highest if every row gets it (Lipton et al.
    2014, arXiv:1402.1892, abstract): a threshold near 0 is a sign of that.

    >>> best_thresholds(np.array([[0.9], [0.4], [0.2]]), np.array([[1], [1], [0]])).values
    (0.30000000000000004,)
    """
    scores, present = np.asarray(probabilities, np.float64), np.asarray(truth, bool)
    assert scores.shape == present.shape, f"probabilities {scores.shape} and truth {present.shape}"
    assert len(scores) > 0, "no row to search on"
    rows = len(scores)

    order = np.argsort(-scores, axis=0)
    # A cut after k rows calls the k most probable rows present.
    upper = np.take_along_axis(scores, order, axis=0)
    lower = np.concatenate([upper[1:], np.zeros_like(upper[:1])])
    hits = np.cumsum(np.take_along_axis(present, order, axis=0), axis=0)
    f1 = 2 * hits / (np.arange(1, rows + 1)[:, None] + hits[-1])
    f1[:-1][upper[:-1] == lower[:-1]] = -1  # rows of one score cannot be cut apart

    middle = (lower + upper) / 2
    middle = np.where(middle > lower, middle, upper)  # neighbouring floats have no middle
    cut = np.where((lower < 0.5) & (upper >= 0.5), 0.5, middle)

    far = np.where(f1 == f1.max(axis=0), np.abs(cut - 0.5), np.inf)
    best = np.take_along_axis(cut, far.argmin(axis=0)[None, :], axis=0)[0]
    unfit = hits[-1] == 0
    values = np.where(unfit, 0.5, best)
    return Thresholds(tuple(values.tolist()), tuple(np.flatnonzero(unfit).tolist()))


def apply_thresholds(probabilities: Floats, thresholds: Thresholds) -> Bools:
    """(rows, labels), true where the label counts as present."""
    present: Bools = np.asarray(probabilities, np.float64) >= np.asarray(thresholds.values)
    return present
