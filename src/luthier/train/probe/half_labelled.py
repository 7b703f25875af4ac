"""Rows of which some have labels: a linear head learns from these, and from others once they are given labels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import softmax

from luthier.arrays import Array, Ints
from luthier.train.probe.centred import folds_for
from luthier.train.probe.probe import EXACT, ROUGH, Probe

Solve = Callable[[Array, Ints, Array | None, float], Probe]
"""A linear head of one strength from features (rows, width), labels (rows,), how much each row counts (rows,) or None, and the
gradient at which solving stops."""

NONE = -1
"""In the place of a label: the row is given none."""
FEWEST_REACHED = 0.7
"""Share of the weight that rows are to have with their labels' shares, from which on they are learnt: below it some labels are
hardly among them, and others would be learnt as if they were more frequent than they are."""


@dataclass(frozen=True)
class Crossed:
    """The answers of heads that each learnt without one fold."""

    logits: Array
    """(labelled, outputs) each row answered by the head that did not see it; nan for rows that are always learnt."""
    chances: Array
    """(unlabelled, outputs) the mean of their probabilities."""

    @property
    def asked(self) -> Ints:
        """The labelled rows that were answered."""
        return np.flatnonzero(~np.isnan(self.logits[:, 0]))


@dataclass(frozen=True)
class HalfLabelled:
    """Rows of which some have labels, and how a linear head is solved for from such."""

    features: Array
    """(labelled, width)"""
    targets: Ints
    """(labelled,)"""
    unlabelled: Array
    """(unlabelled, width)"""
    outputs: int
    solve: Solve
    seed: int
    words: Array | None = None
    """(outputs, width) features of the labels' words; None where they have no say."""
    clusters: Ints | None = None
    """(labelled,) equal where rows share something; None where none do."""

    def only(self, rows: Ints) -> "HalfLabelled":
        """With some of the labelled rows alone."""
        clusters = None if self.clusters is None else self.clusters[rows]
        return replace(self, features=self.features[rows], targets=self.targets[rows], clusters=clusters)

    def probe(self, labels: Ints | None = None, tolerance: float = EXACT) -> Probe:
        """The head of the labelled rows, and of the others that are given labels, where these can be learnt from.

        labels: (unlabelled,), NONE for rows that are given none.
        """
        weights = None if labels is None else weights_of(labels, self.targets, self.outputs)
        if labels is None or weights is None:
            return self.solve(self.features, self.targets, None, tolerance)
        taken = labels != NONE
        return self.solve(
            np.concatenate([self.features, self.unlabelled[taken]]),
            np.concatenate([self.targets, labels[taken]]),
            np.concatenate([np.ones(len(self.targets)), weights[taken]]),
            tolerance,
        )

    def folds(self, seed: int) -> Ints | None:
        """(labelled,) the fold in which each is held out, NONE for rows that never are; None where rows are too few."""
        return folds_for(self.targets, seed, self.clusters)

    @cached_property
    def crossed(self) -> Crossed | None:
        """What heads answer that each learnt from the labelled rows without one fold; None where rows are too few."""
        folds = self.folds(self.seed)
        if folds is None:
            return None
        logits = np.full((len(self.targets), self.outputs), np.nan, np.float32)
        chances = np.zeros((len(self.unlabelled), self.outputs))
        count = int(folds.max()) + 1
        for fold in range(count):
            head = self.only(np.flatnonzero(folds != fold)).probe(tolerance=ROUGH)
            held = folds == fold
            logits[held] = head.logits(self.features[held])
            chances += softmax(head.logits(self.unlabelled).astype(np.float64), axis=1) / count
        return Crossed(logits, chances)


def weights_of(labels: Ints, targets: Ints, outputs: int) -> Array | None:
    """(unlabelled,) how much each row that was given a label counts beside one that has its label from a person, which counts 1.

    All of them together count no more than the labelled rows, none more than one of these, and their labels have the shares that
    they have there: rows that are easily given a label are not those of every label alike. None where that cannot be reached, as
    labels are missing among them (FEWEST_REACHED), or no row was given a label.

    >>> weights_of(np.array([0, 0, 0, 0, 1, 1, -1]), np.array([0, 1]), 2).tolist()
    [0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 0.0]
    """
    given = np.bincount(labels[labels != NONE], minlength=outputs)
    known = np.bincount(targets, minlength=outputs)
    if not given.sum():
        return None
    wanted = min(1.0, given.sum() / len(targets)) * known
    each = np.minimum(1.0, wanted / np.maximum(given, 1))
    if (each * given).sum() < FEWEST_REACHED * wanted.sum():
        return None
    found: Array = np.where(labels != NONE, each[labels], 0.0)
    return found
