"""Columns made of several, where the user or a file lists them: texts are joined, noughts and ones become lists of labels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from luthier.data.marks import MISSING, Marking, marking_of
from luthier.data.table import Table
from luthier.errors import DataError, did_you_mean, listing, shorten

COMMA = ","
"""The sign between the names of several columns that are read as one, as in `title,body`."""
BETWEEN = "\n"
"""The characters between the texts of a row that are read as one."""


def parts_of(table: Table, name: str) -> list[str]:
    """The columns that a name lists; none where it is the name of a column itself, or lists nothing."""
    names = [one.strip() for one in name.split(COMMA)]
    return [] if name in table.names or len(names) < 2 or not all(names) else names


def with_texts(table: Table, name: str, flag: str) -> Table:
    """The table with a column of several texts as one, under the name that lists them; as it is where that lists none.

    A text that is missing is passed over.  flag: how the user named them.  Raises DataError for a column that is not there.
    """
    names = parts_of(table, name)
    if not names:
        return table
    refuse_unknown(table, names, flag)
    texts = zip(*(table.texts(one) for one in names), strict=True)
    made = [BETWEEN.join(text for text in row if text.strip()) for row in texts]
    return table.with_columns(table.columns.append_column(name, pa.array(made, pa.string())))


def with_marks(table: Table, name: str, flag: str) -> Table:
    """The table with a column of lists of labels, made of one column of noughts and ones for each label.

    A row without any mark has none of the labels, which is an answer; one whose marks are all missing has no label.  Raises
    DataError for a column that is not there, or holds something else.
    """
    names = parts_of(table, name)
    if not names:
        return table
    refuse_unknown(table, names, flag)
    labels = label_names(names)
    marking = marking_of({value for one in names for value in table.texts(one)})
    marks = [column_of_marks(table, one, flag, marking) for one in names]
    made: list[list[str] | None] = []
    for row in zip(*marks, strict=True):
        there = [label for label, mark in zip(labels, row, strict=True) if mark]
        made.append(None if all(mark is None for mark in row) else there)
    table = replace(table, guesses=(*table.guesses, *told_of_marks(table, names, marking)))
    wider = table.with_columns(table.columns.append_column(name, pa.array(made, pa.list_(pa.string()))))
    return replace(wider, layout=replace(table.layout, none_is_answer=table.layout.none_is_answer | {name}))


def told_of_marks(table: Table, names: Sequence[str], marking: Marking) -> list[str]:
    return [f"{table.files[0]}: columns {listing(names)} {marking.told}."] if marking.told else []


def column_of_marks(table: Table, name: str, flag: str, marking: Marking) -> list[bool | None]:
    """Whether a label holds, by row; None where that is not told. Raises DataError."""
    found: list[bool | None] = []
    for row, value in enumerate(table.values(name)):
        mark = marking.of(value)
        if mark is None:
            raise DataError(
                f"{table.place(row)}: column {name!r} holds {shorten(repr(value))}. Expected 0 or 1 (or true or false, yes or "
                f"no) in each of the columns that {flag} lists, one for each label."
            )
        found.append(None if mark == MISSING else mark == 1)
    return found


def label_names(names: Sequence[str]) -> list[str]:
    """Names of labels from those of their columns, without what all of them begin with.

    >>> label_names(["label_red", "label_blue"]), label_names(["toxic", "threat"])
    (['red', 'blue'], ['toxic', 'threat'])
    """
    for sign in "_.:/ ":
        begin, found, _ = names[0].partition(sign)
        before = begin + sign
        if found and begin and all(name.startswith(before) and len(name) > len(before) for name in names):
            return [name.removeprefix(before) for name in names]
    return list(names)


def refuse_unknown(table: Table, names: Sequence[Any], flag: str) -> None:
    for name in names:
        if name not in table.names:
            raise DataError(
                f"{table.files[0]}: there is no column {shorten(name)!r}, which {flag} lists.{did_you_mean(name, table.names)} "
                f"Columns: {listing(table.names)}."
            )
