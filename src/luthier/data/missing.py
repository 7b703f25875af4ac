"""Missing values, however they are written: nan, #N/A, NULL, a dash."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from luthier.data.table import Table
from luthier.errors import counted, listing, shorten

CERTAIN = (
    *(
        "nan",
        "NaN",
        "NAN",
        "-nan",
        "-NaN",
        "+nan",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "<NA>",
        "<nan>",
        "NaT",
        "#VALUE!",
        "#REF!",
    ),
    *(
        "NULL",
        "Null",
        "null",
        "(null)",
        "<null>",
        "\\N",
        "1.#QNAN",
        "-1.#IND",
        "1.#IND",
        "#DIV/0!",
        "#NAME?",
        "#NUM!",
    ),
)
"""Words that programs write for a missing value, and that nobody writes for anything else."""
DOUBTFUL = (
    "NA",
    "N/A",
    "n/a",
    "na",
    "N.A.",
    "n.a.",
    "None",
    "none",
    "NONE",
    "-",
    "--",
    "---",
    "?",
    "??",
    ".",
    "_",
    "*",
)
"""Words that people write for a missing value, and sometimes for a label: their share and that of the other labels decide."""
IN_NUMBERS = frozenset(word.lower() for word in (*CERTAIN, *DOUBTFUL, "missing", "unknown"))
"""Words that are missing values, and no errors, in a column of numbers."""
NOTHING = "nothing"
"""The value of `--missing` with which only empty cells are missing."""


def is_missing_number(value: Any) -> bool:
    """Whether a cell of a column of numbers says that there is none.

    >>> [is_missing_number(value) for value in (None, " ", "n/a", float("nan"), 0, "0")]
    [True, True, True, True, False, False]
    """
    if value is None or value != value:
        return True
    return isinstance(value, str) and (not value.strip() or value.strip().lower() in IN_NUMBERS)


def without_marks(
    table: Table,
    texts: Sequence[str],
    labels: Sequence[str],
    asked: Sequence[str] = (),
    numbers: bool = False,
) -> tuple[Table, list[str]]:
    """The table with nothing where some columns say that there is nothing, and what is to be told.

    texts, labels: names of columns of either kind; those that hold no strings stay.  asked: the words that the user names, or
    `nothing`, for empty cells alone.  numbers: whether labels are numbers to be estimated, among which no word is a label.
    """
    notes = []
    for name in dict.fromkeys([*texts, *labels]):
        if not pa.types.is_string(table.columns.schema.field(name).type):
            continue
        counts = counts_of(table, name)
        words = asked_words(counts, asked) if asked else meant(counts, name in labels)
        if words:
            table = blanked(table, name, words)
            found = sum(counts[word] for word in words)
            notes.append(
                f"{counted(found, 'cell')} of column {name!r} {'says' if found == 1 else 'say'} "
                f"{listing(shorten(w) for w in words)}, which is taken for nothing; --missing WORD,WORD names others, --missing "
                "nothing takes them as they are."
            )
        notes += kept_words(counts, words, name) if name in labels and not asked and not numbers else []
    return table, notes


def counts_of(table: Table, name: str) -> Mapping[str, int]:
    """How often each value stands in a column, without blanks around it; of short ones alone, which a mark is."""
    column = pc.utf8_trim_whitespace(table.columns.column(name))
    short = column.filter(pc.less(pc.utf8_length(column), 60))
    found: Counter[str] = Counter()
    for pair in pc.value_counts(short).to_pylist():
        if pair["values"]:
            found[pair["values"]] += pair["counts"]
    return found


def asked_words(counts: Mapping[str, int], asked: Sequence[str]) -> list[str]:
    return [] if tuple(asked) == (NOTHING,) else [word for word in asked if word in counts]


def meant(counts: Mapping[str, int], label: bool) -> list[str]:
    """The words of a column that mean a missing value."""
    certain = [word for word in CERTAIN if word in counts]
    return certain + (doubtful_marks(counts) if label else [])


def doubtful_marks(counts: Mapping[str, int]) -> list[str]:
    """Doubtful words that are much rarer than the labels beside them: less than half as frequent as those are in the middle.

    >>> doubtful_marks({"yes": 40, "no": 38, "-": 4}), doubtful_marks({"yes": 40, "no": 38, "NA": 41})
    (['-'], [])
    """
    others = [count for word, count in counts.items() if word not in CERTAIN and word not in DOUBTFUL]
    if len(others) < 2:
        return []
    return [word for word in DOUBTFUL if word in counts and counts[word] < median(others) / 2]


def kept_words(counts: Mapping[str, int], words: Sequence[str], name: str) -> list[str]:
    """A sentence on words that often mean a missing value, and are labels here."""
    kept = [word for word in DOUBTFUL if word in counts and word not in words]
    if not kept or len(counts) > 1_000:
        return []
    return [
        f"{listing(kept)} in column {name!r} {'is' if len(kept) == 1 else 'are'} as frequent as other labels and taken for "
        f"{'one' if len(kept) == 1 else 'labels'}; --missing {shlex.quote(','.join(kept))} leaves such rows out."
    ]


def blanked(table: Table, name: str, words: Sequence[str]) -> Table:
    """The table with nulls where a column says one of some words."""
    column = table.columns.column(name)
    marked = pc.is_in(pc.utf8_trim_whitespace(column), value_set=pa.array(list(words), column.type))
    cleared = pc.if_else(marked, pa.scalar(None, column.type), column)
    return table.with_columns(table.columns.set_column(table.names.index(name), name, cleared))
