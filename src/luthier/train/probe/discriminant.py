"""The probe of few rows whose labels are no texts: the nearest class mean, in features that are whitened as far as that helps."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from luthier.arrays import Array, Bools, Ints
from luthier.train.probe.centred import FOLDS, log_losses
from luthier.train.probe.neighbours import unit_length
from luthier.train.probe.probe import Probe

SHRINKAGES = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
"""Shares tried of a covariance that is alike in all directions; with 1 nothing is whitened."""
SHARPNESSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
"""Factors tried of the scores, the inverse of a temperature."""
DOUBT = 0.5
"""What a doubling of the sharpness, or a shrinkage at the other end, must be better by in log loss over all rows, in nats: a
setting far from the usual one needs more rows to speak for it."""
ROUNDING = 1e-6
"""Scatter of rows of length one, at most, that is nothing but rounding."""


@dataclass(frozen=True)
class Whitening:
    """How far features are whitened, and how sure the head is of its answers."""

    shrinkage: float
    sharpness: float

    def doubt(self, usual: "Whitening") -> float:
        """How far it is from the usual one, in nats."""
        doublings = abs(math.log2(self.sharpness / usual.sharpness))
        return DOUBT * (doublings + abs(self.shrinkage - usual.shrinkage))


@dataclass(frozen=True)
class Family:
    """Linear discriminants of which the best one is looked for."""

    shrinkages: tuple[float, ...]
    usual: Whitening
    """The setting where rows are too few to choose."""
    frequencies: bool
    """Whether it counts how frequent each class is."""


CLASS_MEANS = Family((1.0,), Whitening(1.0, 8.0), frequencies=False)
"""The nearest class mean: nothing is whitened."""
DISCRIMINANTS = Family(SHRINKAGES, Whitening(0.7, 8.0), frequencies=True)
"""Linear discriminant analysis. Its usual setting did well on three sets of images and two networks alike
(benchmarks/few/few_images.py)."""


@dataclass(frozen=True)
class Discriminant:
    """A linear discriminant, and how it did on rows that it did not see."""

    probe: Probe
    setting: Whitening
    held_out: Array | None
    """(rows, outputs) logits of the rows that were held out, each by heads that did not see it, nan for the others; None where
    none were."""


def fit_discriminant(
    features: Array, targets: Ints, outputs: int, folds: Ints | None, family: Family = DISCRIMINANTS
) -> Discriminant:
    """Linear discriminant analysis with a shrunk covariance (Friedman 1989, "Regularized discriminant analysis", JASA 84, section
    3), on features from which their mean is taken and whose lengths are then made one (Wang et al. 2019, SimpleShot,
    arXiv:1911.04623).

    It is the nearest class mean of features that are whitened by the covariance within classes, and the nearest class mean as
    such where the shrinkage is 1; ridge regression to the classes has the same directions (Hastie, Buja and Tibshirani 1995,
    "Penalized discriminant analysis").

    features: (rows, width).  folds: (rows,) in which fold a row is held out, -1 where in none; None: rows are too few, and the
    usual setting is taken.  Shrinkage and sharpness are those of the smallest log loss on held-out rows, doubts added.
    """
    setting, held_out = family.usual, None
    if folds is not None:
        setting, held_out = chosen(HeldOutRows.of(features, targets, outputs, folds), family)
    whole = Classes.of(features, targets, outputs)
    return Discriminant(whole.probe(setting, family.frequencies), setting, held_out)


@dataclass(frozen=True)
class Classes:
    """Where the rows of each class lie, and how they scatter around its mean."""

    centre: Array
    """(width,) the mean of all features."""
    length: float
    """The mean length of features from there: the last layer of a model cannot make each row's length one, so it divides by
    this."""
    means: Array
    """(outputs, width) the mean of each class, of rows of length one."""
    axes: Array
    """(axes, width) directions in which rows scatter around the means, of length one and at right angles."""
    variances: Array
    """(axes,) variance along each of these, as a multiple of the mean over all directions of the space."""
    frequencies: Array
    """(outputs,) how frequent each class is."""

    @staticmethod
    def of(features: Array, targets: Ints, outputs: int) -> "Classes":
        """Shapes as in `fit_discriminant`. A class without a row has its mean where all features have theirs."""
        rows, width = features.shape
        centre = features.mean(0, dtype=np.float64)
        moved = features - centre
        units = unit_length(moved).astype(np.float64)
        marks = np.eye(outputs)[targets]
        counts = marks.sum(0)
        means = marks.T @ units / np.maximum(counts, 1)[:, None]
        _, singular, axes = np.linalg.svd(units - means[targets], full_matrices=False)
        there = singular > ROUNDING * math.sqrt(rows)  # with one row a class there is no scatter
        variances = singular[there] ** 2
        return Classes(
            centre=centre,
            length=float(np.linalg.norm(moved, axis=1).mean()) or 1.0,
            means=means,
            axes=axes[there],
            variances=variances * width / max(float(variances.sum()), ROUNDING),
            frequencies=np.maximum(counts, 0.5) / rows,
        )

    def weights(self, shrinkage: float) -> Array:
        """(outputs, width) the mean of each class times the inverse of the shrunk covariance, whose mean variance is 1."""
        if not len(self.axes):
            return self.means
        # The inverse from the few directions that are known, all others being alike (Woodbury's identity).
        known = (1 - shrinkage) * self.variances
        along = self.means @ self.axes.T * (known / (known + shrinkage))
        found: Array = (self.means - along @ self.axes) / shrinkage
        return found

    def scores(self, features: Array, shrinkage: float) -> Array:
        """(rows, outputs) how near features are to each class, before sharpness and frequencies."""
        weights = self.weights(shrinkage)
        nearness = (features - self.centre) / self.length @ weights.T
        found: Array = nearness - (weights * self.means).sum(1) / 2
        return found

    def probe(self, setting: Whitening, frequencies: bool) -> Probe:
        """The head on features as they are. frequencies: whether it counts how frequent each class is."""
        weights = setting.sharpness * self.weights(setting.shrinkage)
        bias = -(weights * self.means).sum(1) / 2 + frequencies * np.log(self.frequencies)
        weights = weights / self.length
        bias = bias - weights @ self.centre
        return unpenalised(weights.astype(np.float32), bias.astype(np.float32))


def unpenalised(weight: Array, bias: Array) -> Probe:
    """A head whose weights follow from the rows alone. weight: (outputs, width).  bias: (outputs,)"""
    return Probe(weight, bias, math.inf, {})


@dataclass(frozen=True)
class HeldOutRows:
    """Rows, each of which is held out in one of the folds or in none."""

    features: Array
    targets: Ints
    folds: Ints
    parts: tuple[tuple[Bools, Classes], ...]
    """By fold, which rows are held out, and what all others say of the classes."""

    @staticmethod
    def of(features: Array, targets: Ints, outputs: int, folds: Ints) -> "HeldOutRows":
        held = [folds == fold for fold in range(int(folds.max()) + 1)]
        parts = tuple((one, Classes.of(features[~one], targets[~one], outputs)) for one in held)
        return HeldOutRows(features, targets, folds, parts)

    def logits(self, shrinkage: float, frequencies: bool) -> Iterator[tuple[float, Array]]:
        """Each sharpness, with (rows, outputs) logits by heads that did not see the row; nan for those never held out."""
        outputs = len(self.parts[0][1].frequencies)
        scores, logs = np.full((2, len(self.targets), outputs), np.nan)
        for held, others in self.parts:
            scores[held] = others.scores(self.features[held], shrinkage)
            logs[held] = frequencies * np.log(others.frequencies)
        for sharpness in SHARPNESSES:
            yield sharpness, sharpness * scores + logs


def chosen(rows: HeldOutRows, family: Family) -> tuple[Whitening, Array]:
    """The setting of the smallest log loss on held-out rows, doubts added, and the logits there."""
    there = rows.folds >= 0
    best: tuple[float, Whitening, Array] | None = None
    for shrinkage in family.shrinkages:
        for sharpness, logits in rows.logits(shrinkage, family.frequencies):
            setting = Whitening(shrinkage, sharpness)
            losses = log_losses(logits[there], rows.targets[there])
            loss = float(losses.mean()) + setting.doubt(family.usual) / len(losses)
            if best is None or loss < best[0]:
                best = loss, setting, logits
    assert best is not None, "a family has a shrinkage"
    return best[1], best[2]


def discriminant_seconds(targets: Ints, width: int, outputs: int) -> float:
    """Seconds that `fit_discriminant` takes at the most: looking at all rows once, timed, for each fold and the whole.

    width: numbers of a feature vector.
    """
    made = np.random.default_rng(0).standard_normal((len(targets), width))
    begin = time.perf_counter()
    Classes.of(made, targets, outputs)
    return (FOLDS + 1) * (time.perf_counter() - begin)
