"""Tables that are drawn for the eye, as Markdown and psql do: blanks around each value, a rule below the header, a count."""

import re
from collections.abc import Iterator, Sequence

from luthier.data.formats.csv_rows import Row

DELIMITER = "|"
PADDED = 0.9
"""Blanks at the ends of values are padding when at least this share of the filled values has one."""
RULE = re.compile(r"[-+:=| ]{3,}")
COUNT = re.compile(r"\(\d+ \w+\)")
"""The count of rows that psql writes below a table."""


def is_padded(rows: Sequence[Row], delimiter: str) -> bool:
    """Whether a table's values have blanks around them, so that its columns stand below each other.

    >>> is_padded([(1, [" text ", " label"]), (2, ["------+------"]), (3, [" a ", " b"])], "|")
    True
    """
    values = [value for _, values in rows for value in values if value.strip() and not is_drawn(values)]
    blank = sum(value[0] == " " or value[-1] == " " for value in values)
    return delimiter == DELIMITER and bool(values) and blank >= PADDED * len(values)


def unpadded(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows of a padded table, without blanks around values, and without what is drawn between them."""
    for line, values in rows:
        if not is_drawn(values):
            yield line, [value.strip() for value in values]


def is_drawn(values: Sequence[str]) -> bool:
    """Whether a line is a rule, or the count of the rows, rather than a row.

    >>> is_drawn(["", "---", ":--:", ""]), is_drawn(["(12 rows)"]), is_drawn([" a ", " --- "])
    (True, True, False)
    """
    whole = DELIMITER.join(values).strip()
    drawn = RULE.fullmatch(whole) is not None and ("--" in whole or " " not in whole)
    return drawn or COUNT.fullmatch(whole) is not None
