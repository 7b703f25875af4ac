"""The probe of few rows: a linear head whose weights are pulled to what the labels' words say, so that one row is enough."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from luthier.arrays import Array, Floats, Ints
from luthier.train.probe.folds import stratified_folds
from luthier.train.probe.probe import EXACT, ROUGH, Probe, Regression

SHARPNESSES = (0.0, 2.5, 5.0, 10.0, 20.0)
"""Weights tried of a label's words, by which the cosine of a text and a label counts before any row was seen."""
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Inverse strengths tried of the pull (C of scikit-learn), on features of length about one."""
DOUBT = 0.5
"""What a doubling of the weight, or ten times the strength, must be better by in log loss over all rows, in nats: a setting far
from the usual one needs more rows to speak for it."""
FOLDS = 3


@dataclass(frozen=True)
class Setting:
    """How much the labels' words count, and how freely the rows move the head away from them."""

    sharpness: float
    strength: float

    @property
    def doubt(self) -> float:
        """How far it is from the usual one, in nats."""
        weight = abs(math.log2((self.sharpness + 1) / (USUAL.sharpness + 1)))
        return DOUBT * (weight + abs(math.log10(self.strength / USUAL.strength)))


USUAL = Setting(5.0, 10.0)
"""The setting where rows are too few to choose: it did well on SST-2, TREC, AG News and banking77 alike
(benchmarks/few/few_labels.py)."""


@dataclass(frozen=True)
class Centred:
    """A probe that was pulled to the labels' words, and how it did on rows that it did not see."""

    probe: Probe
    setting: Setting
    held_out: Array | None
    """(rows, outputs) logits of the rows that were held out, each by heads that did not see it, nan for the others; None where
    none were."""


def fit_centred(
    features: Array,
    targets: Ints,
    words: Array | None,
    outputs: int,
    folds: Ints | None,
    setting: Setting = USUAL,
) -> Centred:
    """Multinomial logistic regression with the prior that label k's weights are normal around `sharpness` times t_k, the vector
    of its words: logits = f . (w_k + a t_k), w pulled to zero (Huang et al. 2024, LP++, CVPR; CLAP, arXiv:2312.12730, eq. 9).

    features: (rows, width).  words: (outputs, width) features of the labels' words; None: there are none, and the pull is to
    zero.  folds: (rows,) in which fold a row is held out, -1 where in none; None: rows are too few, and `setting` is
    taken.  Weight and strength are those of the smallest log loss on held-out rows, first the one, then the other.
    """
    held_out = None
    if words is None:
        setting = Setting(0.0, setting.strength)
    if folds is not None:
        setting, held_out = Rows.of(features, targets, words, outputs).chosen(setting, folds)
    return Centred(solve_centred(features, targets, words, outputs, setting), setting, held_out)


def solve_centred(
    features: Array,
    targets: Ints,
    words: Array | None,
    outputs: int,
    setting: Setting,
    weights: Array | None = None,
    tolerance: float = EXACT,
) -> Probe:
    """The probe of one setting. Shapes as in `fit_centred`; weights as in `Regression`, tolerance as in its `solve`."""
    rows = Rows.of(features, targets, words, outputs, weights)
    weight, bias = rows.regression(setting.sharpness).solve(setting.strength, tolerance)
    return Probe((weight / rows.scale).astype(np.float32), bias.astype(np.float32), setting.strength, {})


@dataclass(frozen=True)
class Rows:
    """Rows to learn from, and the vectors of the labels' words."""

    features: Array
    """(rows, width) of length about one."""
    targets: Ints
    words: Array | None
    """(outputs, width) of length one."""
    outputs: int
    scale: float
    """What the features were divided by: their mean length."""
    weights: Array | None = None
    """(rows,) how much each counts; None: 1 each."""

    @staticmethod
    def of(
        features: Array, targets: Ints, words: Array | None, outputs: int, weights: Array | None = None
    ) -> "Rows":
        """features, words: as the model gives them."""
        scale = float(np.linalg.norm(features, axis=1).mean()) or 1.0
        units = (
            None if words is None else words / np.maximum(np.linalg.norm(words, axis=1, keepdims=True), 1e-12)
        )
        return Rows(np.divide(features, scale, dtype=np.float64), targets, units, outputs, scale, weights)

    def regression(self, sharpness: float, learnt: Array | None = None) -> Regression:
        """The head of some of the rows, to be solved for; of all of them where none are named."""
        centre = None if self.words is None or not sharpness else sharpness * self.words
        if learnt is None:  # they may be many: no copy of them
            return Regression(self.features, self.targets, self.outputs, centre, self.weights)
        weights = None if self.weights is None else self.weights[learnt]
        return Regression(self.features[learnt], self.targets[learnt], self.outputs, centre, weights)

    def held_out(self, sharpness: float, folds: Ints) -> "Callable[[float], Array]":
        """From a strength to (rows, outputs) logits of held-out rows, nan for those that never are."""
        parts = [
            (folds == fold, self.regression(sharpness, folds != fold)) for fold in range(folds.max() + 1)
        ]

        def solved(strength: float) -> Array:
            found = np.full((len(self.targets), self.outputs), np.nan)
            for held, regression in parts:
                weight, bias = regression.solve(strength, ROUGH)
                found[held] = self.features[held] @ weight.T + bias
            return found

        return solved

    def chosen(self, usual: Setting, folds: Ints) -> tuple[Setting, Array]:
        """The setting of the smallest log loss on held-out rows, doubts added, and the logits there."""
        there = folds >= 0
        tried: dict[Setting, Array] = {}

        def loss(setting: Setting) -> float:
            losses = log_losses(tried[setting][there], self.targets[there])
            return float(losses.mean()) + setting.doubt / len(losses)

        for sharpness in SHARPNESSES if self.words is not None else (0.0,):
            tried[Setting(sharpness, usual.strength)] = self.held_out(sharpness, folds)(usual.strength)
        best = min(tried, key=loss)
        solve = self.held_out(best.sharpness, folds)
        tried |= {Setting(best.sharpness, strength): solve(strength) for strength in STRENGTHS}
        best = min(tried, key=loss)
        return best, tried[best]


def log_losses(logits: Array, targets: Ints) -> Floats:
    """(rows,) minus the log-probability of the right label, in nats."""
    found: Floats = -log_softmax(logits, axis=1)[np.arange(len(targets)), targets]
    return found


def folds_for(targets: Ints, seed: int, clusters: Ints | None = None, count: int = FOLDS) -> Ints | None:
    """(rows,) the fold in which a row is held out, -1 for the one row of a label, which is always learnt; None where every label
    has one row alone."""
    counts: Mapping[int, int] = dict(
        zip(*map(np.ndarray.tolist, np.unique(targets, return_counts=True)), strict=True)
    )
    several = np.array([counts[target] > 1 for target in targets.tolist()])
    if several.sum() < 2:
        return None
    folds = np.full(len(targets), -1, np.int64)
    own = None if clusters is None else clusters[several]
    folds[several] = stratified_folds(targets[several], count, seed, own)
    return folds if folds.max() > 0 else None
