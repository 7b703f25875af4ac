"""The format of a file's rows, so that some can be changed and all others carried over byte for byte."""

import codecs
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from luthier.data.formats.csv_rows import long_values
from luthier.data.formats.delimited import find_form
from luthier.data.formats.dialect import BACKSLASH, NONE, Dialect
from luthier.data.formats.row_files import JSON_LINES, ending
from luthier.data.formats.text_files import TextFile
from luthier.data.raw_bytes import open_bytes
from luthier.data.writing import Writing
from luthier.errors import DataError
from luthier.files import whole_file

PATCHED = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class Format:
    """How the rows of a file are written."""

    file: TextFile
    dialect: Dialect | None
    """The dialect of a CSV file; None for JSON lines."""
    columns: tuple[str, ...]

    @staticmethod
    def of(path: Path, writing: Writing = Writing()) -> "Format":  # noqa: B008  it is frozen
        """The format of a file. Raises DataError for one whose rows are not lines, or nearly so."""
        if ending(path) not in PATCHED:
            raise DataError(
                f"{path}: is corrected only as {', '.join(PATCHED)} (or one of these with .gz), whose rows can be changed one "
                "by one. Save it as one of these."
            )
        if ending(path) in JSON_LINES:
            return Format(TextFile.at(path, writing.encoding), None, ())
        with long_values():
            form = find_form(path, writing)
        if form.padded:
            raise DataError(
                f"{path}: is corrected only without blanks around its values and lines drawn between its rows. Save it as CSV."
            )
        if form.dialect.quoting == BACKSLASH or form.dialect.quote != '"':
            raise DataError(
                f"{path}: is corrected only where quotes are doubled or letters, and in it they are not. Save it with quotes "
                "doubled, as spreadsheets do."
            )
        return Format(form.file, form.dialect, form.header.names)

    def changed(self, raw: str, new: Mapping[str, str]) -> str:
        """A row as it stands in the file, with some values replaced. Raises DataError for one that cannot stand there."""
        body = raw.rstrip("\r\n")
        end = raw[len(body) :]
        if self.dialect is None:
            record = json.loads(body)
            if not isinstance(record, dict):
                raise DataError(
                    f"{self.file.path}: is corrected only where each line is an object, and its rows are lists. Write each as an "
                    "object, with the names of its columns."
                )
            for column, value in new.items():
                record[column] = value.split("|") if isinstance(record.get(column), list) else value
            return json.dumps(record, ensure_ascii=False) + end
        delimiter = self.dialect.delimiter
        letters = self.dialect.quoting == NONE
        values = body.split(delimiter) if letters else raw_values(body, delimiter)
        for column, value in new.items():
            at = self.columns.index(column)
            if letters and any(sign in value for sign in (delimiter, "\r", "\n")):
                raise DataError(
                    f"{self.file.path}: a value cannot hold {delimiter!r} or a line end where quotes are letters. Correct the "
                    "patch, or save the file with values between quotes."
                )
            values[at] = (
                value if letters else quoted(value, delimiter, was=values[at].lstrip().startswith('"'))
            )
        return delimiter.join(values) + end


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


def rewrite(
    file: TextFile, target: Path, change: Callable[[Iterator[str]], Iterable[str]]
) -> tuple[str, str]:
    """Write `target` as the changed lines of a file, in its encoding. Returns the SHA-256 of both, decompressed."""
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


def content_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, decompressed."""
    digest = hashlib.sha256()
    with open_bytes(path) as raw:
        while piece := raw.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
