"""Folds of few rows: each label is dealt out to all of them, and rows that share something stay together."""

import numpy as np

from luthier import seeds
from luthier.arrays import Ints


def stratified_folds(labels: Ints, count: int, seed: int, clusters: Ints | None = None) -> Ints:
    """(rows,) the fold in which each row is held out.

    labels: (rows,) what each row is labelled with.  clusters: (rows,) equal where rows share something; None where none do.
    Labels are dealt out one behind the other, so that folds differ by one row at the most where no rows go together.

    >>> stratified_folds(np.array([0, 0, 1, 1]), 2, seed=0).reshape(2, 2).sum(axis=1).tolist()
    [1, 1]
    """
    rows = len(labels)
    of_cluster = np.arange(rows) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    _, first = np.unique(of_cluster, return_index=True)
    shuffled = seeds.generator(seed, "folds").permutation(len(first))
    order = shuffled[np.argsort(labels[first[shuffled]], kind="stable")]
    fold_of = np.empty(len(first), np.int64)
    fold_of[order] = np.arange(len(first)) % min(count, len(first))
    folds: Ints = fold_of[of_cluster]
    return folds
