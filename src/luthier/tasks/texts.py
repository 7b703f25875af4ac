"""Rows made of one text or of two: where there is something to read, and which of them are the same."""

import numpy as np

from luthier.arrays import Bools, Ints
from luthier.data.split import key_of, text_keys
from luthier.data.table import Table
from luthier.forms.form import Columns
from luthier.forms.pair_form import joined


def has_content(table: Table, column: str) -> Bools:
    """(rows,) whether there is more than white space."""
    found = np.empty(len(table), bool)
    for begin, values in table.pieces(column):
        found[begin : begin + len(values)] = [bool(value.strip()) for value in values]
    return found


def read_columns(table: Table, columns: Columns) -> dict[str, tuple[str, Bools]]:
    """By role, the columns that are read, and where they hold something."""
    return {
        role: (name, has_content(table, name)) for role, name in columns.items() if role in ("text", "text2")
    }


def input_keys(table: Table, columns: Columns) -> Ints:
    """(rows,) equal for rows whose texts differ only in case and white space."""
    if "text2" not in columns:
        return text_keys(table, columns["text"])
    return np.array([key_of(text) for text in joined(table, columns)], np.int64)
