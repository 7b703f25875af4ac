"""The check for columns that give the label away."""

import shlex
from collections.abc import Iterator

import numpy as np

from luthier.arrays import Ints
from luthier.checks.columns import codes, others, told
from luthier.checks.finding import Evidence, Finding


def label_column(evidence: Evidence) -> Iterator[Finding]:
    """Columns from which the label follows. The model must not read them: nobody has them at prediction time."""
    if evidence.form.answers_vary:
        return  # an answer is written, and no column tells it
    rows = evidence.used
    labels, label = np.unique(evidence.answers.label_sets[rows], return_inverse=True)
    if len(labels) < 2:
        return  # there is nothing to give away, as in rows that are read without labels
    for name in others(evidence):
        values = codes(evidence, name)[rows]
        found = told(values, label)
        if found is not None and one_to_one(values, label):
            yield Finding(
                check="label-column",
                severity="note",
                count=len(rows),
                share=1.0,
                rows=(),
                message=f"Column {name!r} says the same as {evidence.columns.label!r}, in other words, and is not read.",
                matters="Nothing is lost: the label is learnt once.",
                mend=f"--label {shlex.quote(name)} learns it by those words.",
            )
        elif found is not None:
            right, known = found
            yield Finding(
                check="label-column",
                severity="warn",
                count=known,
                share=right,
                rows=(),
                message=f"Column {name!r} gives the label away: from it, {right:.1%} of {known:,} rows are known.",
                matters="A model that read it would look right and be of no use where the column is not known. "
                f"Only {evidence.columns.text!r} is read here.",
                mend=f"Leave {name!r} out of the text; if it is the label that is meant, name it with --label.",
            )


def one_to_one(values: Ints, label: Ints) -> bool:
    """Whether each value goes with one label, and each label with one value.

    >>> one_to_one(np.array([5, 6, 5]), np.array([0, 1, 0])), one_to_one(np.array([5, 6, 7]), np.array([0, 1, 0]))
    (True, False)
    """
    pairs = np.unique(np.stack([values, label]), axis=1).shape[1]
    return bool(pairs == len(np.unique(values)) == len(np.unique(label)))
