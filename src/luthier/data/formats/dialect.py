"""Dialects of delimited files: what separates values, what a quote is, which line comes first."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

DOUBLE, BACKSLASH, NONE = "double", "backslash", "none"
QUOTINGS = (DOUBLE, BACKSLASH, NONE)

SEPARATOR_LINE = re.compile(r'"?sep=(.|\\t)"?\r?\n?', re.IGNORECASE)
"""Excel's first line, which names the delimiter and is no row."""


@dataclass(frozen=True)
class Dialect:
    """Everything that must be known before a line can be cut into values."""

    delimiter: str
    quoting: str = DOUBLE
    """The way of quoting, one of `QUOTINGS`."""
    quote: str = '"'
    spaced: bool = False
    """Whether a space after a delimiter is no part of the value."""
    skipped: int = 0
    """Number of lines above the first row that are not rows."""

    def reader(self, lines: Iterable[str]) -> Any:
        """The csv module's reader of lines, those that are skipped among them."""
        lines = islice(lines, self.skipped, None)
        if self.quoting == NONE:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, strict=True)
        if self.quoting == BACKSLASH:
            return csv.reader(
                escaped(lines, self.delimiter), delimiter=self.delimiter, escapechar="\\", strict=True
            )
        return csv.reader(
            lines, delimiter=self.delimiter, quotechar=self.quote, skipinitialspace=self.spaced, strict=True
        )


def escaped(lines: Iterable[str], delimiter: str) -> Iterator[str]:
    r"""Lines in which a backslash escapes only what must be escaped: the csv module would drop it before any letter.

    >>> list(escaped(['"C:\\new \\"one\\""'], ","))
    ['"C:\\\\new \\"one\\""']
    """
    escape = re.compile(r"\\([\\\"\r\n" + re.escape(delimiter) + r"])?")
    for line in lines:
        yield escape.sub(lambda found: found[0] if found[1] else "\\\\", line) if "\\" in line else line


def separator_line(line: str) -> str | None:
    """The delimiter that a first line names, where it is one of Excel's that do.

    >>> separator_line("sep=;\\r\\n"), separator_line("text;label\\n")
    (';', None)
    """
    found = SEPARATOR_LINE.fullmatch(line)
    return None if found is None else "\t" if found[1] == "\\t" else found[1]
