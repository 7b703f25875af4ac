"""What rows say of each other's labels: every row judged by a probe and by its words, neither of which saw it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier import seeds
from luthier.arrays import Array
from luthier.train.probe.probe import ROUGH, STRENGTHS, Regression, standardised

FOLDS = 4
SMOOTHING = 0.1
"""What is added to every word count (Lidstone's smoothing)."""
FLOOR = 1e-9


def second_opinion(
    features: Array,
    texts: Sequence[str] | None,
    targets: Array,
    groups: Array,
    outputs: int,
    strength: float | None,
    seed: int,
) -> Array:
    """(rows, outputs) probabilities of each row's labels as they stand, from the rows of other folds; all alike where rows are of
    one group.

    groups: (rows,) rows of one group are in one fold: a copy must not vouch for itself.
    strength: of the probe; None chooses one that serves most sets.

    The geometric mean of a probe and of naive Bayes over words and pairs of words, each with its own temperature: where
    one of them errs the other mostly does not (on four sets it finds 5 to 15 points more of planted errors than the probe).
    Several labels a row, and rows that are no texts, are judged by the probe alone.
    """
    fold_of = folds(groups, seed)
    if len(np.unique(fold_of)) < 2:  # all are copies of each other: there is nobody else to ask
        return np.full((len(features), outputs), 0.5 if targets.ndim == 2 else 1 / outputs)
    found = np.zeros((len(features), outputs))
    scaled, _, _ = standardised(features)
    chosen = STRENGTHS[1] if strength is None else strength
    for fold in np.unique(fold_of):
        kept, out = fold_of != fold, fold_of == fold
        weight, bias = Regression(scaled[kept], targets[kept], outputs).solve(chosen, ROUGH)
        found[out] = scaled[out] @ weight.T + bias
    if targets.ndim == 2:
        return 1 / (1 + np.exp(-found))
    probe = tempered(found, targets)
    if texts is None:
        sure: Array = np.exp(probe)
        return sure
    words = tempered(by_words(texts, targets, fold_of, outputs), targets)
    both = tempered((probe + words) / 2, targets)
    made: Array = np.exp(both)
    return made


def folds(groups: Array, seed: int) -> Array:
    """The fold of each row, (rows,), the same within a group."""
    units, unit_of = np.unique(groups, return_inverse=True)
    dealt = seeds.generator(seed, "second opinion").permutation(len(units)) % FOLDS
    found: Array = dealt[unit_of]
    return found


def by_words(texts: Sequence[str], targets: Array, fold_of: Array, outputs: int) -> Array:
    """(rows, outputs) logarithms of what naive Bayes says of each text."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, min_df=2, token_pattern=r"(?u)\b\w+\b|[^\w\s]"
    )
    found = np.full((len(targets), outputs), np.log(FLOOR))
    try:
        words = vectorizer.fit_transform(texts)
    except ValueError:  # No word occurs twice: words say nothing.
        return np.zeros_like(found)
    for fold in np.unique(fold_of):
        kept, out = fold_of != fold, fold_of == fold
        present, own = np.unique(targets[kept], return_inverse=True)
        found[np.ix_(out, present)] = naive_bayes(words[kept], own, words[out])
    return found


def naive_bayes(words: Any, labels: Array, asked: Any) -> Array:
    """(asked rows, labels) log-probabilities of multinomial naive Bayes (Manning, Raghavan and Schütze 2008, "Introduction to
    information retrieval", section 13.2): the log of a label's share of the rows, plus each word's count times the log of its
    share of the label's words.

    words, asked: (rows, words) weighted counts, sparse.  labels: (rows,) each from 0 on, without a gap.
    A table of all words by all labels would take gigabytes, and is nearly empty: only what differs from a word that a label never
    has is computed.
    """
    from scipy import sparse
    from scipy.special import log_softmax

    rows = np.arange(len(labels))
    counts = (sparse.csr_matrix((np.ones(len(rows)), (labels, rows))) @ words).tocsr()
    of_label = np.asarray(counts.sum(axis=1)).ravel() + SMOOTHING * counts.shape[1]
    counts.data = np.log1p(counts.data / SMOOTHING)
    never = np.log(SMOOTHING) - np.log(of_label)
    share = np.log(np.bincount(labels) / len(labels))
    length = np.asarray(asked.sum(axis=1))  # (asked rows, 1)
    found: Array = log_softmax((asked @ counts.T).toarray() + length * never + share, axis=1)
    return found


def tempered(logits: Array, targets: Array) -> Array:
    """Log-probabilities at the temperature that suits the labels best (Guo et al. 2017, arXiv:1706.04599)."""
    from scipy.optimize import minimize_scalar

    def logs(slope: float) -> Array:
        raised = np.maximum(logits, logits.max(1, keepdims=True) - 60) * np.exp(slope)
        made: Array = raised - np.logaddexp.reduce(raised, axis=1)[:, None]
        return made

    def loss(slope: float) -> float:
        return -float(logs(slope)[np.arange(len(targets)), targets].mean())

    return logs(float(minimize_scalar(loss, bounds=(-4, 3), method="bounded").x))
