"""The check for labels that occur only once."""

from collections.abc import Iterator

from luthier.checks.finding import Evidence, Finding, count_of
from luthier.errors import listing


def single(evidence: Evidence) -> Iterator[Finding]:
    """Labels that occur only once, and so cannot be both learnt and tested. Their rows are left out, and counted."""
    rows = evidence.left_out.rows.single
    if len(rows):
        names = sorted({name for row in rows.tolist() for name in evidence.answers.labels_of(row)})
        yield Finding(
            check="single-labels",
            severity="warn",
            count=len(rows),
            share=len(rows) / len(evidence.table),
            rows=evidence.shown(rows),
            message=f"{count_of(len(names), 'label occurs', 'labels occur')} once: {listing(names)}. "
            f"{count_of(len(rows), 'row is', 'rows are')} left out.",
            matters="One row cannot be both learnt and tested: such a label is never predicted.",
            mend="Correct the label where it is a slip; else add rows with it, or delete it.",
        )
