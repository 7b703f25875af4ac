"""Arrow's own files: the file and the stream form of its IPC, as .arrow and as .feather."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa

from luthier.data.formats.ceilings import Unpacked, check_columns, check_extent
from luthier.data.formats.names import check_names
from luthier.data.formats.parquet import WRITE_ANEW, pieces, seekable, telling_damage, unpacked_bytes
from luthier.data.formats.plain_rows import Plainly
from luthier.data.formats.spill import spilling
from luthier.data.table import Table
from luthier.errors import DataError

FILE_MARK, FIRST_FEATHER_MARK = b"ARROW1", b"FEA1"


def read_arrow(path: Path) -> Table:
    """The rows of an Arrow file; the line of a row is its number, from 1."""
    with seekable(path) as file, telling_damage(path, "Arrow"), spilling(path) as spill:
        mark = file.read(len(FILE_MARK))
        file.seek(0)
        if mark.startswith(FIRST_FEATHER_MARK):
            raise DataError(
                f"{path}: is in the first form of Feather, which is not read any more. Read it with pandas, and write it anew."
            )
        if not mark:
            raise DataError(f"{path}: is empty. Write it anew with rows in it.")
        fields, batches = opened(file, mark == FILE_MARK)
        check_columns(path, len(fields))
        unpacked = Unpacked(path, path.stat().st_size, WRITE_ANEW)
        plainly = Plainly(path, check_names(path, fields.names), fields)
        for batch in batches:
            batch.validate()
            unpacked.add(sum(map(unpacked_bytes, batch.columns)))
            check_extent(path, spill.rows + batch.num_rows, max(len(fields), 1))
            for piece in pieces(batch):
                plainly.lay_out(piece, spill)
        if not spill.rows:
            raise DataError(f"{path}: holds no rows. Write it anew with rows in it.")
        return plainly.table(spill)


def opened(file: IO[bytes], is_file: bool) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema, and the batches one after the other."""
    if is_file:
        reader = pa.ipc.open_file(file)
        return reader.schema, (reader.get_batch(number) for number in range(reader.num_record_batches))
    stream = pa.ipc.open_stream(file)
    return stream.schema, iter(stream)
