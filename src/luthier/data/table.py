"""Rows as they were read: columns that stay on disk, and where each row came from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Place:
    """Where a row stands in the user's own files, for messages and reports."""

    file: str
    line: int
    """Line of the file, counted from 1, where the row begins. For parquet, and JSON that is one list: the row, from 1."""

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True)
class Table:
    """Rows of one file, or of several read one after the other (the split files of one data set).

    A row is known by its position in the table, counted from 0, over all its files.
    """

    columns: pa.Table
    """Memory-mapped. Strings, numbers, booleans and lists as the file held them; in CSV every value is a string."""
    files: tuple[Path, ...]
    file_of: Ints
    """(rows,) index into `files`."""
    line_of: Ints
    """(rows,) line in that file."""

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    @property
    def names(self) -> list[str]:
        return list(self.columns.column_names)

    def place(self, row: int) -> Place:
        return Place(self.files[self.file_of[row]].name, int(self.line_of[row]))

    def values(self, name: str, rows: Sequence[int] | Ints | None = None) -> list[Any]:
        """A column's values as Python objects, of all rows or of those named, in their order."""
        column = self.columns.column(name)
        values: list[Any] = (column if rows is None else column.take(pa.array(rows, pa.int64()))).to_pylist()
        return values

    def texts(self, name: str, rows: Sequence[int] | Ints | None = None) -> list[str]:
        """A column as texts: what is missing is the empty text, and a number is written out."""
        return ["" if value is None else str(value) for value in self.values(name, rows)]

    def rows_of_file(self, index: int) -> Ints:
        """Rows that came from `files[index]`."""
        return np.flatnonzero(self.file_of == index)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over names, types and values, in row order: the same rows give the same, whatever the file format's
        compression or the file's place."""
        digest = hashlib.sha256()
        for field in self.columns.schema:
            digest.update(f"{field.name}\0{field.type}\0".encode())
        for batch in self.columns.combine_chunks().to_batches(max_chunksize=65_536):
            # A slice shares its parent's buffers: the IPC writer cuts them to the slice.
            digest.update(batch.serialize())
        return digest.hexdigest()

    @staticmethod
    def join(tables: Sequence["Table"]) -> "Table":
        """One table from the tables of several files with the same columns, in the order given."""
        first = tables[0]
        if len(tables) == 1:
            return first
        counts = np.cumsum([0] + [len(table.files) for table in tables])
        return Table(
            columns=pa.concat_tables([table.columns.select(first.names) for table in tables]),
            files=tuple(file for table in tables for file in table.files),
            file_of=np.concatenate([table.file_of + start for table, start in zip(tables, counts, strict=False)]),
            line_of=np.concatenate([table.line_of for table in tables]),
        )
