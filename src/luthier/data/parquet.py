"""Parquet files, their types brought to those that the other readers give."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.names import check_names
from luthier.data.plain_rows import Plainly
from luthier.data.problems import shorten
from luthier.data.raw_bytes import open_bytes
from luthier.data.spill import BATCH_CHARACTERS, BATCH_ROWS, spilling, telling_spill_errors, temporary_file
from luthier.data.table import Table
from luthier.errors import DataError

CHUNK_BYTES = 1 << 20


def read_parquet(path: Path) -> Table:
    """The rows of a parquet file; the line of a row is its number, from 1."""
    with seekable(path) as file, telling_damage(path, "parquet"), spilling(path) as spill:
        parquet = pq.ParquetFile(file)
        fields = parquet.schema_arrow
        names = check_names(path, fields.names)
        if not parquet.metadata.num_rows:
            raise DataError(f"{path}: holds no rows. Write it anew with rows in it.")
        plainly = Plainly(path, names, fields)
        for batch in parquet.iter_batches(rows_at_a_time(parquet.metadata)):
            plainly.lay_out(batch, spill)
        if spill.rows != parquet.metadata.num_rows:
            raise ValueError(f"it should have {parquet.metadata.num_rows:,} rows and has {spill.rows:,}")
        return plainly.table(spill)


@contextlib.contextmanager
def seekable(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file in any order, as parquet needs them: a gzip file is laid out in a temporary one."""
    with open_bytes(path) as file:
        if path.suffix.lower() != ".gz":
            yield file
            return
        with temporary_file(path) as unzipped:
            while chunk := file.read(CHUNK_BYTES):
                with telling_spill_errors(path):
                    unzipped.write(chunk)
            unzipped.seek(0)
            yield unzipped


@contextlib.contextmanager
def telling_damage(path: Path, form: str) -> Iterator[None]:
    """What Arrow says of a damaged file turned into a sentence."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # The disk's, not the file's.
        words = shorten(next(iter(str(error).splitlines()), type(error).__name__).rstrip("."))
        raise DataError(f"{path}: is not a whole {form} file ({words}). Write or copy it anew.") from error


def rows_at_a_time(metadata: pq.FileMetaData) -> int:
    """Rows of a batch: fewer where they are long."""
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    longest = max(group.total_byte_size / max(group.num_rows, 1) for group in groups)
    return max(1, min(BATCH_ROWS, int(BATCH_CHARACTERS / max(longest, 1))))
