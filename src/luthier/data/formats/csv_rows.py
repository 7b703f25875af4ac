"""CSV text cut into rows as RFC 4180 has it: quoted values hold delimiters, line ends and doubled quotes."""

import contextlib
import csv
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from luthier.data.formats.ceilings import MOST_ROW_CHARACTERS, long_row
from luthier.data.formats.dialect import Dialect
from luthier.data.formats.text_files import TextFile
from luthier.data.problems import Problems
from luthier.errors import DataError, counted, shorten

MOST_CHARACTERS = 1_000_000
"""The most characters of one value. A longer one is mostly a quote opened by mistake, which swallows the rest of the file."""

QUOTING = (
    'Quotes that belong to a text are doubled, and the text put between quotes: "say ""yes""". '
    "Where quotes are letters, --quoting none reads them so."
)

Row = tuple[int, list[str]]
"""The line, from 1, where a row begins, and its values."""

LIMIT = threading.Lock()


@contextlib.contextmanager
def long_values() -> Iterator[None]:
    """The csv module's limit on a value, which the whole process shares, set to ours for a while."""
    with LIMIT:
        before = csv.field_size_limit(MOST_CHARACTERS)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def split_rows(file: TextFile, dialect: Dialect) -> Iterator[Row]:
    """Each row that is not blank. Raises DataError for quotes that do not fit, at the end if it can."""
    misquoted = Problems()
    header: list[str] = []
    above = dialect.skipped
    begin = 1 + above
    with file.open() as text:
        lines = RowLines(file.path, text)
        reader = dialect.reader(lines)
        while True:
            try:
                for row in reader:
                    lines.held = 0
                    if row:
                        header = header or row
                        yield begin, row
                    begin = above + reader.line_num + 1
                break
            except csv.Error as error:
                if "expected after" not in str(
                    error
                ):  # a value without end, or nearly so: no row can follow it
                    if misquoted.count:
                        break
                    raise endless_value(
                        file, dialect.delimiter, header, begin, above + reader.line_num
                    ) from None
                end = above + reader.line_num
                misquoted.add(f"line {begin}" if begin == end else f"lines {begin} to {end}")
                begin, lines.held = end + 1, 0
    if misquoted.count:
        raise DataError(
            f"{file.path}: {counted(misquoted.count, 'row')} with text between a closing quote and the next "
            f"{dialect.delimiter!r}: {misquoted}. {QUOTING}"
        )


class RowLines:
    """The lines of a text, as long as the row that they belong to has an end."""

    def __init__(self, path: Path, lines: Iterator[str]) -> None:
        self.path = path
        self.lines = enumerate(lines, start=1)
        self.held = 0
        """Characters of the row up to now; whoever cuts the rows sets it back."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = next(self.lines)
        self.held += len(line)
        if self.held > MOST_ROW_CHARACTERS:
            raise long_row(self.path, f"the row that ends after line {number}")
        return line


def endless_value(file: TextFile, delimiter: str, header: Sequence[str], begin: int, end: int) -> DataError:
    """The error for the value at which the reader gave up, in the row on the lines `begin` to `end`."""
    with file.open() as text:
        lines = list(islice(text, begin - 1, end))
    line, position, length = last_value(lines, delimiter)
    column = shorten(header[position]) if position < len(header) else position + 1
    place = f"{file.path}, line {begin + line}, column {column!r}"
    if length > MOST_CHARACTERS:
        return DataError(
            f"{place}: a value is longer than {MOST_CHARACTERS:,} characters. "
            f"Shorten it, or see whether a quote opened it by mistake. {QUOTING}"
        )
    return DataError(f"{place}: a quote opens a value and is never closed. Close it. {QUOTING}")


def last_value(lines: Sequence[str], delimiter: str) -> tuple[int, int, int]:
    """Line, position and length of the first value of a row that is too long, or else of its last.

    Line and position count from 0; the length is that up to where it is too long.

    >>> last_value(['a,"b\\n', 'c ""d"" e",f,"g\\n', 'h\\n'], ",")
    (1, 3, 5)
    """
    begin = position = length = 0
    quoted = closed = False
    for number, line in enumerate(lines):
        for character in line:
            if quoted:
                quoted, closed = character != '"', character == '"'
            elif character == '"' and (closed or not length):  # the second of a pair, or the one that opens
                quoted, closed = True, False
            elif character == delimiter:
                begin, position, length, closed = number, position + 1, 0, False
                continue
            length += 1
            if length > MOST_CHARACTERS + 1:  # the opening quote was counted
                return begin, position, length
    return begin, position, length
