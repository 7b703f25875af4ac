"""The header of a delimited file: whether the first row names the columns, and names for those that it does not."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from luthier.data.column_names import normal
from luthier.data.formats.csv_rows import Row
from luthier.data.formats.names import check_names
from luthier.data.formats.quoting import is_number
from luthier.data.known_names import LABEL_NAMES, NEVER_LABELS, TEXT_NAMES
from luthier.data.marks import mark_of
from luthier.errors import DataError, listing, shorten

SAMPLE_ROWS = 2_000
SAMPLE_VALUES = 400_000
"""The most values that are looked at, over all columns: a very wide table is judged by fewer rows."""
FEWEST_ROWS = 10
"""Fewest rows below the first with which values that recur say something."""
ALIKE = 0.9
"""A column is of one kind when at least this share of its values are."""
FEW_VALUES = 0.5
"""A column's values recur when at most this share of them are distinct."""
MANY_TIMES = 5
"""Values for each different one, from which on one that never recurs is none of them."""
SELDOM = 0.1
"""Share of values that occur once, below which one that does is likelier a name."""
ASKED = (
    "Put a header with a name for each column, such as text and label, above the rows, or in the place of the first row where "
    "that is one."
)
MOST_WORDS_OF_A_NAME = 3
LONG_TEXT = 5
"""A first value of so many words is hardly a name."""

DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}:\d{2}(:\d{2})?.*"
    r"|(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? .*\d.*",
    re.IGNORECASE,
)
YEARS = range(1_800, 2_200)
OF_WORDS = ("word", "token", "pos", "lemma", "sentence_#", "ner", "ner_tag", "iob", "bio")
"""Names of columns of tables that have a word on each row."""
KNOWN = frozenset((*OF_WORDS, *TEXT_NAMES, *LABEL_NAMES, *NEVER_LABELS))


