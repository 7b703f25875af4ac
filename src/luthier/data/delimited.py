"""CSV and TSV: a header, then rows with as many values as it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from luthier.data.ceilings import MOST_WRONG, check_columns
from luthier.data.csv_rows import Row, long_values, split_rows
from luthier.data.delimiter import DELIMITERS, check_delimiter, find_delimiter
from luthier.data.names import check_names
from luthier.data.problems import Problems, counted, shorten
from luthier.data.spill import BATCH_CHARACTERS, BATCH_ROWS, Spill, spilling
from luthier.data.table import Table
from luthier.data.text_files import TextFile
from luthier.data.writing import Writing
from luthier.errors import DataError, listing


def read_delimited(path: Path, writing: Writing) -> Table:
    """The rows of a CSV file. Every value is a string, the empty one too; a blank line is no row."""
    file, delimiter = TextFile.at(path, writing.encoding), writing.delimiter
    guesses = file.guesses
    with long_values():
        if delimiter is not None:
            delimiter = check_delimiter(delimiter)
        else:
            delimiter = find_delimiter(file)
            if delimiter != DELIMITERS[0]:
                found = f"{path}: its values are separated by {delimiter!r}"
                guesses += (f"{found}; --delimiter CHARACTER corrects it.",)
        return replace(read_rows(file, delimiter), guesses=guesses, encodings=(file.encoding,))


def read_tabbed(path: Path, writing: Writing) -> Table:
    return read_delimited(path, replace(writing, delimiter=writing.delimiter or "\t"))


def read_rows(file: TextFile, delimiter: str) -> Table:
    """Header and rows. Raises DataError for rows with more or fewer values than the header, all together."""
    rows = split_rows(file, delimiter)
    _, header = next(rows, (0, []))
    if not header:
        raise DataError(f"{file.path}: is empty. Expected a header with names of columns, and rows below it.")
    check_columns(file.path, len(header))
    names = check_names(file.path, [name.strip() for name in header])
    schema = pa.schema([(name, pa.string()) for name in names])
    ragged = Problems()
    with spilling(file.path) as spill:
        for batch in batches(rows, len(names), ragged):
            lay_out(batch, schema, spill)
        if ragged.count:
            share = f"{ragged.count:,} of {counted(spill.rows + ragged.count, 'row')}"
            raise DataError(
                f"{file.path}: the header has {counted(len(names), 'column')}, but the number of values "
                f"differs in {share}: {ragged}. "
                f"Put a value that holds {delimiter!r} or a line end between double quotes."
            )
        if not spill.rows:
            columns = listing(shorten(name) for name in names)
            raise DataError(f"{file.path}: has a header ({columns}) and no row below it. Add rows.")
        return spill.table()


def batches(rows: Iterator[Row], width: int, ragged: Problems) -> Iterator[list[Row]]:
    """Rows of the right width, in handfuls that fit memory; the others are noted in `ragged`."""
    batch: list[Row] = []
    characters = 0
    for row in rows:
        line, values = row
        if len(values) != width:
            if width == 1 or "".join(values).strip():  # else a line of blanks, or of delimiters only
                ragged.add(f"line {line} has {len(values)}")
                if ragged.count == MOST_WRONG:
                    break
            continue
        batch.append(row)
        characters += sum(map(len, values)) + width
        if len(batch) == BATCH_ROWS or characters > BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def lay_out(batch: Sequence[Row], schema: pa.Schema, spill: Spill) -> None:
    lines, rows = zip(*batch, strict=True)
    spill.write([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], schema, lines)
