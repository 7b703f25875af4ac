"""Ways in which rows that nobody has labelled are given labels, by their features."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from luthier import seeds
from luthier.arrays import Array, Ints
from luthier.scores.error_limit import Thresholds
from luthier.train.probe.half_labelled import NONE, Crossed, HalfLabelled
from luthier.train.probe.neighbours import unit_length

PRECISION = 0.9
"""The least share of the answers above the threshold that are right."""
FEWEST_ANSWERS = 10
"""The fewest answers that this share is taken of. It is an estimate: a bound that holds with some certainty leaves nothing to
take where labelled rows are few, and whether taking them helps is judged apart."""
MOST_ROUNDS = 50
"""Rounds of k-means at the most; it has ended after 4 to 10 where it was measured."""
DRAWN = 1_999
"""Times that labels are dealt out at random to compare shares (Davison and Hinkley 1997, "Bootstrap Methods and their
Application", section 4.2.5)."""


@dataclass(frozen=True)
class Threshold:
    """From which confidence on answers are taken."""

    above: float | None
    """Answers of a higher one are taken, all where it is 0; None: none are."""
    answers: int = 0
    """Labelled rows that were answered so surely by heads that did not see them."""
    right: int = 0
    """How many of these answers are right."""

    @staticmethod
    def of(crossed: Crossed, targets: Ints) -> "Threshold":
        """The lowest above which the share of right answers is PRECISION, of FEWEST_ANSWERS at least. targets: (labelled,)"""
        chances = softmax(crossed.logits[crossed.asked].astype(np.float64), axis=1)
        found = Thresholds.of(chances.max(axis=1), chances.argmax(axis=1) == targets[crossed.asked])
        right = found.rows - found.wrong
        fine = np.flatnonzero((found.rows >= FEWEST_ANSWERS) & (right >= PRECISION * found.rows))
        if not len(fine):
            return Threshold(None)
        lowest = fine[-1]
        return Threshold(max(0.0, float(found.above[lowest])), int(found.rows[lowest]), int(right[lowest]))


@dataclass(frozen=True)
class Labelled:
    """Labels that rows were given."""

    labels: Ints
    """(unlabelled,), NONE for rows that were given none."""
    threshold: Threshold | None = None
    """Which answers were taken; None where all rows were given a label."""

    @property
    def taken(self) -> int:
        return int((self.labels != NONE).sum())


class Way(ABC):
    """A way to give rows labels: a row of WAYS."""

    name: str
    words: str
    """How rows are given labels, as a sentence calls it."""

    @abstractmethod
    def label(self, rows: HalfLabelled) -> Labelled:
        """Labels of the rows that have none."""


class SeededClusters(Way):
    """Spherical k-means with a cluster a label, in which labelled rows stay in their own."""

    name = "seeded-k-means"
    words = "by clusters around the labelled rows"

    def label(self, rows: HalfLabelled) -> Labelled:
        return Labelled(seeded_k_means(rows))


class SureAnswers(Way):
    """The answers of the probe that are sure enough: self-training in one round (Scudder 1965, "Probability of error of some
    adaptive pattern-recognition machines"; Lee 2013, "Pseudo-label").

    Rows without labels are answered by the heads on whose answers the threshold was found, by the mean of their probabilities."""

    name = "pseudo-labels"
    words = "by the probe's sure answers"

    def label(self, rows: HalfLabelled) -> Labelled:
        crossed = rows.crossed
        nothing = np.full(len(rows.unlabelled), NONE)
        threshold = Threshold(None) if crossed is None else Threshold.of(crossed, rows.targets)
        if crossed is None or threshold.above is None:
            return Labelled(nothing, threshold)
        sure = crossed.chances.max(axis=1) > threshold.above
        return Labelled(np.where(sure, crossed.chances.argmax(axis=1), nothing), threshold)


WAYS: dict[str, Way] = {way.name: way for way in (SeededClusters(), SureAnswers())}


def seeded_k_means(rows: HalfLabelled) -> Ints:
    """(unlabelled,) the label whose mean direction is nearest to each row (Basu, Banerjee and Mooney 2002, "Semi-supervised
    clustering by seeding", section 4, Constrained-KMeans; on directions: Dhillon and Modha 2001).

    A label's mean is that of its labelled rows and its words, which count as a row, and of the rows that it was given, which
    together weigh as much as all labelled ones. Each round raises the sum of cosines to one's own mean, so it comes to an end.
    """
    known, asked = unit_length(rows.features), unit_length(rows.unlabelled)
    marks = np.eye(rows.outputs)
    seeds_of = marks[rows.targets].T @ known
    if rows.words is not None:
        seeds_of = seeds_of + unit_length(rows.words)
    share = min(1.0, len(known) / max(1, len(asked)))
    empty = ~seeds_of.any(axis=1)  # nothing says where such a label is
    labels, means = np.full(len(asked), NONE), seeds_of
    for _ in range(MOST_ROUNDS):
        cosines = asked @ unit_length(means).T
        cosines[:, empty] = -np.inf
        nearest = cosines.argmax(axis=1)
        if (nearest == labels).all():
            break
        labels, means = nearest, seeds_of + share * (marks[nearest].T @ asked)
    return labels


@dataclass(frozen=True)
class Shares:
    """How often each label is answered, to rows with labels and to rows without."""

    labelled: Array
    """(outputs,) of the answers to labelled rows by heads that did not see them, among labels of which rows were asked."""
    unlabelled: Array
    """(outputs,) of these heads' answers, by the mean of their probabilities, to rows without labels."""
    p: float
    """How often chance alone would part them as much."""

    @staticmethod
    def of(crossed: Crossed, targets: Ints, seed: int) -> "Shares":
        """Both are answers of heads that learnt from labelled rows, so that what these mistake is much the same on both sides.
        Labels of which no row was asked, as it is the only one and always learnt, are left out on both. targets: (labelled,)"""
        outputs = crossed.logits.shape[1]
        answers = crossed.logits[crossed.asked].argmax(axis=1), crossed.chances.argmax(axis=1)
        first, second = (np.bincount(one, minlength=outputs) for one in answers)
        unasked = np.setdiff1d(np.arange(outputs), targets[crossed.asked])
        first[unasked] = second[unasked] = 0
        return Shares(
            first / max(1, first.sum()), second / max(1, second.sum()), homogeneity(first, second, seed)
        )


def homogeneity(first: Ints, second: Ints, seed: int) -> float:
    """The p-value that two draws of labels are of one urn: Pearson's chi-squared among draws that share the labels out at random,
    which holds for few rows too (Patefield 1981, "An efficient method of generating random R x C tables").

    first, second: (outputs,) how many rows have each label.
    """
    both = first + second
    if not first.sum() or not second.sum():
        return 1.0
    dice = seeds.generator(seed, "shares of labels")
    drawn = dice.multivariate_hypergeometric(both, int(first.sum()), size=DRAWN)
    expected = first.sum() * both[both > 0] / both.sum()

    # The second row of the table follows from the first, so that one sum of squares orders tables as chi-squared does.
    def distance(counts: Array) -> Array:
        found: Array = (np.square(counts[..., both > 0] - expected) / expected).sum(axis=-1)
        return found

    as_far = int(np.count_nonzero(distance(drawn) >= float(distance(first)) - 1e-9))
    return (1 + as_far) / (1 + DRAWN)
