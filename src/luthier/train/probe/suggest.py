"""Which rows to label next: typical ones while labels are few, doubtful and different ones later."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from luthier.arrays import Array, Ints
from luthier.train.probe.probe import ROUGH, STRENGTHS, Regression, standardised

ENOUGH = 20
"""Labelled rows a label, from which on doubt says more than typicality (docs/doctor.md has the curves)."""
NEIGHBOURS = 20
"""Number of nearest neighbours whose mean distance says how typical a row is (Hacohen et al. 2022, arXiv:2202.02794, section
3.2)."""
MOST_CLUSTERS = 500
DOUBTFUL = 10
"""So many times the rows asked for are doubtful candidates, from which the most different ones are taken."""


@dataclass(frozen=True)
class Suggested:
    """The unlabelled rows that are most worth a label, the most useful first, and why."""

    rows: Ints
    why: str


def suggest(labelled: Array, targets: Array, outputs: int, unlabelled: Array, count: int) -> Suggested:
    """Choose the unlabelled rows that are most worth a label.

    labelled: (rows, width) features.  targets: their classes.  unlabelled: (rows, width).

    TypiClust while there are few labels (Hacohen et al. 2022, arXiv:2202.02794), then the smallest margins, spread over
    clusters (Doucet et al. 2024, "Bridging diversity and uncertainty in active learning": TypiClust, then margin).
    """
    count = min(count, len(unlabelled))
    if len(labelled) < ENOUGH * outputs or outputs < 2 or len(np.unique(targets)) < 2:
        return Suggested(typical(labelled, unlabelled, count), "typical of texts that no label speaks of yet")
    return Suggested(doubtful(labelled, targets, outputs, unlabelled, count), "its label is in doubt")


def directions(features: Array) -> Array:
    found: Array = (features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)).astype(
        np.float32
    )
    return found


def clusters(features: Array, count: int) -> Ints:
    """The cluster of each row, (rows,), by k-means."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    kind = KMeans if len(features) < 5_000 else MiniBatchKMeans
    found: Ints = kind(min(count, len(features)), n_init=1, random_state=0).fit_predict(features)
    return found


def typical(labelled: Array, unlabelled: Array, count: int) -> Ints:
    """One row of each cluster that has fewest labels, the largest first: the row nearest to its neighbours there."""
    every = directions(np.concatenate([labelled, unlabelled])) if len(labelled) else directions(unlabelled)
    known = len(labelled)
    cluster = clusters(every, min(known + count, MOST_CLUSTERS))
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
    near = features[own] @ features[members].T
    most = min(NEIGHBOURS + 1, len(members))
    closeness = np.partition(near, -most, axis=1)[:, -most:].mean(1)
    return iter(own[np.argsort(-closeness, kind="stable")].tolist())


def doubtful(labelled: Array, targets: Array, outputs: int, unlabelled: Array, count: int) -> Ints:
    """Rows whose two likeliest labels are nearly alike, one of each cluster of them."""
    scaled, centre, width = standardised(labelled)
    weight, bias = Regression(scaled, targets, outputs).solve(STRENGTHS[1], ROUGH)
    logits = (unlabelled - centre) / width @ weight.T + bias
    raised = np.exp(logits - logits.max(1, keepdims=True))
    ordered = np.sort(raised / raised.sum(1, keepdims=True), axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    near = np.argsort(margin, kind="stable")[: max(DOUBTFUL * count, 100)]
    cluster = clusters(directions(unlabelled[near]), count)
    firsts = [int(near[np.flatnonzero(cluster == at)[0]]) for at in np.unique(cluster)]
    # k-means may leave a cluster empty: the most doubtful of the rest fill up.
    firsts += [int(row) for row in near if int(row) not in set(firsts)][: count - len(firsts)]
    order = np.argsort(margin[firsts], kind="stable")
    return np.array(firsts, np.int64)[order]
