"""Probabilities that mean what they say, fitted on rows that neither training nor model choice has seen.

Shapes: logits (rows, classes), finite and of any float type; what is computed from them is float64.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.arrays import Bools, Floats, Ints

LOWEST_TEMPERATURE = 0.01
"""The lowest temperature tried: sharp enough for cosines, which CLIP multiplies by at most 100 (arXiv:2103.00020, section
2.5)."""
HIGHEST_TEMPERATURE = 100.0
"""The highest temperature tried: it makes the probabilities of ordinary logits all but equal."""

NEWTON_STEPS = 100
"""The most steps of Newton's method: Platt fits take about 8, and those that have not converged by then never do."""


@dataclass(frozen=True)
class Platt:
    """For each label a line through its logits: probability = sigmoid(scale * logit + bias)."""

    scale: tuple[float, ...]
    """(labels,), above 0, so that the order of rows stays as it was."""
    bias: tuple[float, ...]
    """(labels,), added to each label's scaled logits."""
    unfit: tuple[int, ...]
    """Labels left at scale 1, bias 0: always or never present, or logits all alike or against the truth."""

    def to_json(self) -> dict[str, list[float]]:
        return {name: list(values) for name, values in asdict(self).items()}


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Probabilities over the last axis; large logits do not overflow.

    >>> softmax(np.array([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    logits = np.asarray(logits, np.float64)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = weights / weights.sum(axis=-1, keepdims=True)
    return probabilities


def sigmoid(logits: Floats) -> NDArray[np.float64]:
    """1 / (1 + exp(-logit)), of any shape; large logits do not overflow.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return np.exp(-np.logaddexp(0, -np.asarray(logits, np.float64)))


def apply_temperature(logits: Floats, temperature: float) -> NDArray[np.float64]:
    """Calibrated probabilities (rows, classes): softmax(logits / temperature). No answer changes by it."""
    assert temperature > 0, f"temperature {temperature} is not above 0"
    return softmax(np.asarray(logits, np.float64) / temperature)


def fit_temperature(logits: Floats, labels: Ints) -> float:
    """The temperature with the least log loss of softmax(logits / temperature), between 0.01 and 100.

    logits: (rows, classes).  labels: (rows,), integers.  Above 1, the model was overconfident.

    Guo et al. 2017 (arXiv:1706.04599, section 4.2). The log loss is convex in 1 / temperature, so the one
    root of its slope is the optimum. Where there is none in range, the nearer bound is given: the highest for
    logits no better than chance, the lowest for logits that are tiny. Two cases have no optimum at all. If
    all logits of each row are alike, nothing depends on the temperature, and it is 1. If every row is right,
    sharper always fits better, up to a certainty that so few rows cannot give; then the truth is smoothed, as
    if one in rows + 2 were drawn blindly (the rule of succession, which Platt 1999 uses likewise).
    """
    assert len(logits) == len(labels) > 0, f"{len(logits)} rows of logits and {len(labels)} labels"
    assert np.isfinite(logits).all(), "logits must be finite"
    below_best = np.asarray(logits, np.float64)
    below_best = below_best - below_best.max(axis=1, keepdims=True)
    if not below_best.any():
        return 1.0

    target = np.take_along_axis(below_best, labels[:, None], axis=1).mean()
    if target == 0:  # every row is right
        target = below_best.mean() / (len(logits) + 2)

    def slope(log_temperature: float) -> float:
        """Slope of the mean log loss along 1 / temperature: above 0 where probabilities are too sharp, below 0 where too flat."""
        weights = np.exp(below_best * math.exp(-log_temperature))
        expected = (weights * below_best).sum(axis=1) / weights.sum(axis=1)
        return float(expected.mean() - target)

    lowest, highest = math.log(LOWEST_TEMPERATURE), math.log(HIGHEST_TEMPERATURE)
    if slope(lowest) <= 0:
        return LOWEST_TEMPERATURE
    if slope(highest) >= 0:
        return HIGHEST_TEMPERATURE
    from scipy.optimize import brentq  # 0.3 s, and prediction does without it

    return math.exp(brentq(slope, lowest, highest, xtol=1e-12))


def fit_platt_per_label(logits: Floats, truth: Bools | Ints) -> Platt:
    """For each label the line through its logits with the least log loss against Platt's smoothed truth.

    logits: (rows, labels).  truth: (rows, labels), true or 1 where the row has the label.

    Platt 1999, "Probabilistic outputs for support vector machines", section 2.2: with n rows that have the
    label and m that have not, their truth is (n + 1) / (n + 2) and 1 / (m + 2), so the optimum is finite even
    if the label is separated perfectly. Newton's method with backtracking, as in Lin, Lin and Weng 2007
    (Machine Learning 68), for all labels at once.
    """
    present = np.asarray(truth, bool)
    assert logits.shape == present.shape, f"logits {logits.shape} and truth {present.shape}"
    assert len(logits) > 0, "no row to fit on"
    assert np.isfinite(logits).all(), "logits must be finite"

    with_label = np.count_nonzero(present, axis=0)
    without = len(present) - with_label
    smoothed = np.where(present, (with_label + 1) / (with_label + 2), 1 / (without + 2))
    line = _newton(np.asarray(logits, np.float64), smoothed)  # (2, labels)

    # Logits all alike end here too: their scale is 0.
    unfit = (with_label == 0) | (without == 0) | (line[0] <= 0)
    scale, bias = np.where(unfit, [[1.0], [0.0]], line)
    return Platt(tuple(scale.tolist()), tuple(bias.tolist()), tuple(np.flatnonzero(unfit).tolist()))


def apply_platt(logits: Floats, platt: Platt) -> NDArray[np.float64]:
    """Calibrated probabilities (rows, labels), each in [0, 1] by itself."""
    return sigmoid(np.asarray(logits, np.float64) * platt.scale + platt.bias)


def _newton(logits: NDArray[np.float64], smoothed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale and bias of each label, (2, labels), by Newton's method with backtracking."""
    # In units of the label's own spread, so that one tolerance fits logits of any size.
    centre, spread = logits.mean(axis=0), logits.std(axis=0)
    spread[np.ptp(logits, axis=0) == 0] = 1
    logits = (logits - centre) / spread

    def loss(line: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = line[0] * logits + line[1]
        mean: NDArray[np.float64] = (np.logaddexp(0, scores) - smoothed * scores).mean(axis=0)
        return mean

    share = smoothed.mean(axis=0)
    line = np.stack([np.zeros_like(share), np.log(share / (1 - share))])
    reached = loss(line)
    for _ in range(NEWTON_STEPS):
        probabilities = sigmoid(line[0] * logits + line[1])
        error, weight = probabilities - smoothed, probabilities * (1 - probabilities)
        slope = np.stack([(error * logits).mean(axis=0), error.mean(axis=0)])
        if np.abs(slope).max() < 1e-10:
            break
        # The ridge keeps the matrix invertible where all logits of a label are alike.
        a = (weight * logits**2).mean(axis=0) + 1e-12
        b = (weight * logits).mean(axis=0)
        d = weight.mean(axis=0) + 1e-12
        step = np.stack([d * slope[0] - b * slope[1], a * slope[1] - b * slope[0]]) / (a * d - b**2)

        shrink = np.ones_like(share)
        while True:
            tried = loss(line - shrink * step)
            worse = (tried > reached) & (shrink > 1e-6)
            if not worse.any():
                break
            shrink[worse] /= 2
        line, reached = line - shrink * step, tried

    return np.stack([line[0] / spread, line[1] - line[0] * centre / spread])
