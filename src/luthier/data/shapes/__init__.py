"""Forms in which tools and people write tables, each brought to the columns that tasks know. A new one is a file and a row."""

from collections.abc import Callable

from luthier.data.shapes.suggested import suggested
from luthier.data.table import Table

Shape = Callable[[Table], Table | None]
"""The table in other columns, its `layout` and `guesses` telling of them; None where it is not of this form."""

SHAPES: dict[str, Shape] = {"rows to label": suggested}
"""In the order in which they are tried; each sees what those before it made."""


def shaped(table: Table) -> Table:
    """A table brought to columns that tasks know, by every shape that fits."""
    for shape in SHAPES.values():
        table = shape(table) or table
    return table
