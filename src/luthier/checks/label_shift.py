"""The check for answers that are distributed differently in training and validation rows."""

from collections.abc import Iterator

import numpy as np

from luthier.arrays import Ints
from luthier.checks.finding import Evidence, Finding

CHANCE = 0.001
"""Significance level: with a smaller p-value the shares are taken to differ."""
TOLD = 0.05
"""Smallest difference of two shares that is reported."""
EXPECTED = 5
"""Rows of each side that a kind must be expected to have, for the test to hold; rarer ones count as one kind."""


def label_shift(evidence: Evidence) -> Iterator[Finding]:
    """Validation rows of their own that have the answers in other shares than the training rows, by Pearson's chi-squared
    test, in which all questions on one text, and all rows of a `--group`, count as one row. Those of the test stay sealed."""
    answers, split = evidence.answers, evidence.parts.split
    kinds = len(answers.strata_names)
    if not kinds or "valid" not in evidence.parts.given:
        return
    sides = np.concatenate([split.train, split.calibration]), split.valid
    counts = np.stack([np.bincount(answers.strata[rows], minlength=kinds) for rows in sides])
    ours, theirs = counts / counts.sum(1, keepdims=True)
    more = theirs - ours
    # Of two kinds both differ alike: rounded, so that the one of which there are more is told.
    at = max(range(kinds), key=lambda one: (round(abs(more[one]), 6), more[one]))
    if abs(more[at]) < TOLD:
        return
    apart = np.array([independent(evidence, rows) / len(rows) for rows in sides])
    if chance_of(counts * apart[:, None]) >= CHANCE:
        return
    yield Finding(
        check="label-shift",
        severity="warn",
        count=int(counts[1, at]),
        share=float(theirs[at]),
        rows=(),
        message=f"{theirs[at]:.0%} of the valid rows {answers.strata_names[at]}, and {ours[at]:.0%} of the training rows.",
        matters="Validation says when training stops, what is kept, and where a threshold lies: for rows in its own shares, not "
        "in those of the training rows.",
        mend="See how the files were made. Without validation rows of their own, some of the training rows are set aside, in the "
        "same shares.",
    )


def independent(evidence: Evidence, rows: Ints) -> int:
    """How many of some rows are drawn by themselves: those that are kept on one side of a split count once."""
    parts = evidence.parts
    named = () if parts.named_groups is None else (parts.named_groups,)
    return min([len(rows), *(len(np.unique(groups[rows])) for groups in (*parts.groups, *named))])


def chance_of(counts: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
    """The p-value of Pearson's chi-squared test: how often two sides drawn alike would differ so much or more.

    counts: (2, kinds), the rows of each side by kind of answer.
    """
    from scipy.stats import chi2_contingency  # here, as it takes a while, and prediction does without it

    expected = counts.sum(0) * counts.sum(1).min() / counts.sum()
    rest = counts[:, expected < EXPECTED].sum(1)
    told_apart = np.column_stack([counts[:, expected >= EXPECTED], *([rest] if rest.any() else [])])
    return float(chi2_contingency(told_apart, correction=False).pvalue) if told_apart.shape[1] > 1 else 1.0
