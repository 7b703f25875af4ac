"""The check for held-out files that differ from the training rows."""

from collections.abc import Iterator

import numpy as np

from luthier.arrays import Array, Ints
from luthier.checks.finding import Evidence, Finding

MOST = 1_000
"""The most rows of each side that the classifier is given."""
TOLD = 0.65
"""Smallest area under the ROC curve that is reported, if it is beyond noise too."""


def shift(evidence: Evidence) -> Iterator[Finding]:
    """Test or validation rows, given by file, that can be told from the training rows: they came from elsewhere."""
    frozen, split = evidence.frozen, evidence.parts.split
    if frozen is None:
        return
    learnt = np.flatnonzero(np.isin(frozen.rows, np.concatenate([split.train, split.calibration])))
    for part in sorted(evidence.parts.given):
        rows = getattr(split, part)
        held = np.flatnonzero(np.isin(frozen.rows, rows))
        if min(len(held), len(learnt)) < 50:
            continue
        area, noise = told_apart(frozen.features, learnt, held)
        if area > TOLD and area - 3 * noise > 0.5:
            yield Finding(
                check="shift",
                severity="warn",
                count=len(rows),
                share=1.0,
                rows=(),
                message=f"The {part} rows can be told from the training rows: a classifier ranks a pair of them rightly in "
                f"{area:.0%} (50 % would be chance).",
                matters="The score is that on other texts than those that are learnt; it says less of either.",
                mend="See how the files were made; if by source or by time, more training rows like the others help most.",
            )


def told_apart(features: Array, ours: Ints, theirs: Ints) -> tuple[float, float]:
    """Area under the ROC curve of a ridge classifier between two sets of rows, each row judged by one that did not see it, and
    its standard error (Hanley and McNeil 1982, for an area of one half)."""
    dice = np.random.default_rng(0)
    most = min(MOST, len(ours), len(theirs))
    rows = np.concatenate([dice.permutation(ours)[:most], dice.permutation(theirs)[:most]])
    side = np.repeat([-1.0, 1.0], most)
    made = features[rows].astype(np.float64)
    made = (made - made.mean(0)) / np.maximum(made.std(0), 1e-6)
    fold = dice.permutation(len(rows)) % 5
    judged = np.zeros(len(rows))
    for at in range(5):
        kept, out = made[fold != at], fold == at
        penalty = len(kept) * np.eye(made.shape[1])
        judged[out] = made[out] @ np.linalg.solve(kept.T @ kept + penalty, kept.T @ side[fold != at])
    ranks = np.argsort(np.argsort(judged)) + 1
    area = (ranks[most:].sum() - most * (most + 1) / 2) / most**2
    return float(area), float(np.sqrt((2 * most + 1) / (12 * most**2)))
