"""The probe: a linear head on frozen features, solved for exactly. Seconds, and hard to beat on small data."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch.nn import functional

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.scores.intervals import in_order_of_occurrence, jackknife

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Inverse strengths of the L2 penalty tried, from strong to weak (scikit-learn's C, on standardised features)."""
EXACT, ROUGH = 1e-5, 1e-3
"""Largest gradient at which solving stops: for the head that is kept, and for those that only tell which strength is best
(several times faster, with the same choice)."""
FINE = 3e-4
"""The same for features that are mostly zeros, and never large: with a tenth of it no more rows were answered rightly (TREC,
SST-2)."""
FOLDS = 3
MOST_ROWS = 10_000
"""The most rows that cross-validation looks at: beyond that the choice of a strength no longer changes."""


@dataclass(frozen=True)
class Probe:
    """A linear head on raw features: logits = features @ weight.T + bias."""

    weight: Array
    """(outputs, width) weights of the raw features."""
    bias: Array
    """(outputs,) biases."""
    strength: float
    """The C that cross-validation chose; infinite where weights are not penalised, as those of a discriminant."""
    cross_validated: dict[float, float]
    """Score of each strength tried, on rows that it did not see: mean over folds."""

    def logits(self, features: Array) -> Array:
        """The logits of features: (rows, width) to (rows, outputs)."""
        found: Array = (features @ self.weight.T + self.bias).astype(np.float32)
        return found

    def start(self, linear: torch.nn.Linear, share: float = 1.0) -> None:
        """Write `share` times this head into a layer."""
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(self.weight * share))
            linear.bias.copy_(torch.from_numpy(self.bias * share))


Score = Callable[[Array, Array], float]
"""A function from logits and targets to a score, of which higher values are better."""


def fit_probe(
    features: Array,
    targets: Array,
    outputs: int,
    score: Score,
    seed: int,
    clusters: Ints | None = None,
) -> Probe:
    """L2-regularised (multinomial) logistic regression, or ridge regression; its strength is found by cross-validation.

    features: (rows, width).  targets: (rows,) classes, or (rows, outputs) marks, or (rows,) numbers as floats.
    clusters: as in `cross_validate`.

    Features are standardised first, so that one strength means the same for every model, and the standardisation is
    folded back into the weights.
    """
    strength, scores = strength_for(features, targets, outputs, score, seed, clusters)
    return replace(solve_probe(features, targets, outputs, strength), cross_validated=scores)


def strength_for(
    features: Array, targets: Array, outputs: int, score: Score, seed: int, clusters: Ints | None = None
) -> tuple[float, dict[float, float]]:
    """The strength that cross-validation chooses, and the score of each that was tried. Shapes as in `fit_probe`."""
    if features.shape[1] == 1:
        return STRENGTHS[-1], {}  # a line through one number does not overfit
    scaled, _, _ = standardised(features)
    held = cross_validate(scaled, targets, outputs, score, seed, clusters=clusters)
    strength = held.strongest_within_noise() if held.logits else STRENGTHS[1]
    return strength, {tried: held.score(tried) for tried in held.logits}


def solve_probe(
    features: Array,
    targets: Array,
    outputs: int,
    strength: float,
    weights: Array | None = None,
    tolerance: float = EXACT,
) -> Probe:
    """The probe of one strength. Shapes as in `fit_probe`; weights as in `Regression`, tolerance as in its `solve`."""
    scaled, centre, spread = standardised(features)
    weight, bias = Regression(scaled, targets, outputs, weights=weights).solve(strength, tolerance)
    weight = weight / spread
    return Probe(weight.astype(np.float32), (bias - weight @ centre).astype(np.float32), strength, {})


def solve_sparse(features: Any, targets: Array, outputs: int, strength: float) -> Probe:
    """The linear model of one strength on sparse features as they are: to shift them would leave no zeros."""
    weight, bias = Regression(features, targets, outputs).solve(strength, FINE)
    return Probe(weight.astype(np.float32), bias.astype(np.float32), strength, {})


