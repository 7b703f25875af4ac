"""Whether other features of the same rows serve a linear head better, beyond noise."""

from dataclasses import dataclass

import numpy as np

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.scores.intervals import jackknife
from luthier.tasks.probing import Probing
from luthier.train.probe.probe import FOLDS, MOST_ROWS, HeldOut, cross_validate, standardised

BEYOND = 1.645
"""Standard errors by which other features must be better: features that are no better pass once in twenty times."""
FEW_ROWS, REPEATS = 1_000, 5
"""Up to so many rows cross-validation is repeated with other folds: which rows stand in which fold weighs as much there as what
is compared."""


@dataclass(frozen=True)
class Gain:
    """What a linear head comes to on features before and after something was done to the model, on rows that it did not see."""

    before: float
    """The score by `Probing.fit_score`: the mean over folds, and over repeats."""
    after: float
    error: float
    """Standard error of the difference, paired by row."""

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def beyond_noise(self) -> bool:
        """Whether the features after are better, and that not by chance."""
        return self.difference > BEYOND * self.error


@dataclass(frozen=True)
class Fold:
    """One cross-validation of both, over the same folds."""

    before: HeldOut
    after: HeldOut
    strengths: tuple[float, float]
    place: Ints
    """(rows,) where each row stands in both; -1 where it was not drawn."""

    def scores(self, rows: Ints) -> tuple[float, float]:
        """The scores of both on some of the rows."""
        there = self.place[rows]
        there = there[there >= 0]
        return self.before.score(self.strengths[0], there), self.after.score(self.strengths[1], there)


def gain_of(
    before: Array, after: Array, targets: Array, how: Probing, seed: int, clusters: Ints | None = None
) -> Gain | None:
    """Compare features by cross-validation of the probe; None where rows are too few to hold any out.

    before, after: (rows, n) what the head reads of the same rows.  targets: (rows, ...) as `Probing.to_learn` gives them.
    clusters: (rows,) equal where rows share something: they are held out together, and count as one.
    """
    rows = len(targets)
    if (rows if clusters is None else len(np.unique(clusters))) < FOLDS:
        return None
    repeats = REPEATS if rows <= FEW_ROWS else 1
    folds = [
        one_fold(before, after, targets, how, seeds.derive(seed, "better features", at), clusters)
        for at in range(repeats)
    ]
    order = seeds.generator(seed, "better features").permutation(rows)

    def means(chosen: Ints) -> tuple[float, float]:
        found = np.array([fold.scores(chosen) for fold in folds])
        return float(found[:, 0].mean()), float(found[:, 1].mean())

    def gap(chosen: Ints) -> float:
        ours, theirs = means(order[chosen])
        return theirs - ours

    first, second = means(np.arange(rows))
    return Gain(first, second, jackknife(gap, rows, clusters=None if clusters is None else clusters[order]))


def one_fold(
    before: Array, after: Array, targets: Array, how: Probing, seed: int, clusters: Ints | None
) -> Fold:
    """Cross-validate on both features, each with the strength that suits it."""
    held = [
        cross_validate(
            standardised(features)[0], targets, how.outputs, how.fit_score, seed, clusters=clusters
        )
        for features in (before, after)
    ]
    place = np.full(len(targets), -1, np.int64)
    drawn = seeds.generator(seed, "probe folds").permutation(len(targets))[
        :MOST_ROWS
    ]  # as `cross_validate` draws them
    place[drawn] = np.arange(len(drawn))
    strengths = held[0].strongest_within_noise(), held[1].strongest_within_noise()
    return Fold(held[0], held[1], strengths, place)
