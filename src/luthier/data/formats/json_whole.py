"""JSON that is one object around the rows: finding them, and reading each as an object.

The rows may be a list under a key, of several levels too, objects by their names, or columns: lists side by side, or objects
by the number of the row, as pandas writes them.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from luthier.data.formats.json_objects import NotAnObject, check_object
from luthier.data.formats.json_pairs import ListRows
from luthier.data.formats.json_rows import EXAMPLE, Row, refuse_wrong_rows
from luthier.data.formats.squad import parsed
from luthier.data.formats.text_files import TextFile
from luthier.data.problems import Problems
from luthier.errors import DataError, counted, listing, shorten

PIECE_CHARACTERS = 65_536
LEVELS = 4
"""The most levels of keys around the rows that are looked through."""
ROW_KEYS = frozenset(
    ("text", "label", "labels", "sentence", "content", "tokens", "tags", "question", "context", "title")
)
"""Keys that a row may have, and an object around rows does not."""
DATA_KEYS = (
    "data",
    "rows",
    "examples",
    "items",
    "records",
    "annotations",
    "common_examples",
    "documents",
    "samples",
)
"""Keys under which rows most often stand."""


def stands_under_a_key(file: TextFile) -> bool:
    """Whether the text begins as one object."""
    with file.open() as text:  # in pieces: the whole text may stand on one line
        pieces = iter(partial(text.read, PIECE_CHARACTERS), "")
        return next((piece.lstrip()[:1] for piece in pieces if not piece.isspace()), "") == "{"


def rows_of_object(file: TextFile) -> Iterator[Row]:
    """Each row with its number. Raises DataError where there are none, or it is not plain which are meant."""
    whole, escape = parsed(file)
    problems = Problems()
    lists = ListRows()
    number = 0
    for value in rows_in(file.path, whole):
        if lists.is_header(value):
            continue
        number += 1
        try:
            # The escape stands for the text of the row: without one in the file, no character is halved.
            row = check_object(lists.row(value), escape)
            yield number, row, characters(row)
        except NotAnObject as words:
            problems.add(f"row {number} ({words})")
    refuse_wrong_rows(file.path, problems, number)


def characters(row: Mapping[str, Any]) -> int:
    """The approximate number of characters of a row as it is written."""
    return sum(len(value) if isinstance(value, str) else 64 for value in row.values())


def rows_in(path: Path, whole: dict[str, Any]) -> list[Any]:
    """The rows of an object. Raises DataError."""
    if whole.keys() <= {"columns", "data", "index"} and isinstance(whole.get("columns"), list):
        return of_split(path, whole)
    if all(isinstance(value, dict) for value in whole.values()) and whole:
        return of_objects(path, whole)
    rows = listed(path, whole)
    return side_by_side(path, whole) if rows is None else rows


def of_split(path: Path, whole: dict[str, Any]) -> list[Any]:
    """Rows as pandas writes them with orient='split'. Raises DataError."""
    names, rows = whole["columns"], whole.get("data")
    fit = isinstance(rows, list) and all(isinstance(row, list) and len(row) == len(names) for row in rows)
    if not fit:
        raise DataError(
            f"{path}: is one object with the keys 'columns' and 'data', as pandas writes with orient='split', but its rows are "
            f"not lists of {counted(len(names), 'value')}. Write it with orient='records'."
        )
    return [{str(name): value for name, value in zip(names, row, strict=True)} for row in rows or ()]


def listed(path: Path, whole: dict[str, Any]) -> list[Any] | None:
    """The list of rows under a key; of keys around each other, the outermost that has one."""
    level = {"": whole}
    for _ in range(LEVELS):
        found = {
            f"{at}{key}": value
            for at, inner in level.items()
            for key, value in inner.items()
            if isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
        }
        if found:
            return chosen(path, found)
        level = {
            f"{at}{key}.": value
            for at, inner in level.items()
            for key, value in inner.items()
            if isinstance(value, dict)
        }
    holds_none = any(value == [] and key in DATA_KEYS for key, value in whole.items())
    return [] if holds_none else None


def chosen(path: Path, found: dict[str, list[Any]]) -> list[Any]:
    """The one list of rows there is. Raises DataError where there are several."""
    viewed = {key: rows for key, rows in found.items() if is_view(rows)}
    if len(viewed) == 1:
        found = viewed
    if len(found) == 1:
        rows = next(iter(found.values()))
        lists = any(isinstance(row, list) for row in rows)
        return [{} if lists and row is None else unwrapped(row) for row in rows]
    counts = [f"{shorten(key)!r} ({counted(len(rows), 'item')})" for key, rows in found.items()]
    raise DataError(
        f"{path}: is one object with several lists of objects or lists: {', '.join(counts[:8])}. Which of them the rows are is "
        "not plain. Save the one that is meant as a file of its own; a list for each part is given as DATA, --valid and --test."
    )


def is_view(rows: list[Any]) -> bool:
    """Whether rows are wrapped as the viewer of the Hub's data sets serves them."""
    return all(
        isinstance(row, dict) and "row_idx" in row and isinstance(row.get("row"), dict) for row in rows
    )


def unwrapped(row: Any) -> Any:
    return row["row"] if is_view([row]) else row


def of_objects(path: Path, whole: dict[str, dict[str, Any]]) -> list[Any]:
    """Rows of an object of objects: by name, or columns by the number of the row, or a list that stands deeper."""
    inner = list(whole.values())
    scalars = all(not isinstance(value, dict | list) for one in inner for value in one.values())
    same_keys = all(one.keys() == inner[0].keys() for one in inner)
    if scalars and same_keys and len(whole) > 1 and are_columns(whole):
        return [
            dict(zip(whole, values, strict=True))
            for values in zip(*(one.values() for one in inner), strict=True)
        ]
    if len(whole) == 1 and (deeper := listed(path, whole)):
        return deeper
    return [row if "id" in row else {"id": name, **row} for name, row in whole.items()]


def are_columns(whole: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the outer keys of two levels name columns, and the inner ones rows."""
    outer, inner = set(whole), set(next(iter(whole.values())))
    outer_named, inner_named = (
        any(key.strip().lower() in ROW_KEYS for key in keys) for keys in (outer, inner)
    )
    if outer_named != inner_named:
        return outer_named
    return all(key.isdecimal() for key in inner) and not all(key.isdecimal() for key in outer)


def side_by_side(path: Path, whole: dict[str, Any]) -> list[Any]:
    """Rows of columns that are lists of one length. Raises DataError where there are none."""
    columns = {key: value for key, value in whole.items() if isinstance(value, list)}
    lengths = {len(column) for column in columns.values()}
    if len(columns) > 1 and len(lengths) == 1 and lengths != {0}:
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    expected = f"Expected a list of objects such as [{EXAMPLE}, …], or an object whose only key holds one"
    keys = listing(shorten(key) for key in whole)
    raise DataError(
        f"{path}: is one object with the keys {keys}. {expected}; pandas writes it with orient='records'."
    )
