"""The bytes of each image of a table, wherever they are kept. No archive is unpacked."""

import errno
import gzip
import os
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pyarrow as pa

from luthier.data.image_files import is_gzip, is_image_set, tar_spans, telling_archive_errors, zip_members
from luthier.data.problems import shorten
from luthier.data.raw_bytes import telling_read_errors
from luthier.data.spill import telling_spill_errors, temporary_file
from luthier.data.table import Table
from luthier.errors import DataError

Reader = Callable[[str], bytes]
"""From an image's name to its bytes. Raises FileNotFoundError when there is none of that name."""

NO_SUCH_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR)
CHUNK_BYTES = 1 << 20


class ImageSource:
    """Images by their rows. May be asked from several threads at once.

    The column holds names, as `read_images` gives them; or paths, from the folder of the file they stand in or else from the
    working folder; or the bytes themselves, alone or as `{bytes, path}`, as the library `datasets` writes them.
    """

    def __init__(self, table: Table, column: str = "image") -> None:
        self.table = table
        self.column = column
        check_column(table, column)
        opened = {file: reader(file) for file in dict.fromkeys(table.files)}
        self.readers = [opened[file] for file in table.files]

    def __len__(self) -> int:
        return len(self.table)

    def bytes_of(self, row: int) -> bytes:
        """The file of a row's image. Raises DataError when the row names none, or there is no such file."""
        value = self.table.values(self.column, [row])[0]
        if isinstance(value, dict):
            value = value["path"] if value["bytes"] is None else value["bytes"]
        if isinstance(value, bytes):
            raw: bytes = value
            return raw
        if not value:
            raise DataError(
                f"{self.table.place(row)}: names no image in column {self.column!r}. Write its path there, or delete the row."
            )
        try:
            return self.readers[int(self.table.file_of[row])](str(value))
        except FileNotFoundError:
            raise DataError(self.missing(row, value)) from None

    def names_none(self, row: int) -> bool:
        """Whether a row has neither the name of an image nor its bytes."""
        value = self.table.values(self.column, [row])[0]
        if isinstance(value, dict):
            value = value["path"] if value["bytes"] is None else value["bytes"]
        return not (value.strip() if isinstance(value, str) else value)

    def name_of(self, row: int) -> str:
        """An image as messages call it."""
        value = self.table.values(self.column, [row])[0]
        name = value.get("path") if isinstance(value, dict) else value
        file = self.table.files[self.table.file_of[row]]
        if isinstance(name, str) and is_image_set(file):
            return f"{file}: {name}"
        return f"{self.table.place(row)}{f': {shorten(name)}' if isinstance(name, str) and name else ''}"

    def missing(self, row: int, name: str) -> str:
        file = self.table.files[self.table.file_of[row]]
        if is_image_set(file):
            return f"{self.name_of(row)} is not there any more. Put it back, or start anew without it."
        if name.startswith(("http://", "https://")):
            return f"{self.name_of(row)} is an address, and nothing is downloaded. Fetch it, and name the file there."
        folders = " or ".join(repr(str(folder)) for folder in dict.fromkeys(folders_of(file)))
        place = "" if os.path.isabs(name) else f" in {folders}"
        return f"{self.name_of(row)} is not there{place}. Correct the path, or delete the row."


def check_column(table: Table, column: str) -> None:
    """Raise DataError unless a column holds names or bytes."""
    kind = table.columns.schema.field(column).type
    names = {field.name for field in kind} if pa.types.is_struct(kind) else set()
    if not (is_bytes(kind) or pa.types.is_string(kind) or names >= {"bytes", "path"}):
        raise DataError(
            f"{table.files[0]}: column {column!r} is of type {kind} and cannot hold images. Expected paths, or the bytes "
            "of image files (in parquet: binary, or a struct of bytes and path)."
        )


def is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def reader(file: Path) -> Reader:
    """What reads the images that belong to a file of rows, a folder or an archive."""
    if not is_image_set(file):
        return files_in(*folders_of(file))
    if file.is_dir():
        return files_in(file)
    return zip_reader(file) if file.suffix.lower() == ".zip" else tar_reader(file)


def folders_of(file: Path) -> tuple[Path, Path]:
    """Where paths that stand in a file may begin."""
    return file.absolute().parent, Path.cwd()


def files_in(*folders: Path) -> Reader:
    """Files by their path, from the first of some folders that has it."""

    def read(name: str) -> bytes:
        for folder in folders:
            path = folder / name
            with telling_read_errors(path):
                try:
                    return path.read_bytes()
                except OSError as error:
                    if error.errno not in NO_SUCH_FILE:
                        raise
                except ValueError:
                    pass  # A zero character: no file has one in its name.
        raise FileNotFoundError(name)

    return read


def tar_reader(path: Path) -> Reader:
    """Members of a tar file, each read where it stands. One that is compressed is laid out in a temporary file first."""
    file = uncompressed(path)
    with telling_archive_errors(path):
        spans = tar_spans(path, file)

    def read(name: str) -> bytes:
        span = spans.get(name)
        if span is None:
            raise FileNotFoundError(name)
        with telling_read_errors(path):
            raw = os.pread(
                file.fileno(), span.size, span.offset
            )  # It has no position that threads would share.
        if len(raw) < span.size:
            raise DataError(f"{path}: is cut off in {name!r}. Copy or download it again.")
        return raw

    return read


def uncompressed(path: Path) -> IO[bytes]:
    """The bytes of a file, to be read in any order."""
    with telling_read_errors(path):
        file = open(path, "rb")  # noqa: SIM115  # It stays open as long as it is read.
        if not is_gzip(file):
            return file
        with file, gzip.GzipFile(fileobj=file) as unzipped:
            laid_out = temporary_file(path)
            while chunk := unzipped.read(CHUNK_BYTES):
                with telling_spill_errors(path):
                    laid_out.write(chunk)
            with telling_spill_errors(path):
                laid_out.seek(0)
            return laid_out


def zip_reader(path: Path) -> Reader:
    """Members of a zip file, one at a time: zipfile counts its readers without a lock."""
    with telling_read_errors(path), telling_archive_errors(path):
        archive = zipfile.ZipFile(path)
    members = zip_members(path, archive)
    turn = threading.Lock()

    def read(name: str) -> bytes:
        member = members.get(name)
        if member is None:
            raise FileNotFoundError(name)
        try:
            with turn, telling_read_errors(path), telling_archive_errors(path):
                return archive.read(member)
        except NotImplementedError as error:
            raise DataError(
                f"{path}: {name!r} is compressed in a way that is not read ({error}). Pack it anew."
            ) from error

    return read
