"""The probe: a linear head on frozen features, solved for exactly. Seconds, and hard to beat on small data."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch.nn import functional

from luthier import seeds
from luthier.scores.intervals import jackknife
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
    """Score of each strength tried, on rows that it did not see: mean over folds."""

    def logits(self, features: Array) -> Array:
        """(rows, width) -> (rows, outputs)"""
        found: Array = (features @ self.weight.T + self.bias).astype(np.float32)
        return found

    def start(self, linear: torch.nn.Linear, share: float = 1.0) -> None:
        """Write `share` times this head into a layer."""
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(self.weight * share))
            linear.bias.copy_(torch.from_numpy(self.bias * share))


Score = Callable[[Array, Array], float]
"""(logits, targets) -> higher is better."""


def fit_probe(
    features: Array,
    targets: Array,
    outputs: int,
    score: Score,
    seed: int,
) -> Probe:
    """L2-regularised (multinomial) logistic regression, or ridge regression; its strength is found by cross-validation.

    features: (rows, width).  targets: (rows,) classes, or (rows, outputs) marks, or (rows,) numbers as floats.

    Features are standardised first, so that one strength means the same for every model, and the standardisation is
    folded back into the weights.
    """
    if features.shape[1] == 1:
        return solve_probe(
            features, targets, outputs, STRENGTHS[-1]
        )  # a line through one number does not overfit
    scaled, _, _ = standardised(features)
    held = cross_validate(scaled, targets, outputs, score, seed)
    strength = held.strongest_within_noise() if held.logits else STRENGTHS[1]
    scores = {tried: held.score(tried) for tried in held.logits}
    return replace(solve_probe(features, targets, outputs, strength), cross_validated=scores)


def solve_probe(features: Array, targets: Array, outputs: int, strength: float) -> Probe:
    """The probe of one strength. Shapes as in `fit_probe`."""
    scaled, centre, spread = standardised(features)
    weight, bias = Regression(scaled, targets, outputs).solve(strength, EXACT)
    weight = weight / spread
    return Probe(weight.astype(np.float32), (bias - weight @ centre).astype(np.float32), strength, {})


def standardised(features: Array) -> tuple[Array, Array, Array]:
    """Features with mean 0 and spread 1, and what they were before."""
    centre, spread = features.mean(0), features.std(0)
    # A feature that is constant on these rows (MiniLM has some) says nothing: leave it, rather than divide by zero.
    spread = np.where(spread > 1e-3 * spread.max(), spread, spread.max() or 1.0)
    return (features - centre) / spread, centre, spread


@dataclass(frozen=True)
class HeldOut:
    """What each strength gives for rows that it did not see."""

    logits: dict[float, Array]
    """(rows, outputs) by inverse strength, from strong to weak."""
    targets: Array
    folds: Array
    """(rows,) in which fold each row was held out: heads of two folds differ, so their rows are not ranked together."""
    measure: Score

    def score(self, strength: float, rows: Array | None = None) -> float:
        """Mean over folds, of some of their rows."""
        rows = np.arange(len(self.targets)) if rows is None else rows
        parts = [rows[self.folds[rows] == fold] for fold in np.unique(self.folds[rows])]
        found = self.logits[strength]
        return float(np.mean([self.measure(found[part], self.targets[part]) for part in parts]))

    def strongest_within_noise(self) -> float:
        """The strongest penalty whose score is within one standard error of the best (Breiman et al. 1984, section 3.4.3):
        of their difference on the same rows, which is smaller than that of a score."""
        scores = {strength: self.score(strength) for strength in self.logits}
        best = max(scores, key=lambda strength: scores[strength])

        def near(strength: float) -> bool:
            def gap(rows: Array) -> float:
                return self.score(best, rows) - self.score(strength, rows)

            return strength == best or scores[best] - scores[strength] <= jackknife(gap, len(self.targets))

        return next(strength for strength in scores if near(strength))


def cross_validate(features: Array, targets: Array, outputs: int, score: Score, seed: int) -> HeldOut:
    """Try one strength after the other; it ends early once weaker penalties only get worse.

    Nothing is tried when there are too few rows to hold any out.
    """
    order = seeds.generator(seed, "probe folds").permutation(len(features))[:MOST_ROWS]
    features, targets = features[order], targets[order]
    folds = np.arange(len(order)) % FOLDS
    held = HeldOut({}, targets, folds, score)
    if len(order) < FOLDS:
        return held
    regressions = [
        Regression(features[folds != fold], targets[folds != fold], outputs) for fold in range(FOLDS)
    ]
    scores: list[float] = []
    for strength in STRENGTHS:
        found = np.zeros((len(order), outputs), np.float32)
        for fold, regression in enumerate(regressions):
            weight, bias = regression.solve(strength, ROUGH)
            found[folds == fold] = features[folds == fold] @ weight.T + bias
        held.logits[strength] = found
        scores.append(held.score(strength))
        latest = scores[-3:]
        if len(latest) == 3 and latest[0] >= latest[1] >= latest[2]:
            break
    return held


class Regression:
    """Logistic regression on some rows, solved for one strength after the other, each from the last solution; ridge
    regression where targets are floats.

    scipy's L-BFGS on torch's loss and gradient: with 77 classes several times faster than scikit-learn, whose solution the
    tests compare with.
    """

    def __init__(self, features: Array, targets: Array, outputs: int) -> None:
        self.features = torch.from_numpy(np.ascontiguousarray(features, np.float64))
        self.numbers = targets.ndim == 1 and bool(np.issubdtype(targets.dtype, np.floating))
        marks = targets.ndim == 2 or self.numbers
        self.targets = torch.from_numpy(targets.astype(np.float64) if marks else targets)
        self.outputs = outputs
        self.at = np.zeros(outputs * (features.shape[1] + 1))

    def solve(self, strength: float, tolerance: float) -> tuple[Array, Array]:
        """(outputs, width) weights and (outputs,) biases that minimise the loss plus |weights|^2 / (2 strength rows)."""
        from scipy.optimize import minimize

        penalty = 1 / (strength * len(self.features))
        if self.outputs == 2 and self.targets.ndim == 1:
            penalty *= 2  # Two opposite rows of weights share what scikit-learn's one row bears alone.
        # numpy's and torch's threads would wait for each other, busily: five times slower on two cores.
        with threadpool_limits(1, user_api="blas"):
            options = {"gtol": tolerance, "ftol": 0.0, "maxiter": 500, "maxfun": 1000}
            end = minimize(self.loss, self.at, (penalty,), "L-BFGS-B", jac=True, options=options)
        self.at = end.x
        table: Array = self.at.reshape(self.outputs, -1)
        weight, bias = table[:, :-1].copy(), table[:, -1].copy()
        if self.targets.ndim == 2:
            rows, having = len(self.targets), self.targets.sum(0).numpy()
            always_or_never = (having == 0) | (having == rows)
            # Such a label has no optimum: it is answered by its frequency.
            weight[always_or_never] = 0.0
            bias[always_or_never] = np.log((having + 0.5) / (rows - having + 0.5))[always_or_never]
        return weight, bias

    def loss(self, flat: Array, penalty: float) -> tuple[float, Array]:
        """Mean loss over rows, summed over labels where there are several, with the penalty; and its gradient."""
        table = torch.from_numpy(flat).reshape(self.outputs, -1)
        weight, bias = table[:, :-1], table[:, -1]
        logits = torch.addmm(bias, self.features, weight.T)
        if self.numbers:
            error = logits[:, 0:1] - self.targets[:, None]
            mean = error.square().mean() / 2
        elif self.targets.ndim == 1:
            logs = logits.log_softmax(1)
            mean = -logs.gather(1, self.targets[:, None]).mean()
            error = logs.exp_()
            error[torch.arange(len(error)), self.targets] -= 1
        else:
            mean = (
                functional.binary_cross_entropy_with_logits(logits, self.targets, reduction="none")
                .sum(1)
                .mean()
            )
            error = logits.sigmoid() - self.targets
        error /= len(error)
        slope = torch.cat([error.T @ self.features + penalty * weight, error.sum(0)[:, None]], 1)
        return float(mean + penalty / 2 * weight.square().sum()), slope.flatten().numpy()


LOSSES = 300
"""Evaluations of the loss on all rows that fitting a probe takes, cross-validation included."""


def probe_seconds(learnt: Array, width: int, outputs: int) -> float:
    """Seconds that `fit_probe` takes: one evaluation of its loss on some rows, timed, for all that are needed.

    learnt: (units, ...) as `fit_probe` takes it.  width: numbers of a feature vector.
    """
    rows = min(len(learnt), 2_000)
    made = np.random.default_rng(0).standard_normal((rows, width))
    regression = Regression(made, learnt[:rows], outputs)
    regression.loss(regression.at, 1.0)
    begin = time.perf_counter()
    regression.loss(regression.at, 1.0)
    return LOSSES * (time.perf_counter() - begin) * min(len(learnt), MOST_ROWS) / max(1, rows)
