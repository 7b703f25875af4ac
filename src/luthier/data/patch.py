"""A corrected copy of a file and the patch between the two: every change on a line of its own, to be read, edited, undone.

What is not changed is carried over as it stands, so that the patch undone gives the file back byte for byte.
"""

import codecs
import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Literal, cast

from luthier.data.csv_rows import long_values
from luthier.data.delimiter import DELIMITERS, find_delimiter
from luthier.data.names import check_names
from luthier.data.raw_bytes import open_bytes
from luthier.data.read import ending
from luthier.data.text_files import TextFile
from luthier.errors import DataError
from luthier.files import whole_file, write_text

PATCHED = (".csv", ".tsv", ".jsonl")
What = Literal["delete", "change"]
DELETE: What = "delete"
CHANGE: What = "change"
FILE = "file"


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
class Format:
    """How the rows of a file are written."""

    file: TextFile
    delimiter: str | None
    """None: JSON lines."""
    columns: tuple[str, ...]

    @staticmethod
    def of(path: Path, encoding: str | None = None, delimiter: str | None = None) -> "Format":
        """Raises DataError for a file that is not a row on each line, or so."""
        if ending(path) not in PATCHED:
            raise DataError(
                f"{path}: is corrected only as .csv, .tsv or .jsonl (or one of these with .gz), whose rows can be changed one "
                "by one. Save it as one of these."
            )
        file = TextFile.at(path, encoding)
        if ending(path) == ".jsonl":
            return Format(file, None, ())
        with long_values():
            if delimiter is None:
                delimiter = "\t" if ending(path) == ".tsv" else find_delimiter(file)
            with file.open() as lines:
                header = next(csv.reader(lines, delimiter=delimiter or DELIMITERS[0]))
        return Format(file, delimiter, tuple(check_names(path, [name.strip() for name in header])))

    def changed(self, raw: str, new: Mapping[str, str]) -> str:
        """A row as it stands in the file, with some values replaced."""
        body = raw.rstrip("\r\n")
        end = raw[len(body) :]
        if self.delimiter is None:
            record = json.loads(body)
            for column, value in new.items():
                record[column] = value.split("|") if isinstance(record.get(column), list) else value
            return json.dumps(record, ensure_ascii=False) + end
        values = raw_values(body, self.delimiter)
        for column, value in new.items():
            at = self.columns.index(column)
            values[at] = quoted(value, self.delimiter, was=values[at].lstrip().startswith('"'))
        return self.delimiter.join(values) + end


def raw_values(body: str, delimiter: str) -> list[str]:
    """The values of a CSV row as they are written, quotes and all.

    >>> raw_values('1,"a, b",c', ",")
    ['1', '"a, b"', 'c']
    """
    values, begin, inside = [], 0, False
    for at, sign in enumerate(body):
        if sign == '"':
            inside = not inside
        elif sign == delimiter and not inside:
            values.append(body[begin:at])
            begin = at + 1
    return [*values, body[begin:]]


def quoted(value: str, delimiter: str, was: bool = False) -> str:
    """A value as CSV writes it, between quotes where it must be, or was before.

    >>> quoted("a, b", ",")
    '"a, b"'
    """
    if was or any(sign in value for sign in (delimiter, '"', "\r", "\n")):
        return '"' + value.replace('"', '""') + '"'
    return value


def lines_of(raw: str) -> list[str]:
    return list(io.StringIO(raw, newline=""))


def correct(
    form: Format, edits: Iterable[Edit], starts: Sequence[int], fixed: Path, patch: Path
) -> list[Edit]:
    """Write a file's corrected copy, and the patch that leads there and back. The edits as they were made.

    starts: the line where each row of the file begins, in order; a row reaches to the next one.
    Raises DataError when the file cannot be written back byte for byte.
    """
    by_line = {
        line: list(same)
        for line, same in groupby(sorted(edits, key=lambda one: one.line), lambda one: one.line)
    }
    following = dict(zip(starts, [*starts[1:], None], strict=True))
    made: list[Edit] = []

    def rows(lines: Iterator[str]) -> Iterator[str]:
        number = 1
        for line in lines:
            asked = by_line.get(number)
            if asked is None:
                number += 1
                yield line
                continue
            end = following[number]
            raw = [line]
            while end is not None and number + len(raw) < end:
                raw.append(next(lines))
            if end is None:
                raw += lines
            number += len(raw)
            own = [Edit(**{**asdict(one), "raw": "".join(raw)}) for one in asked]
            made.extend(own)
            yield replaced(form, own)

    before, after = rewrite(form.file, fixed, rows)
    digest = hashlib.sha256()
    for piece in undone(form, fixed, made):
        digest.update(piece)
    if digest.hexdigest() != before:
        fixed.unlink()
        raise DataError(
            f"{form.file.path}: its encoding ({form.file.encoding}) cannot be written back byte for byte. Save it as UTF-8."
        )
    write_patch(patch, form.file.path.name, made, before, after)
    return made


