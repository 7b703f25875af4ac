"""Lines above the header that are neither header nor row: a title, comments, what a program says of its export."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from luthier.data.column_names import normal
from luthier.data.formats.delimiter import (
    DELIMITERS,
    RARE,
    SAMPLE_CHARACTERS,
    best_consistency,
    check_delimiter,
)
from luthier.data.formats.dialect import Dialect, separator_line
from luthier.data.formats.header import FEWEST_ROWS, KNOWN, has_row_names
from luthier.data.formats.text_files import TextFile
from luthier.errors import DataError, counted, shorten

MOST_ABOVE = 50
"""The most lines above a header that are looked for."""
AGREE = 0.9
"""A width is the table's when at least this share of the rows have it."""


FITS = 0.5
"""The first row is the header when more than this share of the rows fit it, in whatever way values are quoted."""


@dataclass(frozen=True)
class Body:
    """Where the rows of a table begin, below something else."""

    line: int
    width: int
    delimiter: str
    first_width: int
    """Number of values of the file's first line."""


def refuse_lines_above(file: TextFile, delimiter: str | None) -> None:
    """Raise DataError where nearly all rows agree on another number of values than the first lines of a file.

    delimiter: as the user names it.
    """
    with file.open() as text:
        lines = text.readlines(SAMPLE_CHARACTERS)
    if separator_line("".join(lines[:1])) is not None:
        return
    found = body_below(lines, (*DELIMITERS, *RARE) if delimiter is None else (check_delimiter(delimiter),))
    if found is None:
        return
    above = next(line.strip() for line in lines if line.strip())
    raise DataError(
        f"{file.path}: line {found.line} and nearly all below it have {found.width} values, parted by {found.delimiter!r}, but "
        f"the file begins with a line of {counted(found.first_width, 'value')}, {shorten(above)!r}: what stands above line "
        f"{found.line} is no header. Delete the {counted(found.line - 1, 'line')} above it, or "
        f"write them with {found.delimiter!r} where one is a header."
    )


def body_below(lines: Sequence[str], delimiters: Sequence[str]) -> Body | None:
    """Where rows begin that agree, if they do not with the first one; None where the first row is their header by its width."""
    found: list[tuple[float, Body]] = []
    for delimiter in delimiters:
        rows = list(cut(lines, delimiter))
        if len(rows) <= FEWEST_ROWS:
            return None
        first, below = rows[0][1], rows[1:]
        if any(normal(name) in KNOWN for name in first):
            return None
        values_below = [values for _, values in below]
        if len(first) > 1 and (
            best_consistency(lines, delimiter) > FITS
            or sum(fits(first, values) for values in values_below) > FITS * len(below)
            or has_row_names(first, values_below)
        ):
            return None
        width, _ = Counter(len(values) for _, values in below).most_common(1)[0]
        at = next(number for number, (_, values) in enumerate(rows) if len(values) == width)
        share = sum(len(values) == width for _, values in rows[at:]) / len(rows[at:])
        if width > 1 and 0 < at <= MOST_ABOVE and share >= AGREE and len(rows) - at >= FEWEST_ROWS:
            found.append((share, Body(rows[at][0], width, delimiter, len(first))))
    return max(found, key=lambda one: one[0])[1] if found else None


def cut(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of some lines that are not blank, as far as they can be cut, each with the number of its first line."""
    reader, begin = Dialect(delimiter).reader(lines), 1
    while True:
        try:
            for values in reader:
                if any(map(str.strip, values)):
                    yield begin, values
                begin = reader.line_num + 1
            return
        except csv.Error:
            begin = reader.line_num + 1


def fits(first: Sequence[str], values: Sequence[str]) -> bool:
    """Whether a row can stand below a header: as wide, or wider or narrower by what is empty at its end.

    >>> fits(["text", "label"], ["a", "b", ""]), fits(["text", "label", ""], ["a", "b"]), fits(["text"], ["a", "b"])
    (True, True, False)
    """
    least = max((at + 1 for at, name in enumerate(first) if name.strip()), default=1)
    return least <= len(values) <= len(first) or (
        len(values) > len(first) and not any(map(str.strip, values[len(first) :]))
    )
