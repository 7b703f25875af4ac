"""A column of numbers to be learnt, and what a split needs to know of it."""

import numpy as np

from luthier.arrays import Array, Ints
from luthier.data.numerals import Numerals, read_numerals
from luthier.data.table import Table
from luthier.errors import DataError

SIGNS = {"point": ".", "comma": ","}
STRATA = 10
"""Classes of equal size by which rows are spread over the parts."""


def numbers(table: Table, column: str, decimal: str | None = None) -> Numerals:
    """The numbers of a column, NaN where there is none. Raises DataError for what is no number, or may be two.

    decimal: `point` or `comma`, where the user says which stands before decimals.
    """
    values = table.values(column)
    found = read_numerals(values, None if decimal is None else SIGNS[decimal])
    if found.wrong:
        row = found.wrong[0]
        more = f" ({len(found.wrong):,} rows in all)" if len(found.wrong) > 1 else ""
        usual = f", as the others are numbers {' '.join(found.how)}" if found.how else ""
        raise DataError(
            f"{table.place(row)}: {values[row]!r} in column {column!r} is no number{usual}{more}, and regression learns numbers. "
            "Correct it, leave it empty, name another column with --label, or choose another --task."
        )
    if found.unclear is not None:
        raise DataError(
            f"{table.files[0]}: column {column!r} holds numbers such as {found.unclear!r}, whose comma may stand before decimals "
            "or between thousands. Say which with --decimal comma or --decimal point."
        )
    large = found.values[np.isfinite(found.values)]
    with np.errstate(over="ignore", invalid="ignore"):
        if len(large) and not np.isfinite(
            np.square(large.astype(np.float32) - np.float32(large.mean())).sum()
        ):
            raise DataError(
                f"{table.files[0]}: column {column!r} holds numbers up to {np.abs(large).max():g}, whose spread is beyond what "
                "can be computed with. Divide them by a power of ten."
            )
    return found


def told_of_numbers(column: str, found: Numerals) -> tuple[str, ...]:
    """What is told of how the numbers of a column are written."""
    return tuple(
        f"column {column!r}: its numbers are written {how}"
        + ("; --decimal point corrects it." if "comma" in how else ".")
        for how in found.how
    )


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
