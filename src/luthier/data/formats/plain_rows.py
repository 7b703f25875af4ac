"""Batches of Arrow, as parquet and Arrow files hold them, brought to the types that the other readers give."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from luthier.data.formats.class_names import (
    NO_CLASS,
    NoSuchClass,
    features_of,
    named_type,
    unknown_classes,
    with_names,
)
from luthier.data.formats.idle_columns import without_idle_columns
from luthier.data.formats.spill import Spill
from luthier.data.table import Table
from luthier.errors import DataError, counted, listing, shorten

NOT_UTF8 = "Invalid UTF8"


class Plainly:
    """Lays batches of one file out, numbers of classes as the names that the file's metadata have for them."""

    def __init__(self, path: Path, names: Sequence[str], fields: pa.Schema) -> None:
        self.path = path
        known = features_of(fields)
        self.features = [known.get(name) for name in names]
        numbers = [plain(field.type) for field in fields]
        types = [named_type(type, feature) for type, feature in zip(numbers, self.features, strict=True)]
        self.schema = pa.schema(list(zip(names, types, strict=True)))
        self.named = [
            name for name, before, type in zip(names, numbers, types, strict=True) if before != type
        ]
        self.unknown = dict.fromkeys(names, 0)

    def lay_out(self, batch: pa.RecordBatch, spill: Spill) -> None:
        """Write a batch. Raises DataError for the number of a class that has no name."""
        validate(batch)
        columns = []
        for column, field, feature in zip(batch.columns, self.schema, self.features, strict=True):
            column = column.cast(plain(column.type))
            self.unknown[field.name] += unknown_classes(column, feature)
            try:
                columns.append(with_names(column, feature).cast(field.type))
            except NoSuchClass as wrong:
                raise DataError(
                    f"{self.path}, row {spill.rows + 1 + wrong.row}, column {shorten(field.name)!r}: {wrong.number} "
                    f"is the number of no class: the file's metadata name {wrong.names}, from 0. Correct the number, or write "
                    "the file anew with a name for each class."
                ) from None
        spill.write(columns, self.schema, range(spill.rows + 1, spill.rows + 1 + batch.num_rows))

    def table(self, spill: Spill) -> Table:
        """The table of all rows that were written, and sentences for the user on it."""
        return without_idle_columns(replace(spill.table(), guesses=tuple(self.told())))

    def told(self) -> list[str]:
        told = []
        if self.named:
            told.append(
                f"{self.path}: the numbers in {listing(map(shorten, self.named))} are classes whose names stand in the file's "
                "metadata, and are read as these; a file without the metadata has numbers."
            )
        for name, count in self.unknown.items():
            if count:
                told.append(
                    f"{self.path}: {counted(count, 'row')} with {NO_CLASS} in {shorten(name)!r}, that is of no "
                    "known class."
                )
        return told


def validate(batch: pa.RecordBatch) -> None:
    """Raise ArrowInvalid for what Arrow would read wrongly, such as strings that are not UTF-8.

    Of a dictionary's strings the place in the rows is told, not that in the dictionary.
    """
    for number, column in enumerate(batch.columns):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            if pa.types.is_dictionary(column.type) and NOT_UTF8 in str(error):
                try:
                    column.cast(plain(column.type)).validate(full=True)
                except pa.ArrowInvalid as unpacked:
                    raise pa.ArrowInvalid(f"In column {number}: Invalid: {unpacked}") from None
            raise pa.ArrowInvalid(f"In column {number}: Invalid: {error}") from None


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