def standardised(features: Array) -> tuple[Array, Array, Array]:
    """Features with mean 0 and standard deviation 1, and the means and deviations they had before."""
    centre, spread = features.mean(0), features.std(0)
    # A feature that is constant on these rows (MiniLM has some) says nothing: leave it, rather than divide by zero.
    spread = np.where(spread > 1e-3 * spread.max(), spread, spread.max() or 1.0)
    return (features - centre) / spread, centre, spread


@dataclass(frozen=True)
class HeldOut:
    """The out-of-fold logits of each strength: every row is judged by a head that did not see it."""

    logits: dict[float, Array]
    """(rows, outputs) by inverse strength, from strong to weak."""
    targets: Array
    folds: Array
    """(rows,) in which fold each row was held out: heads of two folds differ, so their rows are not ranked together."""
    measure: Score

    def score(self, strength: float, rows: Array | None = None) -> float:
        """The score of each strength on some of the rows: the mean over folds."""
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


def cross_validate(
    features: Any,
    targets: Array,
    outputs: int,
    score: Score,
    seed: int,
    strengths: Sequence[float] = STRENGTHS,
    most_rows: int = MOST_ROWS,
    clusters: Ints | None = None,
) -> HeldOut:
    """Try one strength after the other; it ends early once weaker penalties only get worse.

    features: (rows, width), an array or sparse.  clusters: (rows,) equal where rows share something, and are held out together;
    None where none do.  Nothing is tried when there are too few rows to hold any out.
    """
    order = seeds.generator(seed, "probe folds").permutation(features.shape[0])[:most_rows]
    features, targets = features[order], targets[order]
    of = np.arange(len(order)) if clusters is None else in_order_of_occurrence(clusters[order])
    folds = of % FOLDS
    held = HeldOut({}, targets, folds, score)
    if of.max(initial=-1) + 1 < FOLDS:
        return held
    regressions = [
        Regression(features[folds != fold], targets[folds != fold], outputs) for fold in range(FOLDS)
    ]
    scores: list[float] = []
    for strength in strengths:
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


