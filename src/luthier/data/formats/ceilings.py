"""Ceilings on what is read of a file before it is refused: a broken file, or one meant to do harm, must not fill memory or time.

Each ceiling lies far above what examples to learn from need, and is met while a file is read, not after.
"""

from pathlib import Path

from luthier.errors import DataError

MOST_ROWS = 50_000_000
MOST_COLUMNS = 10_000
MOST_CELLS = 200_000_000
"""The most cells: rows times columns."""
MOST_ROW_CHARACTERS = 16_000_000
"""Longest row as it is written, in characters: a line, a CSV row with line ends in its values, an object in a JSON list."""
MOST_JSON_BYTES = 256_000_000
"""Largest JSON that is one text, such as a list: it is held in memory, while JSON lines are read one by one."""
MOST_JSON_VALUES = 10_000_000
"""Most values in JSON that becomes one value before its rows can be told apart."""
MOST_WRONG = 100_000
"""Number of rows that cannot be read after which a file is refused without reading on."""
MOST_TIMES = 100
"""How many times its size a compressed file may unpack to: rows of text seldom shrink to less than a twentieth."""
UNPACKED_ANYWAY = 256_000_000
"""Bytes to which a file may unpack, however small it is."""


class Unpacked:
    """A count of the bytes that a compressed file unpacks to, kept while it is read."""

    def __init__(self, path: Path, packed: int, mend: str) -> None:
        """Count for a file. mend: what to do where it unpacks to too much, as a sentence."""
        self.path = path
        self.packed = packed
        self.mend = mend
        self.most = max(UNPACKED_ANYWAY, MOST_TIMES * packed)
        self.count = 0

    def add(self, count: int) -> None:
        self.reach(self.count + count)

    def reach(self, count: int) -> None:
        """Raises DataError where it is too much for a file of this size."""
        self.count = count
        if count > self.most:
            raise DataError(
                f"{self.path}: unpacks to more than {self.most / 1e6:,.0f} MB, though it has {size(self.packed)}: "
                f"more than {MOST_TIMES} times its size is taken for a mistake, or for harm. "
                f"{self.mend}"
            )


def size(count: int) -> str:
    """A number of bytes in the unit that suits it.

    >>> size(950), size(1_900_000)
    ('950 bytes', '1.9 MB')
    """
    return f"{count:,} bytes" if count < 100_000 else f"{count / 1e6:,.1f} MB"


def check_columns(path: Path, count: int) -> None:
    if count > MOST_COLUMNS:
        raise DataError(
            f"{path}: has {count:,} columns. At most {MOST_COLUMNS:,} are read: write a copy with those that hold the "
            "text and the label."
        )


def check_extent(path: Path, rows: int, columns: int) -> None:
    """Raise DataError for more rows, or rows times columns, than are read."""
    if rows > MOST_ROWS:
        raise DataError(
            f"{path}: has more than {MOST_ROWS:,} rows. Draw some at random: a model learns little from more."
        )
    if rows * columns > MOST_CELLS:
        raise DataError(
            f"{path}: has more than {MOST_CELLS:,} values ({columns:,} columns in more than {MOST_CELLS // columns:,} rows). "
            "Write a copy with the columns that hold the text and the label, or with fewer rows."
        )


def long_row(path: Path, place: str) -> DataError:
    """The error for a row that does not end. place: "line 3", "row 7"."""
    return DataError(
        f"{path}, {place}: is longer than {MOST_ROW_CHARACTERS:,} characters. Split or shorten it, or see whether a line end, "
        "or the end of a quoted value, is missing."
    )


def check_values(path: Path, text: str) -> None:
    """Raise DataError for JSON with more values than memory should hold at once, before they are made."""
    if sum(map(text.count, "[{,")) > MOST_JSON_VALUES:
        raise DataError(
            f"{path}: holds more than {MOST_JSON_VALUES:,} values in one piece of JSON. Write its rows as JSON lines (.jsonl), "
            "an object on each line, which are read one by one."
        )
