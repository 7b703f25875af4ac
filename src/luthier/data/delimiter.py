"""Which character stands between the values of a delimited file."""

import csv
from collections.abc import Sequence

from luthier.data.text_files import TextFile
from luthier.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
"""In the order in which they win when they fit equally well."""

SAMPLE_CHARACTERS = 250_000


def find_delimiter(file: TextFile) -> str:
    """The delimiter that cuts the header, and most of the first rows into as many values as it.

    A header that none of them cuts is that of a single column; then the comma, as in RFC 4180.
    """
    with file.open() as text:
        lines = text.readlines(SAMPLE_CHARACTERS)
    return max(DELIMITERS, key=lambda delimiter: consistency(lines, delimiter))


def consistency(lines: Sequence[str], delimiter: str) -> float:
    """Share of rows with as many values as the header, in [0, 1]; 0 when the header is not cut.

    >>> lines = ["price;name", "1,5;a", "2,5;b"]
    >>> consistency(lines, ";"), consistency(lines, ",")
    (1.0, 0.0)
    """
    widths = []
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error:
            row = [""]  # Quotes do not fit this delimiter. (Or the sample ends within a value, then for all.)
        if row is None:
            break
        if row:
            widths.append(len(row))
    if not widths or widths[0] == 1:
        return 0.0
    return sum(width == widths[0] for width in widths) / len(widths)


def check_delimiter(delimiter: str) -> str:
    """The delimiter the user named; `\\t`, as shells hand it over, is a tab."""
    delimiter = "\t" if delimiter == "\\t" else delimiter
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DataError(
            f"data.delimiter: {delimiter[:20]!r} cannot separate values. "
            "Give one character that is neither a quote nor a line end, such as ',' ';' or '\\t'."
        )
    return delimiter
