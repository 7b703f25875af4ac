"""The bytes of a file, decompressed, with errors of the disk or of a damaged file turned into sentences."""

import contextlib
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from luthier.data.formats.ceilings import Unpacked
from luthier.errors import DataError, InputError, WorldError
from luthier.files import open_file

UNPACK = "If its rows are wanted, unpack it, and give the unpacked file."
GZIP_MARK = b"\x1f\x8b"


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The file opened for reading; one that ends in .gz is decompressed on the way.

    Raises DataError for what is no file, such as a pipe, at once; and where more is decompressed than there should be.
    """
    with telling_read_errors(path), open_regular(path) as file:
        if path.suffix.lower() != ".gz":
            yield file
            return
        mark = file.read(2)
        if mark not in (GZIP_MARK, b""):
            raise DataError(
                f"{path}: ends in .gz but is not gzip. If it is not compressed, rename it to {path.stem}; "
                "otherwise compress it anew."
            )
        file.seek(0)
        counter = Unpacked(path, os.fstat(file.fileno()).st_size, UNPACK)
        with gzip.GzipFile(fileobj=file) as unzipped:
            yield cast(BinaryIO, io.BufferedReader(Counted(unzipped, counter)))


def open_regular(path: Path) -> BinaryIO:
    """The file opened for reading. Raises DataError for what can only be waited for, or read once: a pipe, a socket, a device."""
    try:
        return open_file(path)
    except InputError as error:
        raise (DataError(str(error)) if path.is_dir() else no_file(path)) from None


def no_file(path: Path) -> DataError:
    return DataError(
        f"{path}: is a device or a pipe. Expected a file, which can be read more than once: save what comes from it to one."
    )


class Counted(io.RawIOBase):
    """Decompressed bytes, counted as they are read."""

    def __init__(self, unzipped: gzip.GzipFile, counter: Unpacked) -> None:
        super().__init__()
        self.unzipped = unzipped
        self.counter = counter

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.unzipped.seek(offset, whence)

    def tell(self) -> int:
        return self.unzipped.tell()

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        count = self.unzipped.readinto(buffer)
        self.counter.reach(max(self.counter.count, self.unzipped.tell()))
        return count


@contextlib.contextmanager
def telling_read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except EOFError:
        raise DataError(
            f"{path}: is cut off in the middle of its gzip data. Copy or download it again."
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: its gzip data are damaged. Copy or download it again.") from error
    except PermissionError as error:
        raise WorldError(
            f"{path}: no permission to read it. Ask its owner, or copy it to a place of your own."
        ) from error
    except OSError as error:
        raise WorldError(f"{path}: cannot be read ({error.strerror or error}).") from error
