"""The check for held-out rows whose text also stands in the training rows."""

from collections.abc import Iterator

import numpy as np

from luthier.arrays import Array, Ints
from luthier.checks.finding import Evidence, Finding, count_of

TOO_MANY = 0.05
"""When this share of the test rows leaks, their score says little, and no run is begun."""


def leaks(evidence: Evidence) -> Iterator[Finding]:
    """Test or validation rows whose text also stands in the training rows: a score on them is too good."""
    for name, rows, seen in held_out(evidence):
        found = rows[np.isin(evidence.keys[rows], evidence.keys[seen])]
        if len(found):
            share = len(found) / len(rows)
            yield Finding(
                check="leaks",
                severity="stop" if name == "test" and share > TOO_MANY else "warn",
                count=len(found),
                share=share,
                rows=evidence.shown(found, most=None),
                message=f"{count_of(len(found), 'row', 'rows')} of the {len(rows):,} {name} rows also "
                f"{'stands' if len(found) == 1 else 'stand'} in the training data.",
                matters="Their answers are known, so the score is too good by up to their share.",
                mend="Delete them from the training rows (luthier check --fix leaks) or from the test rows.",
            )


def across(pairs: Array, held: Ints, learnt: Ints) -> Ints:
    """The held-out rows that are a pair with a row that is learnt from. pairs: (pairs, 2) row numbers."""
    one, two = np.isin(pairs, held), np.isin(pairs, learnt)
    found: Ints = np.unique(
        np.concatenate([pairs[one[:, 0] & two[:, 1], 0], pairs[one[:, 1] & two[:, 0], 1]])
    )
    return found


def held_out(evidence: Evidence) -> list[tuple[str, Ints, Ints]]:
    """The held-out parts: name and rows of test and validation, each with the rows that a model sees before its score there."""
    split = evidence.parts.split
    learnt = np.concatenate([split.train, split.calibration])
    return [
        ("test", split.test, np.concatenate([learnt, split.valid])),
        (
            "validation",
            np.setdiff1d(split.valid, learnt),
            learnt,
        ),  # those that are both are told of elsewhere
    ]
