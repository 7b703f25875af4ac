"""Rows made of one text or of two: what is read of them, and which of them are the same."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.arrays import Bools, Ints
from luthier.data.split import key_of, text_keys
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.tasks.kind import Columns
from luthier.tasks.task import Task


def has_content(table: Table, column: str) -> Bools:
    """(rows,) whether there is more than white space."""
    found = np.empty(len(table), bool)
    for begin, values in table.pieces(column):
        found[begin : begin + len(values)] = [bool(value.strip()) for value in values]
    return found


def read_columns(table: Table, columns: Columns) -> dict[str, tuple[str, Bools]]:
    """By role, the columns that are read, and where they hold something."""
    return {
        role: (name, has_content(table, name)) for role, name in columns.items() if role in ("text", "text2")
    }


def input_keys(table: Table, columns: Columns) -> Ints:
    """(rows,) equal for rows whose texts differ only in case and white space."""
    if "text2" not in columns:
        return text_keys(table, columns["text"])
    return np.array([key_of(text) for text in joined(table, columns)], np.int64)


def joined(table: Table, columns: Columns) -> list[str]:
    """Both texts of each row as one, for who reads findings."""
    pairs = zip(table.texts(columns["text"]), table.texts(columns["text2"]), strict=True)
    return [f"{one} | {two}" for one, two in pairs]


def inputs_of(table: Table, columns: Columns, rows: Ints | None, task: Task) -> list[Any]:
    """Texts, or pairs of them."""
    texts = table.texts(columns["text"], rows)
    if "text2" not in columns:
        return list(texts)
    return list(zip(texts, table.texts(columns["text2"], rows), strict=True))


def is_blank(one: str | Sequence[str]) -> bool:
    """Whether a text, or one of several that belong together, holds nothing but white space.

    >>> is_blank(" "), is_blank(("a text", "")), is_blank("a text")
    (True, True, False)
    """
    return not all(text.strip() for text in ([one] if isinstance(one, str) else one))


def given_texts(given: Sequence[Any], task: Task) -> list[Any]:
    """Texts as a caller of `predict` hands them over."""
    for at, one in enumerate(given):
        if not isinstance(one, str):
            raise DataError(
                f"row {at}: {one!r} is not a text. This model reads one text a row: predict([text, ...])."
            )
    return list(given)


def given_pairs(given: Sequence[Any], task: Task) -> list[Any]:
    """Pairs of texts as a caller of `predict` hands them over."""
    for at, one in enumerate(given):
        if (
            not isinstance(one, tuple | list)
            or len(one) != 2
            or not all(isinstance(text, str) for text in one)
        ):
            raise DataError(
                f"row {at}: {one!r} is not a pair of texts. This model reads two texts a row: predict([(one, two), ...])."
            )
    return [tuple(one) for one in given]
