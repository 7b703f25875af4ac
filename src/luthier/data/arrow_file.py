"""Arrow's own files: the file and the stream form of its IPC, as .arrow and as .feather."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa

from luthier.data.names import check_names
from luthier.data.parquet import seekable, telling_damage
from luthier.data.plain_rows import Plainly
from luthier.data.spill import BATCH_CHARACTERS, BATCH_ROWS, spilling
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
        plainly = Plainly(path, check_names(path, fields.names), fields)
        for batch in batches:
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


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch in slices that are laid out at once."""
    rows = max(1, min(BATCH_ROWS, int(BATCH_CHARACTERS * batch.num_rows / max(batch.nbytes, 1))))
    for begin in range(0, batch.num_rows, rows):
        yield batch.slice(begin, rows)
