"""Which rows to label next: typical ones while labels are few, doubtful and different ones later."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from luthier.arrays import Array, Ints
from luthier.train.probe.neighbours import AT_ONCE, unit_length
from luthier.train.probe.probe import ROUGH, STRENGTHS, Regression, standardised

ENOUGH = 20
"""Labelled rows a label, from which on doubt says more than typicality (Hacohen et al. 2022,
arXiv:2202.02794, find so few rows and so many to want opposite ones; docs/doctor.md tells what was measured)."""
NEIGHBOURS = 20
"""Number of nearest neighbours whose mean distance says how typical a row is (Hacohen et al. 2022, arXiv:2202.02794, section
3.2)."""
MOST_CLUSTERS = 500
DOUBTFUL = 10
"""So many times the rows asked for are doubtful candidates, from which the most different ones are taken."""


LEAST_SURE = 3
"""Units of a row that are least sure, whose mean says how sure a row is whose words have labels: one alone is often an odd token,
and the mean of all prefers short rows (Settles and Craven 2008, "An analysis of active learning strategies for sequence labeling
tasks", section 3.1, of such sums and means)."""


@dataclass(frozen=True)
class Suggested:
    """The unlabelled rows that are most worth a label, the most useful first, and why."""

    rows: Ints
    by_doubt: bool
    """Whether their labels are in doubt; else they are typical of rows that no label speaks of yet."""


def enough(given: int, kinds: int) -> bool:
    """Whether doubt says more than typicality. given: labels so far.  kinds: how many different ones there are."""
    return kinds > 0 and given >= ENOUGH * kinds


def suggest(labelled: Array, unlabelled: Array, sureness: Array | None, count: int, seed: int) -> Suggested:
    """Choose the unlabelled rows that are most worth a label.

    labelled: (rows, width) features.  unlabelled: (rows, width).  sureness: (rows,) how sure one is of each unlabelled one; None
    while labels are too few to tell.

    TypiClust while there are few labels (Hacohen et al. 2022, arXiv:2202.02794), then the least sure, spread over clusters
    (Doucet et al. 2024, "Bridging diversity and uncertainty in active learning": TypiClust, then margin).
    """
    count = min(count, len(unlabelled))
    if sureness is None:
        return Suggested(typical(labelled, unlabelled, count, seed), by_doubt=False)
    return Suggested(doubtful(sureness, unlabelled, count, seed), by_doubt=True)


@dataclass(frozen=True)
class Doubt:
    """A linear head on the features of labelled units, which tells how sure it is of others."""

    weight: Array
    bias: Array
    centre: Array
    spread: Array
    marks: bool
    """Whether a unit may have any number of labels."""

    @staticmethod
    def of(features: Array, targets: Array, outputs: int) -> "Doubt":
        """features: (units, width).  targets: (units,) classes, or (units, outputs) marks."""
        scaled, centre, spread = standardised(features)
        weight, bias = Regression(scaled, targets, outputs).solve(STRENGTHS[1], ROUGH)
        return Doubt(weight, bias, centre, spread, targets.ndim == 2)

    def sureness(self, features: Array) -> Array:
        """(units,) from 0 on: by how much the likeliest label is likelier than the next (Scheffer et al. 2001, "Active hidden
        Markov models for information extraction"); of any number of labels, how far the least sure of them is from as likely as
        not (binary minimum: Brinker 2006, "On active learning in multi-label classification")."""
        logits = (features - self.centre) / self.spread @ self.weight.T + self.bias
        if self.marks:
            found: Array = np.abs(np.tanh(logits / 2)).min(1)
            return found
        raised = np.exp(logits - logits.max(1, keepdims=True))
        ordered = np.sort(raised / raised.sum(1, keepdims=True), axis=1)
        margin: Array = ordered[:, -1] - ordered[:, -2] if ordered.shape[1] > 1 else ordered[:, -1]
        return margin


def least_sure(sureness: Array) -> float:
    """How sure one is of a row by its units, (units,): the mean of the least sure ones; wholly sure of one without any.

    >>> round(least_sure(np.array([0.9, 0.1, 0.3, 0.8, 0.2])), 3), least_sure(np.zeros(0))
    (0.2, 1.0)
    """
    return float(np.sort(sureness)[:LEAST_SURE].mean()) if len(sureness) else 1.0


def clusters(features: Array, count: int, seed: int) -> Ints:
    """The cluster of each row, (rows,), by k-means."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    kind = KMeans if len(features) < 5_000 else MiniBatchKMeans
    found: Ints = kind(min(count, len(features)), n_init=1, random_state=seed).fit_predict(features)
    return found


def typical(labelled: Array, unlabelled: Array, count: int, seed: int) -> Ints:
    """One row of each cluster that has fewest labels, the largest first: the row nearest to its neighbours there."""
    every = unit_length(np.concatenate([labelled, unlabelled]) if len(labelled) else unlabelled)
    known = len(labelled)
    cluster = clusters(every, min(known + count, MOST_CLUSTERS), seed)
    number = int(cluster.max()) + 1
    labels = np.bincount(cluster[:known], minlength=number)
    sizes = np.bincount(cluster, minlength=number)
    ranked = {at: iter_typical(every, np.flatnonzero(cluster == at), known) for at in range(number)}
    found: list[int] = []
    while len(found) < count:
        for at in sorted(range(number), key=lambda one: (labels[one], -sizes[one])):
            row = next(ranked[at], None)
            if row is None:
                labels[at] = len(every) + 1  # used up
                continue
            found.append(row - known)
            labels[at] += 1
            break
    return np.array(found, np.int64)


def iter_typical(features: Array, members: Ints, known: int) -> Iterator[int]:
    """The unlabelled members of a cluster, the most typical first."""
    own = members[members >= known]
    if not len(own):
        return iter(())
    most = min(NEIGHBOURS + 1, len(members))
    pieces = (features[own[at : at + AT_ONCE]] @ features[members].T for at in range(0, len(own), AT_ONCE))
    closeness = np.concatenate([np.partition(near, -most, axis=1)[:, -most:].mean(1) for near in pieces])
    return iter(own[np.argsort(-closeness, kind="stable")].tolist())


def doubtful(sureness: Array, unlabelled: Array, count: int, seed: int) -> Ints:
    """The rows that one is least sure of, one of each cluster of them."""
    near = np.argsort(sureness, kind="stable")[: max(DOUBTFUL * count, 100)]
    cluster = clusters(unit_length(unlabelled[near]), count, seed)
    firsts = [int(near[np.flatnonzero(cluster == at)[0]]) for at in np.unique(cluster)]
    # k-means may leave a cluster empty: the most doubtful of the rest fill up.
    firsts += [int(row) for row in near if int(row) not in set(firsts)][: count - len(firsts)]
    order = np.argsort(sureness[firsts], kind="stable")
    return np.array(firsts, np.int64)[order]
