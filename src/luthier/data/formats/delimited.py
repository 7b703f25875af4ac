"""CSV and TSV files: a header, then rows with as many values as the header has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa

from luthier.data.formats.ceilings import MOST_WRONG, check_columns
from luthier.data.formats.csv_rows import Row, long_values, split_rows
from luthier.data.formats.delimiter import DELIMITERS, check_delimiter, find_delimiter
from luthier.data.formats.dialect import DOUBLE, QUOTINGS, Dialect, separator_line
from luthier.data.formats.header import SAMPLE_ROWS, Header, find_header
from luthier.data.formats.idle_columns import without_idle_columns
from luthier.data.formats.lines_above import refuse_lines_above
from luthier.data.formats.names import check_names
from luthier.data.formats.orange import HEADER_ROWS, Orange, orange
from luthier.data.formats.other_forms import refuse_no_table
from luthier.data.formats.padded import is_padded, unpadded
from luthier.data.formats.quoting import find_quoting
from luthier.data.formats.spill import BATCH_CHARACTERS, BATCH_ROWS, Spill, spilling
from luthier.data.formats.text_files import TextFile
from luthier.data.problems import Problems
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError, counted, listing, shorten

ALONE_CHARACTERS = 30
"""The most characters that a message shows of a line without a delimiter."""


@dataclass(frozen=True)
class Form:
    """The form of a delimited file, found, or as the user says."""

    file: TextFile
    dialect: Dialect
    header: Header
    guesses: tuple[str, ...]
    """Sentences on what was assumed, each with the setting that corrects it."""
    orange: Orange | None = None
    """What a table of Orange says about its columns in the two rows below their names; None for other tables."""
    padded: bool = False
    """Whether blanks stand around values, and lines are drawn between rows."""


def read_delimited(path: Path, writing: Writing) -> Table:
    """The rows of a CSV file. Every value is a string, the empty one too; a blank line is no row."""
    with long_values():
        form = find_form(path, writing)
        table = read_rows(form.file.path, form.header, rows_of(form), form.dialect.delimiter)
    table = replace(
        table,
        guesses=(*form.guesses, *table.guesses),
        encodings=(form.file.encoding,),
        headed=form.header.there,
    )
    if form.orange is not None:
        table = replace(table, layout=form.orange.layout(form.header.names))
    return without_idle_columns(table, [form.header.names[at] for at in form.header.nameless])


def find_form(path: Path, writing: Writing) -> Form:
    """How a file is written. Raises DataError where that is not to be told. To be called within `long_values`."""
    file = TextFile.at(path, writing.encoding)
    refuse_no_table(file)
    refuse_lines_above(file, writing.delimiter)
    dialect, guesses = find_dialect(file, writing)
    _, first = next(split_rows(file, dialect), (0, []))
    if not first:
        raise DataError(f"{path}: is empty. Expected a header with names of columns, and rows below it.")
    check_columns(path, len(first))
    rows = list(islice(split_rows(file, dialect), SAMPLE_ROWS))
    if (marks := orange(rows)) is not None:
        names = tuple(check_names(path, [name.strip() for name in rows[0][1]]))
        told = f"{path}: its second and third row are types and roles of columns, as Orange writes them, and no rows of data."
        header = Header(names, frozenset(), True, names, (told,))
        return Form(file, dialect, header, (*file.guesses, *guesses, told), marks)
    padded = is_padded(rows, dialect.delimiter)
    if padded:
        rows = list(unpadded(iter(rows)))
        guesses += (
            f"{path}: blanks around its values, and the lines drawn between rows, are no parts of them.",
        )
    header = find_header(path, rows)
    return Form(file, dialect, header, (*file.guesses, *guesses, *header.told), padded=padded)


def rows_of(form: Form) -> Iterator[Row]:
    """All rows of a file, the header too, without those that say something of its columns."""
    rows = split_rows(form.file, form.dialect)
    if form.padded:
        return unpadded(rows)
    if form.orange is None:
        return rows
    first, *_ = islice(rows, HEADER_ROWS)
    return chain([first], rows)


def find_dialect(file: TextFile, writing: Writing) -> tuple[Dialect, tuple[str, ...]]:
    """The dialect of a file, its delimiter and its quotes, as the user says or as it is found; and sentences on it."""
    with file.open() as lines:
        named = separator_line(next(lines, ""))
    told: list[str] = []
    if writing.delimiter is not None:
        delimiter = check_delimiter(writing.delimiter)
    elif named is not None:
        delimiter = check_delimiter(named)
    else:
        usual = "\t" if is_tabbed(file.path) else DELIMITERS[0]
        delimiter = find_delimiter(file, usual)
        if delimiter != usual:
            told.append(
                f"{file.path}: its values are separated by {delimiter!r}; --delimiter CHARACTER corrects it."
            )
    dialect = Dialect(delimiter, writing.quoting or DOUBLE, skipped=0 if named is None else 1)
    if writing.quoting is None:
        dialect, why = find_quoting(file, dialect)
        if why is not None:
            told.append(f"{file.path}: {why}; --quoting {'|'.join(QUOTINGS)} corrects it.")
    return dialect, tuple(told)


def is_tabbed(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith((".tsv", ".tab"))


def read_rows(path: Path, header: Header, rows: Iterator[Row], delimiter: str) -> Table:
    """All rows. Raises DataError for those with more or fewer values than the header, all together."""
    if header.there:
        next(rows)
    schema = pa.schema([(name, pa.string()) for name in header.names])
    ragged, alone, again = Problems(), Problems(), Problems()
    with spilling(path) as spill:
        for batch in batches(rows, header, ragged, alone, again):
            lay_out(batch, schema, spill)
        if ragged.count:
            others = f", and delete lines that are no rows: {alone}" if alone.count else ""
            share = f"{ragged.count:,} of {counted(spill.rows + ragged.count, 'row')}"
            raise DataError(
                f"{path}: the {'header' if header.there else 'first row'} has {counted(len(header.names), 'column')}, but the "
                f"number of values differs in {share}: {ragged}. "
                f"Put a value that holds {delimiter!r} or a line end between double quotes{others}."
            )
        if not spill.rows:
            columns = listing(shorten(name) for name in header.names)
            raise DataError(f"{path}: has a header ({columns}) and no row below it. Add rows.")
        table = spill.table()
    if again.count:
        told = f"{path}: the header stands there again, and is no row: {again}; remove it where it is meant as one."
        table = replace(table, guesses=(told,))
    return table


def batches(
    rows: Iterator[Row], header: Header, ragged: Problems, alone: Problems, again: Problems
) -> Iterator[list[Row]]:
    """Rows of the right width, in handfuls that fit memory; the others are noted in `ragged`, those of a single value in `alone`
    too, and in `again` the header."""
    batch: list[Row] = []
    characters, width = 0, len(header.names)
    for line, found in rows:
        values = header.fitted(found)
        if values is None:
            if width == 1 or "".join(found).strip():  # else a line of blanks, or of delimiters only
                ragged.add(f"line {line} has {len(found)}")
                if len(found) == 1 < width:
                    alone.add(f"line {line} may be none, {shorten(found[0].strip(), ALONE_CHARACTERS)!r}")
                if ragged.count == MOST_WRONG:
                    break
            continue
        if header.is_again(values):
            again.add(f"line {line}")
            continue
        batch.append((line, values))
        characters += sum(map(len, values)) + width
        if len(batch) == BATCH_ROWS or characters > BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def lay_out(batch: Sequence[Row], schema: pa.Schema, spill: Spill) -> None:
    lines, rows = zip(*batch, strict=True)
    spill.write([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], schema, lines)
