"""Parquet files, their types brought to those that the other readers give."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from luthier.data.formats.ceilings import Unpacked, check_columns, check_extent
from luthier.data.formats.json_types import MOST_LEVELS
from luthier.data.formats.names import check_names
from luthier.data.formats.plain_rows import Plainly
from luthier.data.formats.spill import (
    BATCH_CHARACTERS,
    BATCH_ROWS,
    spilling,
    telling_spill_errors,
    temporary_file,
)
from luthier.data.raw_bytes import open_bytes
from luthier.data.table import Table
from luthier.errors import DataError, shorten

WRITE_ANEW = (
    "If its rows are wanted, write them as CSV or JSON lines, without the columns that are not needed."
)
CHUNK_BYTES = 1 << 20
PIECE_BYTES = 64_000_000
MOST_FOOTER_BYTES = 32_000_000
MARK = b"PAR1"
WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}
"""Bytes of a value, by its physical type; a text has 4 for where it ends."""


def read_parquet(path: Path) -> Table:
    """The rows of a parquet file; the line of a row is its number, from 1."""
    with seekable(path) as file, telling_damage(path, "parquet"), spilling(path) as spill:
        check_footer(path, file)
        encoded = pq.ParquetFile(file)
        if not encoded.metadata.num_rows:
            raise DataError(f"{path}: holds no rows. Write it anew with rows in it.")
        unpacked = Unpacked(path, path.stat().st_size, WRITE_ANEW)
        check_declared(encoded.metadata, unpacked)
        fields = encoded.schema_arrow
        names = check_names(path, fields.names)
        parquet = pq.ParquetFile(
            file, metadata=encoded.metadata, read_dictionary=dictionaries(encoded.metadata)
        )
        plainly = Plainly(path, names, fields)
        for batch in parquet.iter_batches(rows_at_a_time(parquet.metadata)):
            unpacked.add(sum(map(unpacked_bytes, batch.columns)))
            for piece in pieces(batch):
                plainly.lay_out(piece, spill)
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


def check_footer(path: Path, file: IO[bytes]) -> None:
    """Raise DataError for a description of columns that is too large to be read; it stands at the end, with its length."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - 8, 0))
    length, mark = int.from_bytes(file.read(4), "little"), file.read(4)
    file.seek(0)
    if mark == MARK and MOST_FOOTER_BYTES < length < end:
        raise DataError(
            f"{path}: describes its columns in {length / 1e6:,.0f} MB. At most {MOST_FOOTER_BYTES / 1e6:,.0f} MB are read: write "
            "a copy with the columns that hold the text and the label, in fewer row groups."
        )


def check_declared(metadata: pq.FileMetaData, unpacked: Unpacked) -> None:
    """Raise DataError for more than is read, by what the file says of itself, before any of it is unpacked."""
    depths = [metadata.schema.column(at).path.count(".") for at in range(metadata.num_columns)]
    check_columns(unpacked.path, metadata.num_columns)
    check_extent(unpacked.path, metadata.num_rows, max(metadata.num_columns, 1))
    if max(depths, default=0) > 2 * MOST_LEVELS:  # Each list has two levels of its own.
        raise DataError(
            f"{unpacked.path}: has lists and objects more than {MOST_LEVELS} levels deep. Flatten them."
        )
    unpacked.reach(sum(map(declared_bytes, groups_of(metadata))))
    unpacked.reach(0)


def groups_of(metadata: pq.FileMetaData) -> list[pq.RowGroupMetaData]:
    return [metadata.row_group(index) for index in range(metadata.num_row_groups)]


def declared_bytes(group: pq.RowGroupMetaData) -> int:
    """At least what a group takes once it is unpacked: equal values next to each other are written as one and a count."""
    columns = [group.column(at) for at in range(group.num_columns)]
    return sum(
        max(column.total_uncompressed_size, column.num_values * WIDTHS.get(column.physical_type, 4))
        for column in columns
    )


def rows_at_a_time(metadata: pq.FileMetaData) -> int:
    """Number of rows of a batch: fewer where rows are long."""
    longest = max(declared_bytes(group) / max(group.num_rows, 1) for group in groups_of(metadata))
    return max(1, min(BATCH_ROWS, int(BATCH_CHARACTERS / max(longest, 1))))


def dictionaries(metadata: pq.FileMetaData) -> list[str]:
    """Columns of which each different value is written once. They are read as such: unpacked, they may fill the memory."""
    columns = [group.column(at) for group in groups_of(metadata) for at in range(group.num_columns)]
    return sorted(
        {
            column.path_in_schema
            for column in columns
            if column.has_dictionary_page and column.physical_type == "BYTE_ARRAY"
        }
    )


def unpacked_bytes(values: pa.Array) -> int:
    """What values take without dictionaries. Raises ValueError for a value that its dictionary does not have.

    >>> unpacked_bytes(pa.array(["abc", "abc"]).dictionary_encode())
    14
    """
    if pa.types.is_dictionary(values.type):
        used = values.indices.drop_null().to_numpy(zero_copy_only=False)
        if len(used) and not 0 <= used.min() <= used.max() < len(values.dictionary):
            raise ValueError("a value is not in its dictionary")
        if not pa.types.is_string(values.type.value_type) and not pa.types.is_binary(values.type.value_type):
            return int(values.dictionary.nbytes * len(used) / max(len(values.dictionary), 1))
        lengths = pc.binary_length(values.dictionary).fill_null(0).to_numpy(zero_copy_only=False)
        return int(lengths[used].sum(dtype=np.int64)) + 4 * len(values)
    if isinstance(values, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        return 4 * len(values) + unpacked_bytes(values.flatten())
    if pa.types.is_struct(values.type):
        return sum(map(unpacked_bytes, values.flatten()))
    return int(values.nbytes)


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch cut into parts that fit memory once their dictionaries are unpacked."""
    fits = batch.num_rows <= BATCH_ROWS and sum(map(unpacked_bytes, batch.columns)) <= PIECE_BYTES
    if batch.num_rows <= 1 or fits:
        yield batch
        return
    half = batch.num_rows // 2
    yield from pieces(batch.slice(0, half))
    yield from pieces(batch.slice(half))
