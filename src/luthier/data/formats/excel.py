"""Workbooks of spreadsheets: the first sheet that holds rows, its values as texts as in a CSV file."""

import contextlib
import datetime
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from luthier.data.formats.csv_rows import Row
from luthier.data.formats.delimited import read_rows
from luthier.data.formats.encoding import HEAD_BYTES, looks_binary
from luthier.data.formats.header import SAMPLE_ROWS, find_header
from luthier.data.formats.idle_columns import without_idle_columns
from luthier.data.formats.other_forms import rename
from luthier.data.formats.parquet import seekable
from luthier.data.table import Table
from luthier.errors import DataError, listing, shorten

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
MOST_BYTES = 1 << 30
"""The most bytes that a workbook may unpack to."""
CHUNK_BYTES = 1 << 20
BOOK_MARKS = (b"PK", b"\xd0\xcf\x11\xe0", b"\x09\x00", b"\x09\x02", b"\x09\x04", b"\x09\x08")
"""The first bytes of workbooks: zip archives, OLE files, and the oldest files of Excel."""
WAY_OUT = "save the sheet as CSV in UTF-8, and name that file"


def read_excel(path: Path) -> Table:
    """The rows of a workbook's first sheet that has some; the line of a row is its number in the sheet.

    Values of formulas are those that were computed last; dates are written as ISO 8601 has them, whole numbers without a point.
    Raises DataError where it is damaged, locked or larger than `MOST_BYTES`, or the library is missing.
    """
    with seekable(path) as file, opening(path, file) as book:
        filled = [name for name in shown_sheets(book) if any(rows_of(book.get_sheet_by_name(name)))]
        if not filled:
            raise DataError(f"{path}: no sheet of it holds rows. Expected a header and rows below it.")
        sheet = book.get_sheet_by_name(filled[0])
        header = find_header(path, list(islice(rows_of(sheet), SAMPLE_ROWS)))
        table = read_rows(path, header, rows_of(sheet), ",")
    told = f"{path}: is read from its sheet {shorten(filled[0])!r}"
    if filled[1:]:
        told += f", not from {listing(map(shorten, filled[1:]), 5)}: {WAY_OUT}, where another is meant"
    table = replace(table, guesses=(f"{told}.", *header.told, *table.guesses), headed=header.there)
    return without_idle_columns(table, [header.names[at] for at in header.nameless])


@contextlib.contextmanager
def opening(path: Path, file: IO[bytes]) -> Iterator["CalamineWorkbook"]:
    """The workbook, and what the library says of it turned into a sentence."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook, PasswordError
    except ImportError:
        raise DataError(
            f"{path}: is a workbook, which is read with the extra [excel]: pip install 'luthier[excel]'. Or {WAY_OUT}."
        ) from None
    refuse_text(path, file)
    check_size(path, file)
    try:
        yield CalamineWorkbook.from_filelike(file)
    except PasswordError:
        raise DataError(f"{path}: is locked by a password. Save it without one, or {WAY_OUT}.") from None
    except CalamineError as error:
        raise damaged(path, error) from None
    except BaseException as error:
        if (
            type(error).__name__ != "PanicException"
        ):  # what the library meets a damaged file with, now and then
            raise
        raise damaged(path, error) from None


def damaged(path: Path, error: BaseException) -> DataError:
    words = shorten(str(error).rstrip(".") or type(error).__name__)
    return DataError(f"{path}: is not a whole workbook ({words}). Save or copy it anew, or {WAY_OUT}.")


def refuse_text(path: Path, file: IO[bytes]) -> None:
    """Raise DataError for a table or a web page that is called a workbook, as many programs export them."""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not head or head.startswith(BOOK_MARKS) or (looks_binary(head) and not wide):
        return
    beginning = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if beginning.startswith(b"<"):
        raise DataError(
            f"{path}: is a web page or XML, and no workbook, whatever its name ends in, as some programs export tables. "
            f"Open it in a spreadsheet, and {WAY_OUT}."
        )
    first = beginning.splitlines()[0] if beginning else b""
    better = ".tsv" if b"\t" in first else ".csv"
    raise DataError(f"{path}: is text, and no workbook, whatever its name ends in. {rename(path, better)}")


def check_size(path: Path, file: IO[bytes]) -> None:
    """Raise DataError for a workbook that would fill the memory: its parts are unpacked, and counted, one after the other."""
    mark, size = file.read(2), 0
    file.seek(0)
    if mark != b"PK":
        return
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                with archive.open(member) as part:
                    while size <= MOST_BYTES and (chunk := part.read(CHUNK_BYTES)):
                        size += len(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise damaged(path, error) from None
    if size > MOST_BYTES:
        raise DataError(f"{path}: holds more than {MOST_BYTES >> 20:,} MB, unpacked. Part it, or {WAY_OUT}.")
    file.seek(0)


def shown_sheets(book: "CalamineWorkbook") -> list[str]:
    """The names of sheets of cells that are not hidden, in their order."""
    return [
        sheet.name
        for sheet in book.sheets_metadata
        if str(sheet.visible).endswith("Visible") and str(sheet.typ).endswith("WorkSheet")
    ]


def rows_of(sheet: "CalamineSheet") -> Iterator[Row]:
    """Each row that is not blank, with its number."""
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        values = [written(cell) for cell in cells]
        if any(map(str.strip, values)):
            yield number, values


def written(cell: Any) -> str:
    """A cell as a CSV file would have it.

    >>> written(4.0), written(datetime.datetime(2024, 1, 31)), written(True)
    ('4', '2024-01-31', 'True')
    """
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ")
    return str(cell)
