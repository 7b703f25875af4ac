"""The patch file: every change on a line of its own, to be read, edited, applied, undone."""

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from luthier.data.formats.sheets import read_sheet, sheet
from luthier.errors import DataError
from luthier.files import write_text

What = Literal["delete", "change"]
DELETE: What = "delete"
CHANGE: What = "change"
FILE = "file"
NAMES = {"line": "row", "old": "from", "new": "to"}
"""Names of the patch file's columns, by the fields of Edit that have another name."""


@dataclass(frozen=True)
class Edit:
    """One change of one row."""

    line: int
    """Line of the original file, from 1, where the row begins."""
    what: What
    column: str
    """The column of the value that changes; empty where the whole row is deleted."""
    old: str
    new: str
    """The value before and after; for a row that is deleted, its text and an empty value."""
    reason: str
    """The check that asks for the change."""
    raw: str = ""
    """The row as it stands in the file, line end and all: what undoing puts back."""


HEADER = tuple(NAMES.get(field.name, field.name) for field in fields(Edit))


@dataclass(frozen=True)
class Patch:
    """A patch file as it was read."""

    name: str
    """Name of the file that it was made for."""
    before: str
    after: str
    """SHA-256 of the original and of the corrected copy."""
    edits: tuple[Edit, ...]
    edited: bool
    """Whether somebody has changed it since it was written."""


def write_patch(path: Path, name: str, edits: Sequence[Edit], before: str, after: str) -> None:
    first = (0, FILE, name, before, after, digest_of(edits), "")
    write_text(path, sheet([HEADER, first, *map(astuple_of, edits)]))


def digest_of(edits: Sequence[Edit]) -> str:
    """SHA-256 over edits, which shows whether somebody has changed them."""
    body = io.StringIO(newline="")
    csv.writer(body, lineterminator="\n").writerows([astuple_of(one) for one in edits])
    return hashlib.sha256(body.getvalue().encode()).hexdigest()


def astuple_of(edit: Edit) -> tuple[object, ...]:
    return tuple(getattr(edit, field.name) for field in fields(Edit))


def read_patch(path: Path) -> Patch:
    """Read a patch file. Raises DataError when it is not one of luthier's."""
    if not path.exists():
        raise DataError(f"{path}: there is no such patch. --fix KINDS writes one.")
    rows = read_sheet(path, HEADER)
    if not rows or rows[0]["what"] != FILE:
        raise DataError(f"{path}: is not a patch of luthier: expected a first row about the file.")
    edits = []
    for number, row in enumerate(rows[1:], start=3):
        line, what, *others = (row[name] for name in HEADER)
        if not re.fullmatch("[0-9]{1,12}", line) or what not in (DELETE, CHANGE):
            raise DataError(f"{path}, row {number}: expected a row number, and 'delete' or 'change'.")
        edits.append(Edit(int(line), what, *others))
    _, _, name, before, after, digest, _ = (rows[0][name] for name in HEADER)
    return Patch(name, before, after, tuple(edits), digest_of(edits) != digest)
