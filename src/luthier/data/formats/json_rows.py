"""Rows that are JSON objects, laid out as columns.

Columns are the keys of all rows, in order of first appearance; a key that a row lacks is null there. For
their types see json_types; a number or boolean in a column that also has texts is kept as JSON writes it.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from luthier.data.formats.as_written import AS_WRITTEN, kept_as_written
from luthier.data.formats.json_types import Clash, Unwieldy, to_arrow, type_of, wider
from luthier.data.formats.spill import BATCH_CHARACTERS, BATCH_ROWS, Spill, spilling
from luthier.data.problems import Problems
from luthier.data.table import Table
from luthier.errors import DataError, counted, shorten

EXAMPLE = '{"text": "…", "label": "…"}'

FAULT = b"luthier: fault"
"""The key in a column's metadata under which the fault stands for which its values cannot be read as they are."""

LOOKED_AT = 200
"""Rows that are looked at for columns whose values are kept as they are written."""

Row = tuple[int, dict[str, Any], int]
"""A row's line (in a JSON list: its number, from 1), the row, and how many characters it was written in."""


def refuse_wrong_rows(path: Path, problems: Problems, rows: int) -> None:
    """Raise DataError unless a list has rows, and all of them are objects."""
    if problems.count:
        share = f"{problems.count:,} of {counted(rows, 'row')}"
        raise DataError(f"{path}: {share} cannot be read as a JSON object: {problems}. Expected {EXAMPLE}.")
    if not rows:
        raise DataError(f"{path}: holds a list without rows. Expected objects in it, such as {EXAMPLE}.")


def table_of(path: Path, rows: Callable[[], Iterator[Row]], unit: str) -> Table:
    """The table of the rows, through which each call of `rows` goes anew.

    unit: what the number of a row counts, "line" or "row".
    """
    kept = kept_as_written([row for _, row, _ in islice(rows(), LOOKED_AT)])
    rows = partial(with_json, rows, kept) if kept else rows
    try:
        try:
            table = laid_out(path, rows)
        except Clash:
            table = loosened(path, rows, unit)
        return marked(table, AS_WRITTEN, dict.fromkeys(kept & set(table.names), ""))
    except Unwieldy as unwieldy:
        raise DataError(f"{path}: {unwieldy}.") from None


def loosened(path: Path, rows: Callable[[], Iterator[Row]], unit: str) -> Table:
    """The table with each column whose values no type holds together as the text of JSON, the fault in its metadata.

    A form that knows such columns makes others of them; where none does, `data.shapes` refuses the file.
    """
    faults: dict[str, str] = {}

    def others() -> Iterator[Row]:
        return with_json(rows, faults)

    while True:
        try:
            table = laid_out(path, others)
        except Clash as clash:
            error, name = explained(path, others, unit)
            if name in faults:
                raise AssertionError("a column of texts that clash") from clash
            faults[name] = str(error)
            continue
        return marked(table, FAULT, faults)


def with_json(rows: Callable[[], Iterator[Row]], names: Collection[str]) -> Iterator[Row]:
    """The rows, with the values of some columns as JSON."""
    for number, row, size in rows():
        yield number, {name: as_json(value) if name in names else value for name, value in row.items()}, size


def marked(table: Table, key: bytes, values: Mapping[str, str]) -> Table:
    """The table with a word in the metadata of some columns. values: the words, by column."""
    if not values:
        return table
    fields = [
        field.with_metadata({key: values[field.name]}) if field.name in values else field
        for field in table.columns.schema
    ]
    return table.with_columns(table.columns.cast(pa.schema(fields)))


def as_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def laid_out(path: Path, rows: Callable[[], Iterator[Row]]) -> Table:
    known = pa.struct([])
    with spilling(path) as spill:
        known = lay_out(rows(), known, spill)
        if not known.num_fields:
            raise DataError(f"{path}: holds no row with a value. Expected objects such as {EXAMPLE}.")
        if spill.schema == pa.schema(list(known)):
            return spill.table()
    # A later batch brought a new column or a wider type. Now all are known: once more, from the start.
    with spilling(path) as spill:
        lay_out(rows(), known, spill)
        return spill.table()


def lay_out(rows: Iterable[Row], known: pa.StructType, spill: Spill) -> pa.StructType:
    """Write the batches that have the schema of the first; return the columns of all, added to `known`."""
    for batch in batches(rows):
        objects = [row for _, row, _ in batch]
        known = wider(known, type_of(objects))
        schema = pa.schema(list(known))
        if spill.schema is None or spill.schema == schema:
            columns = [to_arrow([row.get(field.name) for row in objects], field.type) for field in known]
            spill.write(columns, schema, [line for line, _, _ in batch])
    return known


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += row[2]
        if len(batch) == BATCH_ROWS or characters > BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def explained(path: Path, rows: Callable[[], Iterator[Row]], unit: str) -> tuple[DataError, str]:
    """The clash that was met, told with the first row where it shows and the first row it clashes with; and its column."""
    for _ in rows():
        pass  # Rows that are no objects are told first: this raises when there are some.
    known = pa.struct([])
    for number, row, _ in rows():
        try:
            own = type_of([row])
        except Clash as clash:
            return clashing(path, clash, f"on {unit} {number}", "there too"), column_of(clash, row)
        try:
            known = wider(known, own)
        except Clash:
            break
    for earlier, row, _ in rows():
        try:
            wider(type_of([row]), own)
        except Clash as clash:
            return clashing(path, clash, f"on {unit} {earlier}", f"on {unit} {number}"), column_of(clash, row)
    raise AssertionError("rows that clash together but not in pairs")


def column_of(clash: Clash, row: Mapping[str, Any]) -> str:
    """The column of a row that the path of a clash begins with."""
    within = [name for name in row if clash.where == name or clash.where.startswith((f"{name}.", f"{name}["))]
    return max(within, key=len)


def clashing(path: Path, clash: Clash, first: str, second: str) -> DataError:
    return DataError(
        f"{path}: column {shorten(clash.where)!r} holds {clash.first} {first} and {clash.second} {second}. "
        "Write the column in one form."
    )
