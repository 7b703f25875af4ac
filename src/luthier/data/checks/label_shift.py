from collections.abc import Iterator

import numpy as np
from scipy.stats import chi2_contingency

from luthier.data.checks.finding import Evidence, Finding

CHANCE = 0.001
"""Below which shares are not taken to be alike."""
TOLD = 0.05
"""Difference of a share from which on it is told."""
EXPECTED = 5
"""Rows of each side that a kind must be expected to have, for the test to hold; rarer ones count as one kind."""


def label_shift(evidence: Evidence) -> Iterator[Finding]:
    """Validation rows, given by file, that have the answers in other shares than the training rows, by Pearson's chi-squared
    test. Those of the test stay sealed."""
    if not evidence.strata_names or "valid" not in evidence.given:
        return
    split, kinds = evidence.split, len(evidence.strata_names)
    sides = np.concatenate([split.train, split.calibration]), split.valid
    counts = np.stack([np.bincount(evidence.strata[rows], minlength=kinds) for rows in sides])
    expected = counts.sum(0) * counts.sum(1).min() / counts.sum()
    often = counts[:, expected >= EXPECTED]
    rest = counts[:, expected < EXPECTED].sum(1)
    told_apart = np.column_stack([often, rest]) if rest.any() else often
    if told_apart.shape[1] < 2 or chi2_contingency(told_apart).pvalue >= CHANCE:
        return
    ours, theirs = counts / counts.sum(1, keepdims=True)
    more = theirs - ours
    at = max(
        range(kinds), key=lambda one: (round(abs(more[one]), 6), more[one])
    )  # of two kinds the one of which there are more
    if abs(more[at]) < TOLD:
        return
    yield Finding(
        check="label-shift",
        severity="warn",
        count=int(counts[1, at]),
        share=float(theirs[at]),
        rows=(),
        message=f"{theirs[at]:.0%} of the valid rows {evidence.strata_names[at]}, and {ours[at]:.0%} of the training rows.",
        matters="Validation says when training stops, what is kept, and from which score on an answer is given: for rows in its "
        "own shares, not in those of the training rows.",
        mend="See how the files were made. Without --valid, rows in the same shares are set aside from the training rows.",
    )
