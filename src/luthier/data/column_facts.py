"""Facts about the values of each column, from a sample of the rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from luthier.arrays import Ints

SAMPLE_ROWS = 20_000
SAMPLE_VALUES = 2_000_000
"""The most values in the sample, over all columns: a very wide table is judged by fewer rows."""


@dataclass(frozen=True)
class Facts:
    """Facts about the values of one column over the sample, without those that are missing or empty."""

    name: str
    kind: pa.DataType
    filled: int
    distinct: int
    characters: float
    """Mean number of characters of a value written out."""
    repeated: float
    """Share of values that another row has too, in [0, 1]."""
    wordy: float
    """Share of values that read like text."""


def spread_rows(rows: int, columns: int) -> Ints:
    """Numbers of the rows to look at in a table of so many rows and columns, evenly spread; all of them when they are few."""
    chosen = min(rows, SAMPLE_ROWS, max(200, SAMPLE_VALUES // columns))
    return np.linspace(0, rows - 1, chosen).astype(np.int64)


def facts_of(column: pa.Field, texts: Sequence[str]) -> Facts:
    """The facts of a column. texts: its values over the sample, written out."""
    values = [text for text in texts if text.strip()]
    counts = Counter(values)
    return Facts(
        name=column.name,
        kind=column.type,
        filled=len(values),
        distinct=len(counts),
        characters=sum(map(len, values)) / max(len(values), 1),
        repeated=sum(count for count in counts.values() if count > 1) / max(len(values), 1),
        wordy=sum(map(reads_like_text, values)) / max(len(values), 1),
    )


def reads_like_text(value: str) -> bool:
    """Whether a value may be a text rather than a number, date, address or code: several words with letters.

    One word is enough beyond ASCII, where scripts are that have no space between words.

    >>> [reads_like_text(value) for value in ("good sound", "好听", "B00-4711", "2024-01-31 08:00")]
    [True, True, False, False]
    """
    return (not value.isascii() or len(value.split()) > 1) and any(map(str.isalpha, value))