class Dense:
    """Rows of features, of which most are no zeros."""

    def __init__(self, features: Array) -> None:
        self.features = torch.from_numpy(np.ascontiguousarray(features, np.float64))
        self.width = features.shape[1]

    def logits(self, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """(rows, outputs)"""
        return torch.addmm(bias, self.features, weight.T)

    def gathered(self, error: torch.Tensor) -> torch.Tensor:
        """(outputs, width) sums over the rows of their features times their errors, (rows, outputs)."""
        return error.T @ self.features

    def weights(self, solved: Array) -> Array:
        """(outputs, features) what was solved for, as weights of the features that were given."""
        return solved


class Sparse:
    """Rows of features, of which nearly all are zeros."""

    def __init__(self, features: Any) -> None:
        self.features = features.tocsr().astype(np.float64)
        self.turned = self.features.T
        self.width = features.shape[1]

    def logits(self, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """(rows, outputs)"""
        return torch.from_numpy(self.features @ np.ascontiguousarray(weight.T.numpy())) + bias

    def gathered(self, error: torch.Tensor) -> torch.Tensor:
        """(outputs, width) sums over the rows of their features times their errors, (rows, outputs)."""
        return torch.from_numpy(self.turned @ error.numpy()).T

    def weights(self, solved: Array) -> Array:
        """As `Dense.weights`."""
        return solved


class Spanned(Dense):
    """Sparse rows of many more features than there are rows, each told by its place among the others.

    Weights that are pulled to zero lie in the span of the rows (Schölkopf, Herbrich & Smola 2001, COLT, theorem 1), so that a
    weight for each row is solved for in the place of one for each feature: the same solution, several times sooner.
    """

    def __init__(self, features: Any) -> None:
        self.sparse = features.tocsr().astype(np.float64)
        squares, turned = np.linalg.eigh((self.sparse @ self.sparse.T).toarray())
        apart = squares > 1e-10 * squares[-1]  # rows that are alike take no number of their own
        self.lengths, self.turned = np.sqrt(squares[apart]), turned[:, apart]
        super().__init__(self.turned * self.lengths)

    def weights(self, solved: Array) -> Array:
        """As `Dense.weights`."""
        found: Array = (solved / self.lengths @ self.turned.T) @ self.sparse
        return found


MOST_SPANNED, FEATURES_A_ROW = 2_000, 2
"""The most rows that are told by each other, and the fewest features for each of them: beyond that it takes longer."""


def rows_of(features: Any) -> Dense | Sparse:
    """Rows as they are solved for soonest. features: (rows, width), an array or sparse."""
    if isinstance(features, np.ndarray):
        return Dense(features)
    rows, width = features.shape
    return Spanned(features) if rows <= min(MOST_SPANNED, width / FEATURES_A_ROW) else Sparse(features)


class Regression:
    """Logistic regression on some rows, solved for one strength after the other, each from the last solution; ridge
    regression where targets are floats.

    scipy's L-BFGS on torch's loss and gradient: with 77 classes several times faster than scikit-learn, whose solution the
    tests compare with.
    """

    def __init__(
        self,
        features: Any,
        targets: Array,
        outputs: int,
        centre: Array | None = None,
        weights: Array | None = None,
    ) -> None:
        """features: (rows, width), an array or one of scipy's sparse ones.

        centre: (outputs, width) the weights that the penalty pulls to, of dense features; None: zero.
        weights: (rows,) how much the loss of each row counts; None: 1 each.
        """
        self.rows = rows_of(features)
        # What is solved for is the difference to the centre, whose logits stand fast.
        self.fixed = None if centre is None else torch.from_numpy(features @ centre.T.astype(np.float64))
        self.centre = centre
        self.numbers = targets.ndim == 1 and bool(np.issubdtype(targets.dtype, np.floating))
        marks = targets.ndim == 2 or self.numbers
        self.targets = torch.from_numpy(targets.astype(np.float64) if marks else targets)
        self.total = float(len(targets)) if weights is None else float(weights.sum())
        self.shares = None if weights is None else torch.from_numpy(weights / self.total)
        self.outputs = outputs
        self.at = np.zeros(outputs * (self.rows.width + 1))

    def solve(self, strength: float, tolerance: float) -> tuple[Array, Array]:
        """(outputs, width) weights and (outputs,) biases that minimise the loss plus |weights - centre|^2 / (2 strength rows).

        Where rows count differently, their sum stands in the place of their number.
        """
        from scipy.optimize import minimize

        penalty = 1 / (strength * self.total)
        if self.outputs == 2 and self.targets.ndim == 1:
            penalty *= 2  # Two opposite rows of weights share what scikit-learn's one row bears alone.
        # numpy's and torch's threads would wait for each other, busily: five times slower on two cores.
        with linear_algebra().limit(limits=1, user_api="blas"):
            options = {"gtol": tolerance, "ftol": 0.0, "maxiter": 500, "maxfun": 1000}
            end = minimize(self.loss, self.at, (penalty,), "L-BFGS-B", jac=True, options=options)
        self.at = end.x
        table: Array = self.at.reshape(self.outputs, -1)
        weight, bias = self.rows.weights(table[:, :-1]).copy(), table[:, -1].copy()
        if self.centre is not None:
            weight += self.centre
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
        logits = self.rows.logits(weight, bias)
        if self.fixed is not None:
            logits += self.fixed
        if self.numbers:
            error = logits[:, 0:1] - self.targets[:, None]
            losses = error.square()[:, 0] / 2
        elif self.targets.ndim == 1:
            logs = logits.log_softmax(1)
            losses = -logs.gather(1, self.targets[:, None])[:, 0]
            error = logs.exp_()
            error[torch.arange(len(error)), self.targets] -= 1
        else:
            losses = functional.binary_cross_entropy_with_logits(logits, self.targets, reduction="none").sum(
                1
            )
            error = logits.sigmoid() - self.targets
        if self.shares is None:
            mean = losses.mean()
            error /= len(error)
        else:
            mean = (self.shares * losses).sum()
            error *= self.shares[:, None]
        slope = torch.cat([self.rows.gathered(error) + penalty * weight, error.sum(0)[:, None]], 1)
        return float(mean + penalty / 2 * weight.square().sum()), slope.flatten().numpy()


@cache
def linear_algebra() -> ThreadpoolController:
    """The libraries of this process that compute on threads of their own: looked for once, which takes as long as a short fit."""
    return ThreadpoolController()


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
