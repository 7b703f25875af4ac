"""Rows as they were read: columns that stay on disk, and where each row came from."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from luthier.arrays import Ints
from luthier.data.column_facts import Facts, facts_of, spread_rows
from luthier.data.fingerprint import fingerprint
from luthier.data.images.names import ImageNames
from luthier.data.layout import NO_LAYOUT, Layout
from luthier.errors import DataError, did_you_mean, first_line, listing


@dataclass(frozen=True)
class Place:
    """Where a row stands in the user's own files, for messages and reports."""

    file: str
    line: int
    """Line of the file, from 1, where the row begins. In parquet, and JSON that is a list: the row."""

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True)
class Table:
    """Rows of one file, or of several read one after the other (the split files of one data set).

    A row is known by its position in the table, counted from 0, over all its files.
    """

    columns: pa.Table
    """The columns, memory-mapped. Strings, numbers, lists and so on, as in the file; in CSV every value is a string."""
    files: tuple[Path, ...]
    file_of: Ints
    """(rows,) index into `files`."""
    line_of: Ints
    """(rows,) line in that file where each row begins, from 1."""
    guesses: tuple[str, ...] = ()
    """Sentences on what was assumed about the files, such as an encoding, each with the setting that corrects it."""
    encodings: tuple[str | None, ...] = ()
    """The encoding of each file, as Python names it, or None for a file that is not text; empty where nothing is known."""
    layout: Layout = NO_LAYOUT
    headed: bool = True
    """Whether the first file names its columns."""
    image_names: Mapping[Path, ImageNames] = dataclasses.field(default_factory=dict)
    """For each file, how the names of images in it lead to their files, where that was looked for."""

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
        values: list[Any] = (
            column.to_pylist() if rows is None else picked(column, np.asarray(rows, dtype=np.int64))
        )
        return values

    def pieces(self, name: str, size: int = 65_536) -> Iterator[tuple[int, list[str]]]:
        """A column as texts, a piece at a time: the first row of each, and its values."""
        begin = 0
        for chunk in self.columns.column(name).chunks:
            for at in range(0, len(chunk), size):
                values = chunk.slice(at, size).to_pylist()
                yield begin, ["" if value is None else str(value) for value in values]
                begin += len(values)

    def texts(self, name: str, rows: Sequence[int] | Ints | None = None) -> list[str]:
        """A column as texts: what is missing is the empty text, and a number is written out."""
        return ["" if value is None else str(value) for value in self.values(name, rows)]

    def rows_of_file(self, index: int) -> Ints:
        """Rows that came from `files[index]`."""
        return np.flatnonzero(self.file_of == index)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over names, types and values, in row order: the same rows give the same, whatever the place
        and compression of the file."""
        return fingerprint(self.columns)

    @cached_property
    def sample(self) -> Ints:
        """Numbers of the rows that stand for all where columns are told apart."""
        return spread_rows(len(self), len(self.names))

    def facts(self, names: Sequence[str] | None = None) -> list[Facts]:
        """Facts about the values of all columns, or of those named, over the sample. Each column is looked at only once."""
        for name in names or self.names:
            if name not in self.facts_seen:
                column = self.columns.schema.field(name)
                self.facts_seen[name] = facts_of(column, self.texts(name, self.sample))
        return [self.facts_seen[name] for name in names or self.names]

    @cached_property
    def facts_seen(self) -> dict[str, Facts]:
        """The facts of the columns that were asked for so far, by name."""
        return {}

    @staticmethod
    def join(tables: Sequence["Table"]) -> "Table":
        """One table from the tables of several files, in the order given, with the columns of the first.

        Raises DataError when another lacks one of them, or holds values of another kind in it.
        """
        first = tables[0]
        if len(tables) == 1:
            return first
        tables = [first, *(in_form_of(first, table) for table in tables[1:])]
        for table in tables[1:]:
            check_columns(first, table)
        counts = np.cumsum([0] + [len(table.files) for table in tables])
        return Table(
            columns=joined_columns(tables),
            files=tuple(file for table in tables for file in table.files),
            file_of=np.concatenate(
                [table.file_of + start for table, start in zip(tables, counts, strict=False)]
            ),
            line_of=np.concatenate([table.line_of for table in tables]),
            guesses=tuple(guess for table in tables for guess in table.guesses),
            encodings=tuple(encoding for table in tables for encoding in table.encodings),
            layout=joined_layout(tables),
            headed=first.headed,
            image_names={file: names for table in tables for file, names in table.image_names.items()},
        )

    def with_columns(self, columns: pa.Table) -> "Table":
        """The same rows with other columns."""
        return replace(self, columns=columns)


def joined_columns(tables: Sequence[Table]) -> pa.Table:
    """The rows of all tables, with the columns of the first. Raises DataError for values that no type of a column holds."""
    names = tables[0].names
    try:
        return pa.concat_tables(
            [table.columns.select(names) for table in tables], promote_options="permissive"
        )
    except pa.ArrowInvalid as error:
        files = listing([str(table.files[0]) for table in tables])
        raise DataError(
            f"{files}: the values of a column do not go together ({first_line(error)}). Write it in the same form in all of them."
        ) from None


def joined_layout(tables: Sequence[Table]) -> Layout:
    """The layout of the first table, with the rows of all tables that were set aside."""
    set_aside: dict[str, list[Ints]] = {}
    begin = 0
    for table in tables:
        for reason, rows in table.layout.set_aside.items():
            set_aside.setdefault(reason, []).append(rows + begin)
        begin += len(table)
    return replace(
        tables[0].layout,
        set_aside={reason: np.concatenate(rows) for reason, rows in set_aside.items()},
        turns=frozenset().union(*(table.layout.turns for table in tables)),
    )


def picked(column: pa.ChunkedArray, rows: Ints) -> list[Any]:
    """The values of some rows, in their order. (Arrow's `take` first copies all chunks into memory.)"""
    ends = np.cumsum([len(chunk) for chunk in column.chunks], dtype=np.int64)
    chunk_of = np.searchsorted(ends, rows, side="right")
    order = np.argsort(chunk_of, kind="stable")
    values: list[Any] = [None] * len(rows)
    for places in np.split(order, np.flatnonzero(np.diff(chunk_of[order])) + 1):
        if len(places):
            number = chunk_of[places[0]]
            chunk = column.chunk(number)
            inside = rows[places] - (ends[number] - len(chunk))
            for place, value in zip(places, chunk.take(pa.array(inside)).to_pylist(), strict=True):
                values[place] = value
    return values


def in_form_of(first: Table, other: Table) -> Table:
    """A table with a list of one label in each row, where the form of `first` has lists of labels and it single ones.

    A tool may write one label as it is and several as a list, and a small file may have no row with several.
    """
    name = first.layout.columns.get("label")
    if name is None or name not in other.names or first.layout.task == "token-classification":
        return other
    wanted, there = (table.columns.schema.field(name).type for table in (first, other))
    if not pa.types.is_list(wanted) or pa.types.is_nested(there) or pa.types.is_null(there):
        return other
    lists = [None if value in (None, "") else [value] for value in other.values(name)]
    array = pa.chunked_array([pa.array(lists, pa.list_(there))])
    return other.with_columns(other.columns.set_column(other.names.index(name), name, array))


def check_columns(first: Table, other: Table) -> None:
    """Raise DataError unless `other` has all columns of `first`, of types that go together."""
    for field in first.columns.schema:
        if field.name not in other.names:
            raise DataError(
                f"{other.files[0]}: has no column {field.name!r}, which {first.files[0]} has."
                f"{did_you_mean(field.name, other.names)} Its columns: {listing(other.names)}."
            )
        there = other.columns.schema.field(field.name)
        try:
            pa.unify_schemas([pa.schema([field]), pa.schema([there])], promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise DataError(
                f"{other.files[0]}: column {field.name!r} is of type {there.type}, "
                f"but in {first.files[0]} it is of {field.type}. Write it in the same form in both."
            ) from None
        check_turns(first, other, field.name)


def check_turns(first: Table, other: Table, name: str) -> None:
    """Raise DataError for a column that holds turns of conversations in one table and texts in the other."""
    with_turns = [name in table.layout.turns for table in (first, other)]
    if with_turns[0] != with_turns[1] and all(any(table.texts(name)) for table in (first, other)):
        holds = ["turns" if turns else "texts" for turns in with_turns]
        raise DataError(
            f"{other.files[0]}: column {name!r} holds {holds[1]}, but in {first.files[0]} it holds {holds[0]} of conversations. "
            "Write it in the same form in both."
        )
