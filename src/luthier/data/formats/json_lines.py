"""JSON lines: one object on each line."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from luthier.data.formats.ceilings import MOST_WRONG
from luthier.data.formats.json_objects import NotAnObject, check_object, parse_value
from luthier.data.formats.json_pairs import ListRows
from luthier.data.formats.json_rows import EXAMPLE, Row, table_of
from luthier.data.formats.other_forms import refuse_table
from luthier.data.formats.text_files import TextFile
from luthier.data.problems import Problems
from luthier.data.table import Table
from luthier.errors import DataError, counted


def read_json_lines(path: Path, encoding: str | None) -> Table:
    """The rows of a file with one JSON object a line; blank lines are no rows."""
    file = TextFile.at(path, encoding)
    refuse_table(file)
    return replace(
        table_of(path, partial(rows_of_lines, file), "line"), guesses=file.guesses, encodings=(file.encoding,)
    )


def rows_of_lines(file: TextFile) -> Iterator[Row]:
    """Each object with its line. Raises DataError at the end, for all lines that are none."""
    problems = Problems()
    lists = ListRows()
    rows = 0
    is_list = False
    with file.open() as lines:
        for number, line in enumerate(lines, start=1):
            if line.isspace():
                continue
            try:
                rows += 1
                value = parse_value(text := line.rstrip("\r\n"))
                if lists.is_header(value):
                    rows -= 1
                    continue
                yield number, check_object(lists.row(value), text), len(line)
            except NotAnObject as words:
                is_list = is_list or (rows == 1 and line.lstrip().startswith("["))
                problems.add(f"line {number} ({words})")
                if problems.count == MOST_WRONG:
                    break
    if problems.count:
        mend = f"Write one on each line, such as {EXAMPLE}."
        if is_list:
            mend = "If the file is one list of objects, let its name end in .json."
        share = f"{problems.count:,} of {counted(rows, 'line')}"
        raise DataError(f"{file.path}: {share} cannot be read as a JSON object: {problems}. {mend}")
    if not rows:
        raise DataError(f"{file.path}: is empty. Expected a JSON object on each line, such as {EXAMPLE}.")
