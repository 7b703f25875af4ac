"""JSON that is one list of objects, or an object whose only key holds one."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from luthier.data.formats.ceilings import MOST_ROW_CHARACTERS, MOST_WRONG, check_values, long_row
from luthier.data.formats.json_lines import rows_of_lines
from luthier.data.formats.json_objects import DECODER, NotAnObject, check_object, parse_value
from luthier.data.formats.json_pairs import ListRows, as_object
from luthier.data.formats.json_rows import EXAMPLE, Row, refuse_wrong_rows, table_of
from luthier.data.formats.json_types import WORDS
from luthier.data.formats.json_whole import rows_of_object, stands_under_a_key
from luthier.data.formats.other_forms import refuse_table
from luthier.data.formats.squad import is_squad, read_squad
from luthier.data.formats.text_files import TextFile
from luthier.data.problems import Problems
from luthier.data.table import Table
from luthier.errors import DataError, listing, shorten

BLANKS = re.compile(r"[ \t\n\r]*")
OPENING = re.compile(r'[ \t\n\r]*(\{[ \t\n\r]*"(?:[^"\\]|\\.)*"[ \t\n\r]*:[ \t\n\r]*)?\[[ \t\n\r]*')
"""The beginning of a list of rows; group 1 is the key of an object around it."""


def read_json(path: Path, encoding: str | None) -> Table:
    """The rows of a list of objects; or of JSON lines, whose file names often end in .json too.

    The text is held in memory while it is read; JSON lines are the form for a file too large for that.
    """
    file = TextFile.at(path, encoding)
    refuse_table(file)
    if is_squad(file):
        return read_squad(path, encoding)
    if holds_lines(file):
        table = table_of(path, partial(rows_of_lines, file), "line")
    elif stands_under_a_key(file):
        table = table_of(path, partial(rows_of_object, file), "row")
    else:
        table = table_of(path, partial(rows_of_list, file), "row")
    return replace(table, guesses=file.guesses, encodings=(file.encoding,))


def holds_lines(file: TextFile) -> bool:
    """Whether the first line is a whole row and another line follows."""
    with file.open() as text:
        lines = iter(partial(text.readline, MOST_ROW_CHARACTERS), "")  # of a list, a line may be all of it
        start = list(islice((line for line in lines if not line.isspace()), 2))
    try:
        value = parse_value(start[0]) if len(start) == 2 and start[0].lstrip()[0] in "{[" else None
        return isinstance(value, dict) or as_object(value) is not None
    except NotAnObject:
        return False


def rows_of_list(file: TextFile) -> Iterator[Row]:
    """Each object with its number. Raises DataError where the JSON breaks, or in the end for what is none."""
    with file.open() as lines:
        text = lines.read()
    problems = Problems()
    lists = ListRows()
    number = 0
    try:
        for value, start, end in items(file.path, text):
            if lists.is_header(value):
                continue
            number += 1
            try:
                yield number, check_object(lists.row(value), text[start:end]), end - start
            except NotAnObject as words:
                problems.add(f"row {number} ({words})")
                if problems.count == MOST_WRONG:
                    break
    except json.JSONDecodeError as error:
        place = f"{file.path}, line {error.lineno}, character {error.colno}"
        raise DataError(f"{place}: is not valid JSON ({error.msg}). Correct it there.") from None
    except (RecursionError, ValueError):
        raise DataError(
            f"{file.path}, row {number + 1}: is nested too deeply, or has a number of thousands of digits. "
            "Remove it."
        ) from None
    refuse_wrong_rows(file.path, problems, number)


def items(path: Path, text: str) -> Iterator[tuple[Any, int, int]]:
    """Each item of the list, and where its text begins and ends."""
    opening = OPENING.match(text)
    if opening is None:
        raise other_shape(path, text)
    end = opening.end()
    empty = text.startswith("]", end)
    window = Window(path, text)
    while not empty:
        start = end
        value, end = window.decode(start)
        yield value, start, end
        end = past_blanks(text, end)
        if not text.startswith(",", end):
            break
        end = past_blanks(text, end + 1)
    for mark in "]}" if opening[1] else "]":
        if not text.startswith(mark, end):
            if mark == "}" and text.startswith(",", end):
                raise other_shape(path, text)
            expected = "',' or ']'" if mark == "]" else "'}'"
            raise json.JSONDecodeError(f"Expecting {expected}", text, end)
        end = past_blanks(text, end + 1)
    if end < len(text):
        raise json.JSONDecodeError("Extra data", text, end)


class Window:
    """A piece of a text, in which one value after the other is decoded: none can take more memory than a piece allows."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        self.begin = 0
        self.piece = ""
        self.values = 0

    def decode(self, start: int) -> tuple[Any, int]:
        """The value that begins at `start` of the text, and where it ends. Raises JSONDecodeError, with places of the text."""
        self.values += 1
        found = self.tried(start)
        if found is None:
            self.begin = start
            self.piece = self.text[start : start + MOST_ROW_CHARACTERS]
            found = self.tried(start)
        if found is None:
            raise long_row(self.path, f"row {self.values}")
        return found

    def tried(self, start: int) -> tuple[Any, int] | None:
        """The value at a place, and where it ends; None where the piece may have cut it."""
        whole = self.begin + len(self.piece) == len(self.text)
        if not self.begin <= start < self.begin + len(self.piece):
            return None
        try:
            value, end = DECODER.raw_decode(self.piece, start - self.begin)
        except json.JSONDecodeError as error:
            cut = error.pos + len("\\ud83d\\ude00") >= len(self.piece) or error.msg.startswith("Unterminated")
            if not whole and (cut or start > self.begin):
                return None
            raise json.JSONDecodeError(error.msg, self.text, error.pos + self.begin) from None
        return None if end == len(self.piece) and not whole else (value, end + self.begin)


def past_blanks(text: str, start: int) -> int:
    match = BLANKS.match(text, start)
    assert match is not None
    return match.end()


def other_shape(path: Path, text: str) -> DataError:
    """The error for a text that has no list to read. Raises JSONDecodeError when it is no JSON."""
    expected = f"Expected a list of objects such as [{EXAMPLE}, …], or an object whose only key holds one"
    if not text.strip():
        return DataError(f"{path}: is empty. {expected}.")
    check_values(path, text)
    value = DECODER.decode(text)
    if not isinstance(value, dict):
        return DataError(f"{path}: is {'null' if value is None else WORDS[type(value)]}. {expected}.")
    keys = listing(shorten(key) for key in value)
    return DataError(
        f"{path}: is one object with the keys {keys}. {expected}; pandas writes it with orient='records'."
    )