def replaced(form: Format, edits: Sequence[Edit]) -> str:
    """What stands in the corrected copy in place of a row."""
    if any(one.what == DELETE for one in edits):
        return ""
    return form.changed(edits[0].raw, {one.column: one.new for one in edits})


def rewrite(
    file: TextFile, target: Path, change: Callable[[Iterator[str]], Iterable[str]]
) -> tuple[str, str]:
    """Write `target` as the changed lines of a file, in its encoding; SHA-256 of both, decompressed."""
    before, after = hashlib.sha256(), hashlib.sha256()
    with (
        file.open() as lines,
        whole_file(target) as path,
        writing(path, target.suffix.lower() == ".gz") as out,
    ):
        with open_bytes(file.path) as raw:
            head = raw.read(4)
            before.update(head)
            while piece := raw.read(1 << 20):
                before.update(piece)
        for data in encoded(file, head, change(iter(lines))):
            after.update(data)
            out.write(data)
    return before.hexdigest(), after.hexdigest()


def encoded(file: TextFile, head: bytes, lines: Iterable[str]) -> Iterator[bytes]:
    """Lines as bytes, after the byte order mark that the file begins with."""
    encoder = codecs.getincrementalencoder(file.encoding)()
    first = encoder.encode("")
    marked = head.startswith(b"\xef\xbb\xbf") and codecs.lookup(file.encoding).name == "utf-8"
    yield first + (b"\xef\xbb\xbf" if marked else b"")
    for line in lines:
        yield encoder.encode(line)


def writing(path: Path, zipped: bool) -> BinaryIO:
    """A file to write to; compressed without a time, so that the same rows give the same bytes."""
    if not zipped:
        return open(path, "wb")
    return cast(BinaryIO, gzip.GzipFile(path, "wb", mtime=0))


# The patch file

NAMES = {"line": "row", "old": "from", "new": "to"}
"""Columns of the patch file that are called otherwise here."""


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


def check_unedited(path: Path) -> None:
    """Raise DataError rather than write over what somebody has edited."""
    if path.exists() and read_patch(path).edited:
        raise DataError(
            f"{path}: was edited by hand since it was written. --apply {path} uses it; rename or delete it to make a new one."
        )


def apply(form: Format, patch_path: Path, starts: Sequence[int], fixed: Path) -> list[Edit]:
    """Write the corrected copy of a file by a patch as it now stands, edited or not; the patch leads back from there too.

    Raises DataError when the patch is of other contents.
    """
    patch = read_patch(patch_path)
    digest = content_digest(form.file.path)
    if digest != patch.before:
        raise DataError(
            f"{form.file.path}: is not the file that {patch_path} was made for ({patch.name}), or was changed since. "
            "Make a new patch with --fix KINDS."
        )
    strange = [one for one in patch.edits if one.line not in set(starts)]
    if strange:
        raise DataError(
            f"{patch_path}: no row begins on line {strange[0].line} of {form.file.path}. Correct the number."
        )
    return correct(form, patch.edits, starts, fixed, patch_path)


def undo(fixed: Path, patch_path: Path, target: Path, encoding: str | None, delimiter: str | None) -> None:
    """Write the file that a corrected copy was made of. Raises DataError when the copy was changed since."""
    patch, form = read_patch(patch_path), Format.of(fixed, encoding, delimiter)
    if patch.edited or content_digest(fixed) != patch.after:
        raise DataError(
            f"{fixed}: is not the copy that {patch_path} leads to: one of them was changed since. "
            f"--apply {patch_path} on {patch.name} makes them fit again."
        )
    digest = hashlib.sha256()
    with whole_file(target) as path, writing(path, target.suffix.lower() == ".gz") as out:
        for piece in undone(form, fixed, patch.edits):
            digest.update(piece)
            out.write(piece)
        assert digest.hexdigest() == patch.before, "a patch that was verified leads back"


def undone(form: Format, fixed: Path, edits: Iterable[Edit]) -> Iterator[bytes]:
    """The bytes of the original, from its corrected copy and the edits that were made, in their order."""
    grouped = {line: list(same) for line, same in groupby(edits, lambda one: one.line)}
    copy = TextFile(fixed, form.file.encoding, found=False)

    def rows(lines: Iterator[str]) -> Iterator[str]:
        number = 1
        while True:
            while number in grouped:
                own = grouped[number]
                for _ in lines_of(replaced(form, own)):
                    next(lines)
                yield own[0].raw
                number += len(lines_of(own[0].raw))
            line = next(lines, None)
            if line is None:
                return
            number += 1
            yield line

    with open_bytes(fixed) as raw:
        head = raw.read(4)
    with copy.open() as lines:
        yield from encoded(form.file, head, rows(iter(lines)))


def content_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, decompressed."""
    digest = hashlib.sha256()
    with open_bytes(path) as raw:
        while piece := raw.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
