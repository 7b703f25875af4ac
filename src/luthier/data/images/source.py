"""The bytes of each image of a table, wherever they are kept. No archive is unpacked."""

import errno
import os
from pathlib import Path

import pyarrow as pa

from luthier.data.images.archives import Reader, archive_reader
from luthier.data.images.files import is_image_set
from luthier.data.images.image_bytes import image_bytes
from luthier.data.images.names import Finder, ImageNames, scheme_of
from luthier.data.raw_bytes import telling_read_errors
from luthier.data.table import Table
from luthier.errors import DataError, shorten

NO_SUCH_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR, errno.ELOOP)


class ImageSource:
    """The bytes of images by their rows. Several threads may ask for them at once.

    The column holds names, as `read_images` gives them; or paths, which are read as `with_images_in` found that they are to
    be, or else from the folder of the file they stand in, and the working folder; or the bytes themselves, alone or as
    `{bytes, path}`, as the library `datasets` writes them.
    """

    def __init__(self, table: Table, column: str = "image") -> None:
        self.table = table
        self.column = column
        check_column(table, column)
        refuse_lost(table)
        opened = {file: reader(file, table.image_names.get(file)) for file in dict.fromkeys(table.files)}
        self.readers = [opened[file] for file in table.files]

    def __len__(self) -> int:
        return len(self.table)

    def bytes_of(self, row: int) -> bytes:
        """The bytes of a row's image. Raises DataError when the row names none, or there is no such file."""
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
        """The name of a row's image in messages."""
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
        if scheme_of(name) is not None:
            return f"{self.name_of(row)} is an address, and nothing is downloaded. Fetch it, and name the file there."
        names = self.table.image_names.get(file) or ImageNames(folders_of(file))
        folders = " or ".join(repr(str(folder)) for folder in dict.fromkeys(names.folders))
        place = "" if names.rooted and os.path.isabs(name) else f" in {folders}"
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


def refuse_lost(table: Table) -> None:
    """Raise DataError for a file whose names lead to no images."""
    for names in table.image_names.values():
        if names.refusal:
            raise DataError(names.refusal)


def is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def reader(file: Path, names: ImageNames | None) -> Reader:
    """A reader of the images that belong to a file of rows, a folder or an archive. names: how names are read, where that
    was looked for."""
    if not is_image_set(file):
        return files_by(names or ImageNames(folders_of(file)))
    if file.is_dir():
        return files_by(ImageNames((file,)))
    return archive_reader(file)


def folders_of(file: Path) -> tuple[Path, ...]:
    """The folders that the paths in a file may begin from."""
    return file.absolute().parent, Path.cwd()


def files_by(names: ImageNames) -> Reader:
    """A reader of files by the names that a table gives them."""
    finder = Finder(names)

    def read(name: str) -> bytes:
        path = finder.find(name)
        if path is None:
            raise FileNotFoundError(name)
        with telling_read_errors(path):
            try:
                return image_bytes(path)
            except OSError as error:
                if error.errno not in NO_SUCH_FILE:
                    raise
        raise FileNotFoundError(name)

    return read
