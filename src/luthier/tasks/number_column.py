"""A column of numbers to be learnt, and what a split needs to know of it."""

import math
from typing import Any

import numpy as np

from luthier.data.table import Ints, Table
from luthier.errors import DataError
from luthier.tasks.task import Array

STRATA = 10
"""Classes of equal size by which rows are spread over the parts."""


def numbers(table: Table, column: str) -> Array:
    """(rows,) the numbers of a column, NaN where there is none. Raises DataError for what is no number."""
    found = np.full(len(table), np.nan)
    wrong: list[tuple[int, Any]] = []
    for row, value in enumerate(table.values(column)):
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        try:
            found[row] = float(value)
        except (TypeError, ValueError):
            wrong.append((row, value))
        else:
            if not math.isfinite(found[row]):
                wrong.append((row, value))
    if wrong:
        row, value = wrong[0]
        more = f" ({len(wrong):,} rows in all)" if len(wrong) > 1 else ""
        raise DataError(
            f"{table.place(row)}: {value!r} in column {column!r} is no number{more}, and regression learns numbers. "
            "Correct it, leave it empty, name another column with --label, or choose another --task."
        )
    return found


def strata_of(values: Array, usable: Ints) -> Ints:
    """(rows,) the tenth of the usable rows, by rank, that a row is in; 0 for the others."""
    found = np.zeros(len(values), np.int64)
    if len(usable):
        ranked = np.unique(values[usable], return_inverse=True)[1]
        found[usable] = ranked * STRATA // (int(ranked.max()) + 1)
    return found


def equal_numbers(values: Array) -> Ints:
    """(rows,) the same for rows with the same number, or with none."""
    found: Ints = np.unique(np.nan_to_num(values, nan=-np.inf), return_inverse=True)[1]
    return found
