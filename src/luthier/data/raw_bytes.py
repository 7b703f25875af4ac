"""The bytes of a file, gzip undone, and what the disk or a damaged file says turned into sentences."""

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from luthier.errors import DataError, WorldError

GZIP_MARK = b"\x1f\x8b"


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The file opened for reading; one that ends in .gz is decompressed on the way."""
    with telling_read_errors(path), open(path, "rb") as file:
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
        with gzip.GzipFile(fileobj=file) as unzipped:
            yield cast(BinaryIO, unzipped)


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
