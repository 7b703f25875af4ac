"""Columns without a name of their own that hold nothing, or only number the rows: left out, and told."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from luthier.data.table import Table
from luthier.errors import DataError, listing

LEFT_BY_PANDAS = re.compile(r"Unnamed: \d+(_level_\d+)?|__index_level_\d+__")
"""Names that pandas gives to columns without one, and to the numbers of rows."""
LONG = 40
"""Values with so many characters on average are texts: names of rows, as R writes them, are shorter."""


def without_idle_columns(table: Table, nameless: Collection[str] = ()) -> Table:
    """A table without columns that hold nothing, and without those that number its rows, where they have no name of their own.

    nameless: names of columns that the file does not name. Raises DataError where most of them hold something.
    """
    path = table.files[0]
    empty: list[str] = []
    numbers: list[str] = []
    kept: list[str] = []
    for name in table.names:
        column = table.columns.column(name)
        if name not in nameless and not LEFT_BY_PANDAS.fullmatch(name):
            continue
        if is_empty(column):
            empty.append(name)
        elif is_index(column, first=name in nameless and name == table.names[0]):
            numbers.append(name)
        elif name in nameless:
            kept.append(name)
    names = [name for name in table.names if name not in (*empty, *numbers)]
    if len(kept) > 1 and 2 * len(kept) > len(names):
        raise DataError(
            f"{path}: the first row names {len(names) - len(kept)} of {len(names)} columns that hold something. Put a header "
            "above the rows with a name for each column, and nothing above it."
        )
    if not names or not (empty or numbers or kept):
        return table
    told = tuple(telling(path, empty, numbers, kept, nameless))
    return replace(table.with_columns(table.columns.select(names)), guesses=(*table.guesses, *told))


def telling(
    path: Path, empty: Sequence[str], numbers: Sequence[str], kept: Sequence[str], nameless: Collection[str]
) -> Iterator[str]:
    """Sentences for the user on columns without a name."""
    for names, why in ((empty, "hold nothing"), (numbers, "number the rows")):
        if names:
            called = ", ".join(
                f"{name} (without a name)" if name in nameless else repr(name) for name in names
            )
            yield f"{path}: leaves out {called}, whose values {why}; a name in the header keeps a column."
    if kept:
        yield f"{path}: has no name for {listing(kept)}, which is called so; a name in the header corrects it."


def is_empty(column: pa.ChunkedArray) -> bool:
    if pa.types.is_string(column.type):
        return not pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), "")).as_py()
    return bool(column.null_count == len(column))


def holds_texts(column: pa.ChunkedArray) -> bool:
    """Whether values are texts by their length, rather than names of rows."""
    return bool((pc.mean(pc.utf8_length(column)).as_py() or 0) > LONG)


def is_index(column: pa.ChunkedArray, first: bool) -> bool:
    """Whether a column's values number the rows; in a first one without any name they may be anything, all different."""
    if pa.types.is_string(column.type):
        try:
            column = pc.cast(column, pa.int64())
        except pa.ArrowInvalid:
            if not first or holds_texts(column):
                return False
    elif not pa.types.is_integer(column.type):
        return False
    return bool(not column.null_count and pc.count_distinct(column).as_py() == len(column))
