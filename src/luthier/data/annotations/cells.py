"""A column's values as lists and objects, whether they were read as such or stand as text in cells."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from luthier.data.annotations.literals import literal, looks_like_literal
from luthier.data.formats.json_rows import FAULT
from luthier.data.formats.json_types import Clash, Unwieldy, to_arrow, type_of
from luthier.data.table import Table
from luthier.errors import DataError, shorten

SNIFFED = 200
"""How many values that are not empty are looked at before all are read."""
BROKEN = 0.05
"""Largest share of texts that write out no value, in a column of lists or objects: they are refused by their rows."""
PIECE = 2_048
"""Rows that are read at a time."""


def field_type(table: Table, name: str) -> pa.DataType:
    return table.columns.schema.field(name).type


def is_text(table: Table, name: str) -> bool:
    kind = field_type(table, name)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_nested(table: Table, name: str) -> bool:
    return bool(pa.types.is_nested(field_type(table, name)))


def fault_of(table: Table, name: str) -> str | None:
    """The fault for which a column's values cannot be read as they are; None where there is none."""
    metadata = table.columns.schema.field(name).metadata or {}
    return metadata[FAULT].decode() if FAULT in metadata else None


def may_hold_objects(table: Table, name: str) -> bool:
    """Whether a column holds lists or objects, or texts that write them out, by its first values."""
    if name in table.layout.turns:
        return False  # they are in their own form already
    if is_nested(table, name) or fault_of(table, name) is not None:
        return True
    if not is_text(table, name):
        return False
    first = head(table, name)
    return bool(first) and sum(map(looks_like_literal, first)) >= (1 - BROKEN) * len(first)


def head(table: Table, name: str) -> list[Any]:
    """The first values of a column that hold something, wherever in it they stand."""
    return list(islice(filled(table, name), SNIFFED))


def filled(table: Table, name: str) -> Iterator[Any]:
    """The values of a column that are not empty."""
    for chunk in table.columns.column(name).chunks:
        for at in range(0, len(chunk), PIECE):
            for value in chunk.slice(at, PIECE).to_pylist():
                if value not in (None, [], "", {}) and not (isinstance(value, str) and value.isspace()):
                    yield value


def sniffed(table: Table, name: str) -> list[Any]:
    """The first values that are there, as lists and objects; none where not nearly all are some."""
    if not may_hold_objects(table, name):
        return []
    values = head(table, name)
    if is_nested(table, name):
        return values
    found, broken = [], 0
    for text in values:
        try:
            found.append(literal(text))
        except ValueError:
            broken += 1
    return found if broken <= BROKEN * len(values) else []


def objects(table: Table, name: str, what: str, rows: Sequence[int] | None = None) -> list[Any]:
    """The values of a column, all or of some rows, as lists and objects; None where there is none.

    what: a word for the values, for a message.  Raises DataError for a cell that cannot be read.
    """
    values = table.values(name, rows)
    if is_nested(table, name):
        return values
    found: list[Any] = []
    for row, text in zip(range(len(table)) if rows is None else rows, values, strict=True):
        if not isinstance(text, str):
            found.append(text)
            continue
        try:
            found.append(literal(text) if text.strip() else None)
        except ValueError as error:
            raise DataError(
                f"{table.place(row)}: column {name!r} holds {shorten(text)!r}, which cannot be read as {what} as the other "
                f"rows hold them: {error}. Correct it, or write the column as JSON."
            ) from None
    return found


def lists_in(table: Table, name: str, what: str) -> list[Any]:
    """The values of a column as lists, None where there is none. what: as in `objects`.  Raises DataError for what is no list."""
    return all_of(list, table, name, what)


def dicts_in(table: Table, name: str, what: str) -> list[Any]:
    """The values of a column as objects, None where there is none. what: as in `objects`.  Raises DataError for what is none."""
    return all_of(dict, table, name, what)


def all_of(kind: type, table: Table, name: str, what: str) -> list[Any]:
    found = objects(table, name, what)
    for row, value in enumerate(found):
        if value is not None and not isinstance(value, kind):
            raise DataError(
                f"{table.place(row)}: column {name!r} holds {shorten(repr(value))}, which cannot be read as {what} as the other "
                "rows hold them. Correct it, or write the column as JSON."
            )
    return found


def replaced(table: Table, name: str, values: Sequence[Any], kind: pa.DataType | None = None) -> Table:
    """The table with other values in a column, or with one more at the end."""
    array = pa.chunked_array([array_of(table, name, values, kind)])
    field = pa.field(name, array.type)
    if name in table.names:
        return table.with_columns(table.columns.set_column(table.names.index(name), field, array))
    return table.with_columns(table.columns.append_column(field, array))


def array_of(table: Table, name: str, values: Sequence[Any], kind: pa.DataType | None = None) -> pa.Array:
    try:
        known = kind is not None and not pa.types.is_null(kind)
        return to_arrow(values, kind if known else type_of(values, name))
    except (Clash, Unwieldy) as fault:
        found = f"{fault.first} and {fault.second}" if isinstance(fault, Clash) else str(fault)
        raise DataError(
            f"{table.files[0]}: column {name!r} holds {found} in one place. Write the column in one form."
        ) from None


def without(table: Table, *names: str) -> Table:
    """The table without some columns."""
    kept = [name for name in table.names if name not in names]
    return table.with_columns(table.columns.select(kept))
