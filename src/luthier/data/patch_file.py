"""The patch file: every change on a line of its own, to be read, edited, applied, undone."""

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from luthier.data.csv_rows import long_values
from luthier.errors import DataError
from luthier.files import write_text

What = Literal["delete", "change"]
DELETE: What = "delete"
CHANGE: What = "change"
FILE = "file"
NAMES = {"line": "row", "old": "from", "new": "to"}
"""Columns of the patch file that are called otherwise here."""


@dataclass(frozen=True)
class Edit:
    """One change of one row."""

    line: int
    """Line of the original file, from 1, where the row begins."""
    what: What
    column: str
    """Of the value that changes; empty where the row goes."""
    old: str
    new: str
    """The value before and after; of a row that goes, its text and nothing."""
    reason: str
    """The check that asks for it."""
    raw: str = ""
    """The row as it stands in the file, line end and all: what undoing puts back."""


@dataclass(frozen=True)
class Patch:
    """A patch file as it was read."""

    name: str
    """Of the file it was made for."""
    before: str
    after: str
    """SHA-256 of the original and of the corrected copy."""
    edits: tuple[Edit, ...]
    edited: bool
    """Whether somebody has changed it since it was written."""


def write_patch(path: Path, name: str, edits: Sequence[Edit], before: str, after: str) -> None:
    body = io.StringIO(newline="")
    writer = csv.writer(body, lineterminator="\n")
    writer.writerows([astuple_of(one) for one in edits])
    header = io.StringIO(newline="")
    writer = csv.writer(header, lineterminator="\n")
    writer.writerow([NAMES.get(field.name, field.name) for field in fields(Edit)])
    digest = hashlib.sha256(body.getvalue().encode()).hexdigest()
    writer.writerow([0, FILE, name, before, after, digest, ""])
    write_text(path, header.getvalue() + body.getvalue())


def astuple_of(edit: Edit) -> tuple[object, ...]:
    return tuple(getattr(edit, field.name) for field in fields(Edit))


def read_patch(path: Path) -> Patch:
    """Raises DataError when it is not a patch of ours."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such patch. --fix KINDS writes one.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not a patch: not text in UTF-8.") from None
    with long_values():
        rows = list(csv.reader(io.StringIO(text, newline="")))
    expected = [NAMES.get(field.name, field.name) for field in fields(Edit)]
    if not rows or rows[0] != expected or len(rows) < 2 or rows[1][1] != FILE:
        raise DataError(
            f"{path}: is not a patch of luthier: expected the columns {', '.join(expected)}, and a first row about the file."
        )
    edits = []
    for number, row in enumerate(rows[2:], start=3):
        if len(row) != len(expected) or not row[0].isdigit() or row[1] not in (DELETE, CHANGE):
            raise DataError(
                f"{path}, row {number}: expected a row number, 'delete' or 'change', and {len(expected)} values in all."
            )
        edits.append(Edit(int(row[0]), row[1], *row[2:]))
    body = io.StringIO(newline="")
    csv.writer(body, lineterminator="\n").writerows([astuple_of(one) for one in edits])
    edited = hashlib.sha256(body.getvalue().encode()).hexdigest() != rows[1][5]
    return Patch(rows[1][2], rows[1][3], rows[1][4], tuple(edits), edited)
