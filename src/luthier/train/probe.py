"""The probe: a linear head on frozen features, solved for exactly. Seconds, and hard to beat on small data."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from luthier import seeds
from luthier.tasks.task import Array

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Inverse strengths of the L2 penalty tried, from strong to weak (scikit-learn's C, on standardised features)."""
EXACT, ROUGH = 1e-5, 1e-3
"""Largest gradient left: of the head that is kept, and of those that only tell which strength is best (several times
faster, with the same choice)."""
FOLDS = 3
MOST_ROWS = 10_000
"""Rows cross-validation looks at: beyond that the choice of a strength no longer changes."""


@dataclass(frozen=True)
class Probe:
    """A linear head on raw features: logits = features @ weight.T + bias."""

    weight: Array
    """(outputs, width)"""
    bias: Array
    """(outputs,)"""
    strength: float
    """The C that cross-validation chose."""
    cross_validated: dict[float, float]
    """Score of each strength tried, mean over folds."""

    def logits(self, features: Array) -> Array:
        """(rows, width) -> (rows, outputs)"""
        found: Array = (features @ self.weight.T + self.bias).astype(np.float32)
        return found

    def start(self, linear: torch.nn.Linear, share: float = 1.0) -> None:
        """Write `share` times this head into a layer."""
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(self.weight * share))
            linear.bias.copy_(torch.from_numpy(self.bias * share))


def fit_probe(
    features: Array, targets: Array, outputs: int, score: Callable[[Array, Array], float], seed: int
) -> Probe:
    """L2-regularised (multinomial) logistic regression; its strength is found by cross-validation.

    features: (rows, width).  targets: (rows,) classes, or (rows, outputs) marks.  score(logits, targets): higher is better.

    Features are standardised first, so that one strength means the same for every model, and the standardisation is
    folded back into the weights.
    """
    centre, spread = features.mean(0), features.std(0)
    # A feature that is constant on these rows (MiniLM has some) says nothing: leave it, rather than divide by zero.
    spread = np.where(spread > 1e-3 * spread.max(), spread, spread.max() or 1.0)
    scaled = ((features - centre) / spread).astype(np.float64)
    scores = cross_validate(scaled, targets, outputs, score, seed)
    strength = strongest_within_noise(scores, min(len(features), MOST_ROWS)) if scores else STRENGTHS[1]
    weight, bias = Solver(targets, outputs, EXACT).solve(scaled, targets, strength)
    weight = weight / spread
    return Probe(weight.astype(np.float32), (bias - weight @ centre).astype(np.float32), strength, scores)


def strongest_within_noise(scores: dict[float, float], rows: int) -> float:
    """The strongest penalty whose score is within one standard error of the best (Breiman et al. 1984, section 3.4.3).

    scores: score in [0, 1] by inverse strength, from strong to weak.  rows: how many were held out in all.

    >>> strongest_within_noise({0.01: 0.80, 0.1: 0.90, 1.0: 0.91}, rows=100)
    0.1
    """
    best = max(scores.values())
    noise = (best * (1 - best) / rows) ** 0.5
    return next(strength for strength, score in scores.items() if score >= best - noise)


def cross_validate(
    features: Array, targets: Array, outputs: int, score: Callable[[Array, Array], float], seed: int
) -> dict[float, float]:
    """Mean score of each strength over folds; it ends early once weaker penalties only get worse.

    Empty when there are too few rows to hold any out.
    """
    order = seeds.generator(seed, "probe folds").permutation(len(features))[:MOST_ROWS]
    folds = [fold for fold in np.array_split(order, FOLDS) if len(fold)]
    if len(folds) < FOLDS:
        return {}
    solvers = [Solver(targets, outputs, ROUGH) for _ in folds]
    scores: dict[float, float] = {}
    for strength in STRENGTHS:
        found = []
        for out, solver in zip(folds, solvers, strict=True):
            rows = np.setdiff1d(order, out)
            weight, bias = solver.solve(features[rows], targets[rows], strength)
            found.append(score((features[out] @ weight.T + bias).astype(np.float32), targets[out]))
        scores[strength] = float(np.mean(found))
        if (
            list(scores.values())[-3:] == sorted(list(scores.values())[-3:], reverse=True)
            and len(scores) >= 3
        ):
            break
    return scores


class Solver:
    """scikit-learn's logistic regression for one set of classes, started each time from the last solution."""

    def __init__(self, targets: Array, outputs: int, tolerance: float) -> None:
        self.many = targets.ndim == 2
        self.outputs = outputs
        self.tolerance = tolerance
        self.models: dict[int, Any] = {}

    def solve(self, features: Array, targets: Array, strength: float) -> tuple[Array, Array]:
        """(outputs, width) weights and (outputs,) biases."""
        if not self.many:
            return self.spread_out(*self.fit(0, features, targets, strength))
        columns = [self.binary(at, features, targets[:, at], strength) for at in range(self.outputs)]
        return np.stack([weight for weight, _ in columns]), np.array([bias for _, bias in columns])

    def binary(self, at: int, features: Array, marks: Array, strength: float) -> tuple[Array, float]:
        """One label of several; one that all rows have, or none, is answered by its frequency."""
        if marks.min() == marks.max():
            return np.zeros(features.shape[1]), float(
                np.log((marks.sum() + 0.5) / (len(marks) - marks.sum() + 0.5))
            )
        _, weight, bias = self.fit(at, features, marks, strength)
        return weight[0], float(bias[0])

    def fit(self, key: int, features: Array, targets: Array, strength: float) -> tuple[Array, Array, Array]:
        classes = np.unique(targets)
        if len(classes) == 1:
            return classes, np.zeros((1, features.shape[1])), np.zeros(1)

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        model = self.models.setdefault(
            key, LogisticRegression(max_iter=300, tol=self.tolerance, warm_start=True)
        )
        model.set_params(C=strength)
        with warnings.catch_warnings():
            # The path over strengths ends in weak penalties on separable rows, where 300 iterations are plenty to score.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features, targets)
        return model.classes_, model.coef_, model.intercept_

    def spread_out(self, classes: Array, weight: Array, bias: Array) -> tuple[Array, Array]:
        """One row per output: two classes come as one row, and a fold may lack a class."""
        if len(classes) == 2:
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        full_weight = np.zeros((self.outputs, weight.shape[1]))
        # A class that was not there must not win: far below the others.
        full_bias = np.full(self.outputs, min(bias.min(), 0.0) - 10.0)
        full_weight[classes.astype(int)] = weight
        full_bias[classes.astype(int)] = bias
        return full_weight, full_bias
