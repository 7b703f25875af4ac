"""The list of rows to label that `luthier suggest` writes, filled in and handed back."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from luthier.data.formats.sheets import MARKED, as_written
from luthier.data.table import Table

FROM = ("file", "row")
"""Columns after those that are read and those of the labels: where the row stands."""


def suggested(table: Table) -> Table | None:
    """What was read and the labels without the mark that keeps a spreadsheet from computing them."""
    names, columns = table.names, table.columns
    if (
        len(names) < 4
        or tuple(names[-2:]) != FROM
        or any(field.type != pa.string() for field in columns.schema)
    ):
        return None
    if not pc.all(pc.match_substring_regex(columns["row"], "^[0-9]+$")).as_py():
        return None
    own = names[:-2]
    marked = [pc.match_substring_regex(columns[name], MARKED) for name in own]
    if not any(pc.any(one).as_py() for one in marked):
        return None
    for at, name in enumerate(own):
        columns = columns.set_column(
            at, as_written(name), pc.replace_substring_regex(columns[name], MARKED, r"\1")
        )
    told = (
        f"{table.files[0]}: is luthier's own list of rows to label; the apostrophe that keeps a spreadsheet from computing a "
        "cell is taken off."
    )
    return replace(table, columns=columns, guesses=(*table.guesses, told))
