"""Finding the delimiter of a delimited file, the character between its values."""

import csv
import re
from collections.abc import Sequence

from luthier.data.formats.dialect import BACKSLASH, NONE, Dialect
from luthier.data.formats.text_files import TextFile
from luthier.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
"""The usual delimiters; among those that fit equally well, the first one wins."""

RARE = ("^", "~", "\x01", "\x1f", "¦", "§")
"""Delimiters that are looked for where none of the usual ones cuts the first line."""
LONG = ("::", "@@", "##")
"""Separators of several characters that some files have."""
BLANKS = re.compile(r"\S(?: {2,}|\t{2,})(?=\S)")

SAMPLE_CHARACTERS = 250_000


def find_delimiter(file: TextFile, usual: str) -> str:
    """The delimiter that cuts the first row, and most of those after it into as many values as it.

    A first row that none of them cuts is that of a single column; then `usual`. Raises DataError where the lines are
    parted by more than one character.
    """
    with file.open() as text:
        lines = text.readlines(SAMPLE_CHARACTERS)
    if usual == "\t" and lines and usual in lines[0]:
        return usual
    likely = (usual, *(one for one in DELIMITERS if one != usual))
    shares = {delimiter: best_consistency(lines, delimiter) for delimiter in likely}
    best = max(likely, key=shares.__getitem__)
    refuse_long(file, lines, shares[best])
    if shares[best]:
        return best
    return next((one for one in RARE if len(lines) > 1 and best_consistency(lines, one) == 1), usual)


def refuse_long(file: TextFile, lines: Sequence[str], share: float) -> None:
    """Raise DataError where each line is cut alike by several characters, and less alike by each single one."""
    filled = [line for line in lines if line.strip()]
    if len(filled) < 2 or share == 1:
        return
    counts = {f"{words!r}": {line.count(words) for line in filled} for words in LONG}
    counts["several blanks"] = {len(BLANKS.findall(line)) for line in filled}
    for words, found in counts.items():
        if len(found) == 1 and found != {0}:
            raise DataError(
                f"{file.path}: the values of each line are parted by {words}, and a delimiter is one character. Write the file "
                "with commas or tabs between its values."
            )


def best_consistency(lines: Sequence[str], delimiter: str) -> float:
    """Consistency in the way of quoting that makes it greatest."""
    ways = [
        Dialect(delimiter),
        Dialect(delimiter, spaced=True),
        Dialect(delimiter, NONE),
        Dialect(delimiter, quote="'"),
    ]
    if any('\\"' in line for line in lines):
        ways.append(Dialect(delimiter, BACKSLASH))
    return max(consistency(lines, way) for way in ways)


def consistency(lines: Sequence[str], dialect: Dialect) -> float:
    """Share of rows with as many values as the header, in [0, 1]; 0 when the header is not cut.

    >>> lines = ["price;name", "1,5;a", "2,5;b"]
    >>> consistency(lines, Dialect(";")), consistency(lines, Dialect(","))
    (1.0, 0.0)
    """
    widths = []
    reader = dialect.reader(lines)
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
