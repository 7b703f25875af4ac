"""Finding what a quote is in a delimited file, by reading all of it in each way and seeing which way gives whole rows."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from luthier.data.formats.dialect import BACKSLASH, DOUBLE, NONE, Dialect
from luthier.data.formats.text_files import TextFile
from luthier.errors import DataError, counted

FEWEST_ROWS = 5
"""Fewest rows from which a column is known to have few distinct values."""
MOST_VALUES = 1_000
"""The most distinct values of a column that are remembered."""
KNOWN_ROWS = 20_000
"""The most rows whose values are remembered."""
KNOWN_COLUMNS = 100
"""The most columns whose values are remembered."""
MOST_SUSPECTS = 200
"""The most rows over several lines that are looked at line by line."""
MOST_LINES = 2_000
"""The most lines of such a row that are looked at."""
ENOUGH_COLUMNS = 4
"""Fewest columns with which a line of text hardly ever has as many delimiters by chance."""

SINGLE = "values stand between single quotes"
SPACED = "a space follows each delimiter"

Suspect = tuple[int, list[str]]
"""The line where a row begins, and its lines."""


@dataclass
class Marks:
    """Counts of where one kind of quote stands in values."""

    quote: str
    wrapped: int = 0
    """Number of values between two quotes."""
    doubled: int = 0
    """Number of the `wrapped` values that hold quotes inside, all of them doubled."""
    one_sided: int = 0
    """Number of values with a quote at one end only."""
    opened: int = 0
    """Number of the `one_sided` values that begin with the quote."""
    bare: int = 0
    """Number of values with quotes only inside."""

    def note(self, value: str) -> None:
        if self.quote not in value:
            return
        first, last = value[0] == self.quote, value[-1] == self.quote and len(value) > 1
        self.wrapped += first and last
        self.one_sided += first != last
        self.opened += first and not last
        self.bare += not first and not last
        inside = value[1:-1]
        self.doubled += (
            first and last and self.quote in inside and self.quote not in inside.replace(self.quote * 2, "")
        )

    @property
    def met(self) -> int:
        return self.wrapped + self.one_sided

    @property
    def only_around(self) -> bool:
        """Whether all that have it are between two, and those that would need it doubled have it so."""
        return not self.bare and not self.one_sided and self.doubled > 0


@dataclass
class Seen:
    """Counts from reading a whole file in one way of quoting."""

    width: int = 0
    """Number of values of the first row."""
    least: int = 0
    """Number of values of the first row, up to the last that is not empty."""
    rows: int = 0
    misfits: int = 0
    """Number of rows with more or fewer values than the first."""
    faults: int = 0
    """Number of rows in which quotes do not fit."""
    spaced: int = 0
    """Number of rows in which each value but the first begins with a space."""
    double: Marks = field(default_factory=lambda: Marks('"'))
    single: Marks = field(default_factory=lambda: Marks("'"))
    """Where quotes that are read as letters stand."""
    values: list[Counter[str]] = field(default_factory=list)
    """Counts of the values of each column, over rows that are a single line."""
    suspects: list[Suspect] = field(default_factory=list)
    """Rows over several lines."""

    @property
    def clean(self) -> bool:
        return not self.misfits and not self.faults and self.rows > 0


def find_quoting(file: TextFile, dialect: Dialect) -> tuple[Dialect, str | None]:
    """The dialect with the way of quoting that gives whole rows, and why where it is not the usual one.

    Quotes are doubled, as RFC 4180 has it, unless that breaks rows and another way breaks none. Raises DataError where rows
    seem to be swallowed and no other way reads them all.
    """
    if not any(holds(file, words) for words in (dialect.quote, "'", f"{dialect.delimiter} ")):
        return dialect, None
    usual = look(file, dialect)
    swallowed = [one for one in usual.suspects if is_swallowed(one[1], usual, dialect)]
    single, spaced = replace(dialect, quote="'"), replace(dialect, spaced=True)
    if usual.clean and not swallowed:
        if usual.single.only_around and fits(file, single):
            return single, SINGLE
        return (spaced, SPACED) if usual.spaced and usual.spaced == usual.rows else (dialect, None)
    if holds(file, '\\"') and fits(file, replace(dialect, quoting=BACKSLASH)):
        return replace(dialect, quoting=BACKSLASH), "quotes inside of values follow a backslash"
    if holds(file, f'{dialect.delimiter} "') and fits(file, spaced):
        return spaced, SPACED
    letters = look(file, replace(dialect, quoting=NONE))
    if not letters.single.bare and letters.single.met and fits(file, single):
        return single, SINGLE
    by_lines = len(usual.suspects) > len(swallowed)
    if letters.clean and not by_lines and letters.double.one_sided >= max(2, letters.double.wrapped):
        return replace(
            dialect, quoting=NONE
        ), "quotes are letters: as signs around values they would break rows"
    if swallowed:
        raise DataError(swallowing(file, swallowed))
    return dialect, None


def fits(file: TextFile, dialect: Dialect) -> bool:
    """Whether a way of reading gives whole rows, none of them swallowed."""
    seen = look(file, dialect)
    return seen.clean and not any(is_swallowed(lines, seen, dialect) for _, lines in seen.suspects)


def holds(file: TextFile, words: str) -> bool:
    with file.open() as lines:
        return any(words in line for line in lines)


def look(file: TextFile, dialect: Dialect) -> Seen:
    """Read a file to its end in one way, and count what comes of it."""
    seen = Seen()
    raw: list[str] = []
    with file.open() as lines:
        reader = dialect.reader(remembered(lines, raw))
        begin = 1 + dialect.skipped
        while True:
            try:
                row = next(reader, None)
            except csv.Error:
                seen.faults += 1
                row = []
            if row is None:
                return seen
            if row:
                note(seen, row, raw, begin, dialect)
            begin = 1 + dialect.skipped + reader.line_num
            raw.clear()


def remembered(lines: Iterable[str], raw: list[str]) -> Iterator[str]:
    """Lines, each also kept in `raw`, until that is too long."""
    for line in lines:
        if len(raw) <= MOST_LINES:
            raw.append(line)
        yield line


def note(seen: Seen, row: Sequence[str], raw: Sequence[str], begin: int, dialect: Dialect) -> None:
    if not seen.width:
        seen.width, seen.values = len(row), [Counter() for _ in row[:KNOWN_COLUMNS]]
        seen.least = max((at + 1 for at, value in enumerate(row) if value.strip()), default=1)
        return
    if (
        not seen.rows and len(row) == seen.width + 1 > 2 and row[0].isdecimal()
    ):  # R names no column of row numbers
        seen.width, seen.values = len(row), [Counter() for _ in row[:KNOWN_COLUMNS]]
    if not seen.least <= len(row) <= seen.width and (
        seen.width == 1 or any(map(str.strip, row[seen.width :] or row))
    ):
        seen.misfits += 1
        return
    seen.rows += 1
    seen.spaced += row[-1][:1] == " " and len(row) > 1 and all(value[:1] == " " for value in row[1:])
    for marks in (seen.single, seen.double) if dialect.quoting == NONE else (seen.single,):
        if any(marks.quote in line for line in raw):
            for value in row:
                marks.note(value)
    if len(raw) > 1:
        if len(seen.suspects) < MOST_SUSPECTS:
            seen.suspects.append((begin, list(raw)))
        return
    if seen.rows > KNOWN_ROWS:
        return
    for value, counts in zip(row, seen.values, strict=False):
        if value in counts or len(counts) < MOST_VALUES:
            counts[value] += 1


def is_swallowed(lines: Sequence[str], seen: Seen, dialect: Dialect) -> bool:
    """Whether most lines of a row look like rows of their own: not the pieces of a text, but what a stray quote swallowed."""
    if any(dialect.quote * 2 in line for line in lines):
        return False  # Who doubles quotes does not forget to close one.
    filled = [line.rstrip("\r\n") for line in lines if line.strip()]
    whole = sum(is_row(line.split(dialect.delimiter), seen, dialect) for line in filled)
    return whole > 1 and 2 * whole > len(filled)


def is_row(values: Sequence[str], seen: Seen, dialect: Dialect) -> bool:
    """Whether a line cut at each delimiter has as many values as the header, of which those of known columns fit them."""
    if len(values) != seen.width or seen.width == 1:
        return False
    bare = [value.strip().strip(dialect.quote) for value in values]
    fit = [
        value in counts if is_closed(counts) else is_number(value)
        for value, counts in zip(bare, seen.values, strict=False)
        if is_closed(counts) or holds_numbers(counts)
    ]
    if fit:
        return 2 * sum(fit) >= len(fit)
    return all(bare) and (dialect.delimiter in "\t|" or seen.width >= ENOUGH_COLUMNS)


def is_closed(counts: Counter[str]) -> bool:
    """Whether a column has few values that occur again and again, as labels do."""
    return counts.total() >= FEWEST_ROWS and 2 * len(counts) <= counts.total() and len(counts) < MOST_VALUES


def holds_numbers(counts: Counter[str]) -> bool:
    return counts.total() >= FEWEST_ROWS and sum(map(is_number, counts)) > 0.9 * len(counts)


def is_number(value: str) -> bool:
    """
    >>> [is_number(value) for value in ("-1,234.5", "7 %", "B2", "")]
    [True, True, False, False]
    """
    return any(map(str.isdecimal, value)) and not value.strip().strip("+-%$€£").strip().strip(
        "0123456789.,eE+-"
    )


def swallowing(file: TextFile, swallowed: Sequence[Suspect]) -> str:
    """The message for values that run over lines which look like rows of their own."""
    begin, lines = swallowed[0]
    more = f" (and {counted(len(swallowed) - 1, 'more value')} like it)" if len(swallowed) > 1 else ""
    return (
        f"{file.path}, lines {begin} to {begin + len(lines) - 1}: a quote opens a value that runs over lines which look like "
        f"rows of their own{more}: perhaps it is a stray one, and swallows them. Double it inside of a quoted value, or remove "
        f"it; --quoting {NONE} takes quotes for letters, --quoting {DOUBLE} reads the value as it stands."
    )
