"""The check for rows without a text or without a label."""

from collections.abc import Iterator

from luthier.checks.finding import Evidence, Finding, count_of
from luthier.data.problems import Problems

MOST = 0.5
"""Largest share of the rows that can be deleted as a remedy."""


def empty(evidence: Evidence) -> Iterator[Finding]:
    """Rows without text or without label: left out, and counted."""
    without, columns = evidence.left_out.rows, evidence.columns
    for rows, column in (
        (without.empty_input, columns.read),
        (without.empty_label, repr(columns.label)),
    ):
        if len(rows):
            yield Finding(
                check="empty",
                severity="warn",
                count=len(rows),
                share=len(rows) / len(evidence.table),
                rows=evidence.shown(rows),
                message=f"{count_of(len(rows), 'row has', 'rows have')} nothing in column {column}. Left out.",
                matters="What is left out teaches nothing; many of them mean that a column was misread.",
                mend="Fill them in, or delete them from the file (luthier check --fix empty)."
                if len(rows) <= MOST * len(evidence.table)
                else "Fill them in, or name another column: so many mostly mean a wrong one.",
            )
    yield from unreadable(evidence)


def unreadable(evidence: Evidence) -> Iterator[Finding]:
    """Rows that lack something of the task's own, such as an answer, each with its place."""
    table, without = evidence.table, evidence.left_out.rows
    for why, rows in without.others.items():
        places = Problems()
        for row in rows.tolist():
            found = without.details.get(row)
            places.add(f"{table.place(row)} ({found})" if found else str(table.place(row)))
        if len(rows):
            yield Finding(
                check="empty",
                severity="warn",
                count=len(rows),
                share=len(rows) / len(table),
                rows=evidence.shown(rows),
                message=f"{count_of(len(rows), 'row', 'rows')} with {why}: {places}. Left out.",
                matters="What is left out teaches nothing; many of them mean that a column was misread.",
                mend="Correct them, or delete them from the file (luthier check --fix empty).",
            )
