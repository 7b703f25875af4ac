"""Whether the first row of a delimited file names the columns, and what those are called that it does not name."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from luthier.data.column_names import normal
from luthier.data.columns import LABEL_NAMES, NEVER_LABELS, TEXT_NAMES
from luthier.data.csv_rows import Row
from luthier.data.names import check_names
from luthier.data.problems import shorten
from luthier.data.quoting import is_number
from luthier.errors import DataError, listing

SAMPLE_ROWS = 2_000
FEWEST_ROWS = 10
"""Rows below the first from which on values that recur say something."""
ALIKE = 0.9
"""Share of a column's values that are of one kind, where it is a column of that kind."""
FEW_VALUES = 0.5
"""Different values for each value, at most, of a column whose values recur."""
LONG_TEXT = 6
"""Words of a first value that is hardly a name."""

DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}:\d{2}(:\d{2})?.*"
    r"|(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? .*\d.*",
    re.IGNORECASE,
)
YEARS = range(1_800, 2_200)
KNOWN = frozenset((*TEXT_NAMES, *LABEL_NAMES, *NEVER_LABELS))


@dataclass(frozen=True)
class Header:
    """The columns of a delimited file, by their position."""

    names: tuple[str, ...]
    nameless: frozenset[int]
    """Positions that the file does not name; they are called `column 3` and so on."""
    there: bool
    """Whether the first row is a header, not a row."""
    first: tuple[str, ...]
    """That row."""
    told: tuple[str, ...] = ()

    def is_again(self, values: Sequence[str]) -> bool:
        """Whether a row is the header once more, as where files were put one below the other."""
        return self.there and len(values) > 1 and tuple(value.strip() for value in values) == self.first

    @property
    def least(self) -> int:
        """Values that a row must have: without those of nameless columns at the end."""
        if not self.there:
            return len(self.names)
        return max((at + 1 for at in range(len(self.names)) if at not in self.nameless), default=1)

    def fitted(self, values: list[str]) -> list[str] | None:
        """The values of a row, one for each column; None where there are too few or too many.

        Delimiters at the end of a line, with nothing behind them, are no values.
        """
        width = len(self.names)
        if len(values) == width:
            return values
        if len(values) > width and any(map(str.strip, values)) and not any(map(str.strip, values[width:])):
            return values[:width]
        if self.least <= len(values) < width and any(map(str.strip, values)):
            return values + [""] * (width - len(values))
        return None


def find_header(path: Path, rows: Sequence[Row]) -> Header:
    """The header of a file by its first rows. Raises DataError where it is not to be told whether there is one, or its names
    are no names.

    rows: of a file that is not empty; the first may be the header.
    """
    first, below = [value.strip() for value in rows[0][1]], [values for _, values in rows[1:]]
    if has_row_names(first, below):
        first = ["", *first]
    for_header, against = evidence(first, below)
    if against and for_header:
        raise DataError(
            f"{path}: it is not clear whether the first row is a header: {against[0]}, but {for_header[0]}. Put a header "
            "above it with a name for each column, or correct that value."
        )
    if against:
        names = tuple(f"column {number}" for number in range(1, len(first) + 1))
        told = (
            f"{path}: has no header, as {against[0]}: its columns are called {listing(names, 3)}; "
            "a first line with their names corrects it."
        )
        return Header(names, frozenset(), False, tuple(first), (told,))
    nameless = frozenset(at for at, name in enumerate(first) if not name)
    if len(nameless) == len(first):
        raise DataError(f"{path}: the header has no name for any column. Name them.")
    names = tuple(name or f"column {at + 1}" for at, name in enumerate(first))
    return Header(tuple(check_names(path, names)), nameless, True, tuple(first))


def evidence(first: Sequence[str], below: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """What says that the first row is a header, and what says that it is a row, in words; neither is a header too."""
    known = any(normal(value) in KNOWN for value in first)
    rows = [
        values
        for values in below
        if len(values) >= len(first) and not (known and list(values) == list(first))
    ]
    if not rows or first == [str(number) for number in range(len(first))] or twice(first):
        return [], []
    header, row, weak = [], [], []
    for at, value in enumerate(first):
        values = [filled for values in rows if (filled := values[at].strip())]
        if not value or not values:
            continue
        place = f"column {at + 1}"
        common, share = Counter(map(kind_of, values)).most_common(1)[0]
        if common != "text" and share > ALIKE * len(values):
            if kind_of(value) == common and not is_lone_year(value, values):
                row.append(f"{shorten(value, 30)!r} is a {common} in {place} as below it")
            elif kind_of(value) == "text":
                header.append(f"{shorten(value, 30)!r} stands above {common}s in {place}")
            continue
        counts = Counter(values)
        if len(values) >= FEWEST_ROWS and len(counts) <= FEW_VALUES * len(values):
            if value in counts:
                row.append(f"{shorten(value, 30)!r} stands again below it in {place}")
            elif min(counts.values()) > 1 or normal(value) in KNOWN:
                header.append(f"{shorten(value, 30)!r} stands nowhere below it in {place}")
        elif normal(value) in KNOWN:
            header.append(f"{shorten(value, 30)!r} is a name that columns have")
        elif is_text_among_texts(value, values):
            weak.append(f"{shorten(value, 30)!r} is a text in {place} as below it")
    return header, row or ([] if header else weak)


def has_row_names(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether each row has a number of its own before the columns that are named, as R writes tables."""
    if len(first) < 2 or not below or any(len(values) != len(first) + 1 for values in below):
        return False
    numbers = {values[0] for values in below}
    return len(numbers) == len(below) and all(map(str.isdecimal, numbers))


def twice(first: Sequence[str]) -> bool:
    """Whether a name stands there twice, and all are short: a header that is wrong, rather than none."""
    return len(set(first)) < len(first) and all(
        value and not is_number(value) and len(value.split()) < LONG_TEXT for value in first
    )


def kind_of(value: str) -> str:
    """
    >>> kind_of("4.5"), kind_of("2024-01-31 08:00"), kind_of("good")
    ('number', 'date', 'text')
    """
    if is_number(value):
        return "number"
    return "date" if DATE.fullmatch(value) else "text"


def is_lone_year(value: str, values: Sequence[str]) -> bool:
    """Whether a number is a year, as columns of numbers are called, and those below it are none."""
    return is_year(value) and 2 * sum(map(is_year, values)) < len(values)


def is_year(value: str) -> bool:
    return value.isdecimal() and len(value) == 4 and int(value) in YEARS


def is_text_among_texts(value: str, values: Sequence[str]) -> bool:
    """Whether a value is as long as the texts below it, and too long for a name."""
    words = sorted(len(one.split()) for one in values)
    letters = sorted(map(len, values))
    middle = len(values) // 2
    return len(value.split()) >= max(LONG_TEXT, words[middle] / 2) and 2 * len(value) >= letters[middle]
