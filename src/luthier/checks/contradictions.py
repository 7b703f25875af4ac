"""The check for equal texts with different labels."""

from collections.abc import Iterator

import numpy as np

from luthier.checks.finding import Evidence, Finding, count_of


def contradictions(evidence: Evidence) -> Iterator[Finding]:
    """The same text with different labels: at most one of them can be right."""
    if evidence.form.answers_vary:
        return
    rows = evidence.used
    _, number, times = np.unique(evidence.keys[rows], return_inverse=True, return_counts=True)
    repeated = rows[times[number] > 1]
    order = repeated[np.argsort(evidence.keys[repeated], kind="stable")]
    runs = np.split(order, np.flatnonzero(np.diff(evidence.keys[order])) + 1)
    found = [row for run in runs if len(np.unique(evidence.answers.label_sets[run])) > 1 for row in run]
    if found:
        yield Finding(
            check="contradictions",
            severity="warn",
            count=len(found),
            share=len(found) / len(rows),
            rows=evidence.shown(found, most=None),
            message=f"{count_of(len(found), 'row has', 'rows have')} {evidence.a_thing} that occurs again with another label.",
            matters="At most one of the labels can be right: the others teach, or test, what is wrong.",
            mend="Decide which label is right, and correct or delete the others.",
        )
