from collections.abc import Iterator

from luthier.data.checks.finding import Evidence, Finding


def empty(evidence: Evidence) -> Iterator[Finding]:
    """Rows without text or without label: left out, and counted."""
    for rows, column in ((evidence.empty_text, evidence.text), (evidence.empty_label, evidence.label)):
        if len(rows):
            yield Finding(
                check="empty",
                severity="warn",
                count=len(rows),
                share=len(rows) / len(evidence.table),
                rows=evidence.shown(rows),
                message=f"{count_of(len(rows), 'row has', 'rows have')} nothing in column {column!r}. Left out.",
                mend="Fill them in, or delete them from the file.",
            )


def count_of(number: int, one: str, many: str) -> str:
    """
    >>> count_of(1, "row has", "rows have"), count_of(2000, "row has", "rows have")
    ('1 row has', '2,000 rows have')
    """
    return f"{number:,} {one if number == 1 else many}"
