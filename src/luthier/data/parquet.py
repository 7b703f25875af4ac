"""Parquet files, their types brought to those that the other readers give."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.names import check_names
from luthier.data.problems import shorten
from luthier.data.raw_bytes import open_bytes
from luthier.data.spill import BATCH_CHARACTERS, BATCH_ROWS, spilling, telling_spill_errors, temporary_file
from luthier.data.table import Table
from luthier.errors import DataError

CHUNK_BYTES = 1 << 20


def read_parquet(path: Path) -> Table:
    """The rows of a parquet file; the line of a row is its number, from 1."""
    with seekable(path) as file, telling_parquet_errors(path), spilling(path) as spill:
        parquet = pq.ParquetFile(file)
        fields = parquet.schema_arrow
        names = check_names(path, fields.names)
        if not parquet.metadata.num_rows:
            raise DataError(f"{path}: holds no rows. Write it anew with rows in it.")
        schema = pa.schema(
            [(name, plain(fields.field(position).type)) for position, name in enumerate(names)]
        )
        for batch in parquet.iter_batches(rows_at_a_time(parquet.metadata)):
            batch.validate(full=True)  # strings that are not UTF-8, for one
            columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
            spill.write(columns, schema, range(spill.rows + 1, spill.rows + 1 + batch.num_rows))
        if spill.rows != parquet.metadata.num_rows:
            raise ValueError(f"it should have {parquet.metadata.num_rows:,} rows and has {spill.rows:,}")
        return spill.table()


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
def telling_parquet_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # The disk's, not the file's.
        words = shorten(next(iter(str(error).splitlines()), type(error).__name__).rstrip("."))
        raise DataError(f"{path}: is not a whole parquet file ({words}). Write or copy it anew.") from error


def rows_at_a_time(metadata: pq.FileMetaData) -> int:
    """Rows of a batch: fewer where they are long."""
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    longest = max(group.total_byte_size / max(group.num_rows, 1) for group in groups)
    return max(1, min(BATCH_ROWS, int(BATCH_CHARACTERS / max(longest, 1))))


def plain(type: pa.DataType) -> pa.DataType:
    """The type without what only concerns storage: dictionaries, 64-bit offsets, views, fixed sizes.

    >>> plain(pa.large_list(pa.dictionary(pa.int8(), pa.large_string())))
    ListType(list<item: string>)
    """
    if pa.types.is_dictionary(type):
        return plain(type.value_type)
    if isinstance(type, pa.BaseExtensionType):
        return plain(type.storage_type)
    if pa.types.is_large_string(type) or pa.types.is_string_view(type):
        return pa.string()
    if pa.types.is_list(type) or pa.types.is_large_list(type) or pa.types.is_fixed_size_list(type):
        return pa.list_(plain(type.value_type))
    if pa.types.is_struct(type):
        return pa.struct([(field.name, plain(field.type)) for field in type])
    return type
