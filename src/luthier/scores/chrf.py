"""chrF: how many runs of characters a generated text shares with the right one."""

from collections import Counter

import numpy as np

from luthier.arrays import Ints

ORDERS = range(1, 7)
"""Lengths of the runs of characters."""
BETA = 2
"""Recall counts so many times as much as precision."""


def chrf(text: str, right: str) -> float:
    """F-score of the runs of 1 to 6 characters, white space left out, recall counting twice as much; in [0, 1].

    Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation", WMT, section 2: precision and recall are
    averaged over the lengths and F is of the averages. Lengths that one of the texts is too short for are left out, as
    sacrebleu's chrF2 does. The metric of many rows is the mean of theirs, so that each row counts the same;
    `chrf_of` gives the score of a corpus, as sacrebleu's `corpus_chrf` does, which counts long rows more.

    >>> chrf("abcdef", "abcdef"), chrf("", "abc"), round(chrf("abd", "abc"), 4)
    (1.0, 0.0, 0.3889)
    """
    return chrf_of(chrf_counts(text, right))


def chrf_counts(text: str, right: str) -> Ints:
    """(lengths, 3) runs of the text, runs of the right one, and runs that both have, as often as both have them."""
    found = []
    for length in ORDERS:
        ours, theirs = runs(text, length), runs(right, length)
        found.append((ours.total(), theirs.total(), (ours & theirs).total()))
    return np.array(found, np.int64)


def chrf_of(counts: Ints) -> float:
    """The score that counts come to: those of one row, or the sum over the rows of a corpus.

    >>> rows = [("the cat sat", "a cat sat"), ("yes", "no")]
    >>> round(chrf_of(sum(chrf_counts(*row) for row in rows)), 4)
    0.6157
    """
    ours, theirs, common = counts[(counts[:, :2] > 0).all(axis=1)].astype(np.float64).T
    if not common.any():
        return 0.0
    precision, recall = float(np.mean(common / ours)), float(np.mean(common / theirs))
    return (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)


def runs(text: str, length: int) -> Counter[str]:
    """How often each run of so many characters stands in a text."""
    dense = "".join(text.split())
    return Counter(dense[at : at + length] for at in range(len(dense) - length + 1))
