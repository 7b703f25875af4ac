"""Lists that people edit in a spreadsheet, written so that it computes no cell, and read back as they were meant."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from luthier.data.formats.csv_rows import long_values
from luthier.data.formats.delimiter import DELIMITERS
from luthier.data.formats.text_files import TextFile
from luthier.errors import DataError

MARK = "'"
COMPUTED = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""How a cell begins that a spreadsheet may compute (OWASP, "CSV Injection"), or that begins like one with the mark before it."""
MARKED = r"^'('*[=+\-@\t\r\n＝＋－＠])"
"""How a cell begins that has the mark, for Arrow; group 1 is what stays."""


def defused(cell: object) -> str:
    """A cell that a spreadsheet shows as it is: one that it would compute gets an apostrophe before it.

    >>> defused("=1+1"), defused("'=1+1"), defused("it's")
    ("'=1+1", "''=1+1", "it's")
    """
    text = str(cell)
    return MARK + text if COMPUTED.match(text) else text


def as_written(cell: str) -> str:
    """The text that `defused` made a cell of.

    >>> as_written("'=1+1"), as_written("'tis"), as_written("=1+1")
    ('=1+1', "'tis", '=1+1')
    """
    return cell[1:] if cell.startswith(MARK) and COMPUTED.match(cell) else cell


def sheet(rows: Iterable[Sequence[object]]) -> str:
    """Rows, that of the names first, as CSV for a spreadsheet."""
    body = io.StringIO(newline="")
    usual = csv.writer(body, lineterminator="\n")
    careful = csv.writer(body, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        cells = [defused(cell) for cell in row]
        # The csv module puts no quotes around a lone carriage return, which ends a row all the same.
        (careful if any("\r" in cell for cell in cells) else usual).writerow(cells)
    return body.getvalue()


def read_sheet(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a list, as a person or a spreadsheet has saved it: in which encoding, and with which delimiter, is found.

    columns: those that it was written with.  Raises DataError where one of them is missing, or a row has other values.
    """
    file = TextFile.at(path, None)
    with long_values():
        try:
            with file.open() as text:
                head = next(text, "")
            delimiter = next((one for one in DELIMITERS if fits(head, one, columns)), None)
            if delimiter is None:
                raise DataError(
                    f"{path}: expected the columns {', '.join(columns)}. Write them back, or delete the file."
                )
            with file.open() as text:
                rows = csv.reader(text, delimiter=delimiter)
                names = [as_written(name) for name in next(rows)]
                return [
                    named(path, number, names, row) for number, row in enumerate(rows, start=1) if any(row)
                ]
        except csv.Error as error:
            raise DataError(
                f"{path}: cannot be read as CSV ({error}). Correct it, or delete the file."
            ) from None


def fits(head: str, delimiter: str, columns: Sequence[str]) -> bool:
    """Whether a delimiter cuts the first line into the names of the columns."""
    names = next(csv.reader([head], delimiter=delimiter), [])
    return set(columns) <= set(map(as_written, names))


def named(path: Path, number: int, names: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    if len(row) != len(names):
        missing = "".join(f": nothing in column {name!r}" for name in islice(names, len(row), len(row) + 1))
        raise DataError(
            f"{path}, row {number}: has {len(row)} values, and there are {len(names)} columns{missing}. Correct the row."
        )
    return {name: as_written(cell) for name, cell in zip(names, row, strict=True)}
