"""Rows laid out in a temporary file and mapped back, so that a table larger than memory is no trouble."""

import contextlib
import errno
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import pyarrow as pa

from luthier.arrays import Ints
from luthier.data.formats.ceilings import check_extent
from luthier.data.table import Table
from luthier.errors import WorldError
from luthier.hashes import hash_file

BATCH_ROWS = 8_192
BATCH_CHARACTERS = 16_000_000
"""A batch is laid out when it has this many rows or, of long ones, this many characters."""


class Spill:
    """Batches of one schema on their way to a file without a name; `table` maps what was written."""

    def __init__(self, source: Path, file: BinaryIO, name: str) -> None:
        self.source = source
        self.file = Digested(file)
        self.name = name
        self.writer: Any = None
        self.schema: pa.Schema | None = None
        self.lines: list[Ints] = []
        self.count = 0

    def write(self, columns: Sequence[pa.Array], schema: pa.Schema, lines: Sequence[int]) -> None:
        """Append a batch; `lines` says where each of its rows begins. Raises DataError for more rows than are read."""
        self.count += len(lines)
        check_extent(self.source, self.count, len(columns))
        with telling_spill_errors(self.source):
            if self.writer is None:
                self.schema = schema
                self.writer = pa.ipc.new_file(self.file, schema)
            self.writer.write_batch(pa.RecordBatch.from_arrays(list(columns), schema=schema))
        self.lines.append(np.asarray(lines, dtype=np.int64))

    @property
    def rows(self) -> int:
        return self.count

    def table(self) -> Table:
        """Everything written, memory-mapped."""
        with telling_spill_errors(self.source):
            self.writer.close()
            self.file.flush()
            if hash_file(Path(self.name)) != self.file.digest.hexdigest():
                raise WorldError(
                    f"{self.name}: rows of {self.source} were laid out here, and are not what was written: another program has "
                    "changed them, or the disk is at fault. Give the same command again, or set TMPDIR to another folder."
                )
            columns = pa.ipc.open_file(pa.memory_map(self.name)).read_all()
        line_of = np.concatenate(self.lines)
        return Table(columns, (self.source,), np.zeros(len(line_of), dtype=np.int64), line_of)


class Digested(io.RawIOBase):
    """A file that is written from its beginning to its end, and the hash of what it was given."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self.file.write(data)

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.file.tell()

    def flush(self) -> None:
        self.file.flush()


@contextlib.contextmanager
def spilling(source: Path) -> Iterator[Spill]:
    """A spill for the rows of `source`. Its file loses its name at the end; what was mapped stays."""
    with telling_spill_errors(source):
        descriptor, name = tempfile.mkstemp(prefix="luthier-", suffix=".arrow")
    file = os.fdopen(descriptor, "wb")
    try:
        yield Spill(source, file, name)
    finally:
        with contextlib.suppress(OSError):  # a full disk, which was told of already
            file.close()
        with contextlib.suppress(PermissionError):  # Windows keeps a file that is mapped
            os.unlink(name)


def temporary_file(source: Path) -> IO[bytes]:
    """A file without a name, for bytes of `source`."""
    with telling_spill_errors(source):
        return tempfile.TemporaryFile(prefix="luthier-")


@contextlib.contextmanager
def telling_spill_errors(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        mend = "Set the environment variable TMPDIR to a folder that has room."
        try:
            folder = tempfile.gettempdir()
        except FileNotFoundError:
            raise WorldError(
                f"{source}: there is no temporary folder to lay its rows out in. {mend}"
            ) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(folder).free
            raise WorldError(
                f"{folder}: the disk is full ({free / 1e6:,.0f} MB free) while rows of {source} were laid "
                "out there. Free some space, or set the variable TMPDIR to a folder that has more."
            ) from error
        raise WorldError(f"{folder}: cannot be written ({error.strerror or error}). {mend}") from error
