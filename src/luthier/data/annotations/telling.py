"""Noting what a shape has to say about the table that it made."""

from collections.abc import Mapping
from dataclasses import replace

from luthier.data.table import Table


def noted(table: Table, guess: str) -> Table:
    """The table with one more thing that the user should know of it."""
    return replace(table, guesses=(*table.guesses, f"{table.files[0]}: {guess}"))


def remade(table: Table) -> Table:
    """The table, whose rows or values stand otherwise in the file."""
    return replace(table, layout=replace(table.layout, as_in_file=False))


def named(table: Table, task: str | None, why: str, columns: Mapping[str, str]) -> Table:
    """The table with the facts that its form tells; earlier facts stay."""
    known = table.layout
    layout = replace(
        known, task=known.task or task, why=known.why or why, columns={**columns, **known.columns}
    )
    return replace(table, layout=layout)