@dataclass(frozen=True)
class Header:
    """The columns of a delimited file, by their position."""

    names: tuple[str, ...]
    nameless: frozenset[int]
    """Positions of columns without a name in the file; they are called `column 3` and so on."""
    there: bool
    """Whether the first row is a header, not a row."""
    first: tuple[str, ...]
    """The values of the first row."""
    told: tuple[str, ...] = ()

    def is_again(self, values: Sequence[str]) -> bool:
        """Whether a row is the header once more, as where files were put one below the other."""
        if not self.there or len(values) < 2 or values[-1].strip() != self.first[-1]:
            return False
        return tuple(value.strip() for value in values) == self.first

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
    below = below[: max(FEWEST_ROWS, SAMPLE_VALUES // max(len(first), 1))]
    if has_row_names(first, below):
        first = ["", *first]
    found = evidence(first, below)
    despite: tuple[str, ...] = ()
    if (again := found.overruled(first)) is not None:
        despite = (
            f"{path}: its first row is read as a header, as {found.header[0]}, though {again}; a header above it corrects it.",
        )
        found = replace(found, row=[])
    if found.unclear(len(first), len(below)):
        raise DataError(
            f"{path}: it is not clear whether the first row is a header, {found.words(first)}. {ASKED}"
        )
    if found.is_row:
        names = tuple(f"column {number}" for number in range(1, len(first) + 1))
        told = (
            f"{path}: has no header, as {found.words(first)}: its columns are called {listing(names, 3)}; "
            "a first line with their names corrects it."
        )
        empty = frozenset(at for at, value in enumerate(first) if not value)
        return Header(names, empty, False, tuple(first), (told,))
    nameless = frozenset(at for at, name in enumerate(first) if not name)
    if len(nameless) == len(first):
        raise DataError(f"{path}: the header has no name for any column. Name them.")
    names = tuple(name or f"column {at + 1}" for at, name in enumerate(first))
    return Header(tuple(check_names(path, names)), nameless, True, tuple(first), despite)


@dataclass
class Evidence:
    """Evidence, in words, on whether a first row is a header, or a row like the others."""

    header: list[str] = field(default_factory=list)
    row: list[str] = field(default_factory=list)
    perhaps_header: list[str] = field(default_factory=list)
    perhaps_row: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    """Those entries of `row` that stand for values which occur again below."""
    unlike: int = 0
    """Values of another kind or form than those below them, which stand for no missing value."""
    named: bool = False
    """Whether the first row is known to be a header, so that nothing need be weighed."""

    def overruled(self, first: Sequence[str]) -> str | None:
        """What speaks for a row, where it is but one value that stands again, as a name may, and more speaks for a header."""
        if len(self.row) != 1 or self.row != self.again:
            return None
        names = sum(normal(value) in KNOWN for value in first)
        return self.row[0] if self.header and (names > 1 or self.unlike) else None

    @property
    def is_row(self) -> bool:
        return bool(self.row) or (not self.header and bool(self.perhaps_row))

    def unclear(self, columns: int, rows: int) -> bool:
        """Whether as much speaks for a header as against it, or nothing at all where there are rows enough to tell."""
        if self.header or self.row:
            return bool(self.header) and bool(self.row)
        if self.perhaps_header or self.perhaps_row:
            return bool(self.perhaps_header) and bool(self.perhaps_row)
        return not self.named and columns > 1 and rows >= FEWEST_ROWS

    def words(self, first: Sequence[str]) -> str:
        """The evidence as a sentence."""
        against, for_header = (self.row or self.perhaps_row)[:1], (self.header or self.perhaps_header)[:1]
        if not self.unclear(0, 0):
            return against[0] if against else shorten(repr(", ".join(first)))
        return ", but ".join(against + for_header)


def evidence(first: Sequence[str], below: Sequence[Sequence[str]]) -> Evidence:
    """The evidence of a first row's values, compared with those below them."""
    known = any(normal(value) in KNOWN for value in first)
    rows = [
        values
        for values in below
        if len(values) >= len(first) and not (known and list(values) == list(first))
    ]
    if not rows or is_numbered(first) or twice(first):
        return Evidence(named=True)
    found = Evidence()
    for at, value in enumerate(first):
        values = [filled for values in rows if (filled := values[at].strip())]
        if value and values:
            weigh_column(found, value, values, f"column {at + 1}")
    return found


def weigh_column(found: Evidence, value: str, values: Sequence[str], place: str) -> None:
    """Add what the first value of one column shows beside the others."""
    shown = repr(shorten(value, 30))
    enough = len(values) >= FEWEST_ROWS
    common, share = Counter(map(kind_of, values)).most_common(1)[0]
    if common != "text" and share > ALIKE * len(values):
        if kind_of(value) == common and not is_lone_year(value, values):
            found.row.append(f"{shown} is a {common} in {place} as below it")
        elif kind_of(value) == "text":
            found.header.append(f"{shown} stands above {common}s in {place}")
            found.unlike += mark_of(value) is None
        return
    pattern, alike = Counter(map(pattern_of, values)).most_common(1)[0]
    if "#" in pattern and alike > ALIKE * len(values) and enough:
        if pattern_of(value) == pattern:
            found.row.append(f"{shown} is of the form of those below it in {place}")
        else:
            found.header.append(f"{shown} is not of the form of those below it in {place}")
            found.unlike += mark_of(value) is None and len(value.split()) < MOST_WORDS_OF_A_NAME
        return
    counts = Counter(values)
    if enough and len(counts) <= FEW_VALUES * len(values):
        alone = sum(count == 1 for count in counts.values())
        if value in counts:
            found.row.append(f"{shown} stands again below it in {place}")
            found.again.append(found.row[-1])
        elif normal(value) in KNOWN or (not alone and len(values) >= MANY_TIMES * len(counts)):
            found.header.append(f"{shown} stands nowhere below it in {place}")
        elif alone < SELDOM * len(values):
            found.perhaps_header.append(f"{shown} stands nowhere below it in {place}")
    elif normal(value) in KNOWN:
        found.header.append(f"{shown} is a name that columns have")
    elif is_text_among_texts(value, values):
        found.perhaps_row.append(f"{shown} is a text in {place} as below it")
    elif is_shorter(value, values):
        found.perhaps_header.append(f"{shown} is shorter than the texts below it in {place}")


def has_row_names(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether each row has a number of its own before the columns that are named, as R writes tables."""
    if len(first) < 2 or not below or any(len(values) != len(first) + 1 for values in below):
        return False
    numbers = {values[0] for values in below}
    return len(numbers) == len(below) and all(map(str.isdecimal, numbers))


def is_numbered(first: Sequence[str]) -> bool:
    """Whether a header numbers its columns, as pandas does where they have no names."""
    return list(first) == [str(number) for number in range(len(first))]


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


def pattern_of(value: str) -> str:
    """A value with a sign for each number in it.

    >>> pattern_of("intent_21"), pattern_of("img/0007.jpg")
    ('intent_#', 'img/#.jpg')
    """
    return re.sub(r"\d+", "#", value)


def is_shorter(value: str, values: Sequence[str]) -> bool:
    """Whether a value is shorter than nearly all of the texts below it, as a name is."""
    return sum(len(one) > len(value) for one in values) > 0.95 * len(values) and sum(
        map(len, values)
    ) > 2 * len(value) * len(values)


def is_text_among_texts(value: str, values: Sequence[str]) -> bool:
    """Whether a value is as long as the texts below it, and too long for a name."""
    words = sorted(len(one.split()) for one in values)
    letters = sorted(map(len, values))
    middle = len(values) // 2
    return len(value.split()) >= max(LONG_TEXT, words[middle] / 2) and 2 * len(value) >= letters[middle]
