"""Columns in which some rows have one value and others a list of them: lists in all rows."""

from typing import Any

from luthier.data.annotations.cells import fault_of, objects, replaced
from luthier.data.annotations.telling import noted
from luthier.data.table import Table


def mixed_lists(table: Table) -> Table | None:
    """The table with lists in such columns; other columns of several kinds of values stay, to be refused."""
    changed = None
    for name in table.names:
        if fault_of(table, name) is None:
            continue
        values = objects(table, name, "lists")
        if all(
            is_plain(item) for value in values for item in (value if isinstance(value, list) else [value])
        ):
            lists: list[Any] = [
                value if value is None or isinstance(value, list) else [value] for value in values
            ]
            changed = noted(
                replaced(changed or table, name, lists),
                f"column {name!r} holds single values in some rows and lists in others; single ones are read as lists of one.",
            )
    return changed


def is_plain(value: Any) -> bool:
    return not isinstance(value, list | dict)
