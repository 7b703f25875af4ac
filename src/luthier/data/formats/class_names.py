"""Names in the place of numbers of classes, which the library `datasets` writes beside them into a file's metadata."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

KEY = b"huggingface"
NO_CLASS = -1
"""The number that stands for a label that is not known."""


class NoSuchClass(Exception):
    """A number that no name belongs to. `row`: the place in the array, from 0."""

    def __init__(self, row: int, number: int, names: int) -> None:
        super().__init__(row, number, names)
        self.row, self.number, self.names = row, number, names


def features_of(schema: pa.Schema) -> Mapping[str, Any]:
    """The features of each column in a file's metadata; empty where none can be read."""
    try:
        found = json.loads((schema.metadata or {}).get(KEY, b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def inner(feature: Any) -> Any:
    """The feature of the items of a list."""
    if isinstance(feature, list):
        return feature[0] if feature else None
    return feature.get("feature") if isinstance(feature, dict) else None


def names_in(feature: Any) -> list[str] | None:
    """The names of a column of classes; None for what is none."""
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return None
    names = feature.get("names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return None
    return names


def named_type(type: pa.DataType, feature: Any) -> pa.DataType:
    """The type of a column with names in the place of numbers."""
    if is_list(type):
        return pa.list_(named_type(type.value_type, inner(feature)))
    if pa.types.is_struct(type) and isinstance(feature, dict):
        return pa.struct([(field.name, named_type(field.type, feature.get(field.name))) for field in type])
    return pa.string() if pa.types.is_integer(type) and names_in(feature) else type


def with_names(array: pa.Array, feature: Any) -> pa.Array:
    """An array with names in the place of numbers, and nothing where a number says that the class is not known.

    Raises NoSuchClass for the first number beyond the names.
    """
    if is_list(array.type):
        if named_type(array.type.value_type, inner(feature)) == array.type.value_type:
            return array
        array = array.cast(pa.list_(array.type.value_type))
        offsets = array.offsets.to_numpy()
        try:
            values = with_names(array.values, inner(feature))
        except NoSuchClass as wrong:
            raise NoSuchClass(
                int(np.searchsorted(offsets, wrong.row, side="right")) - 1, wrong.number, wrong.names
            ) from None
        missing = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(pa.array(offsets), values, mask=missing)
    if pa.types.is_struct(array.type) and isinstance(feature, dict):
        fields = [
            with_names(column, feature.get(field.name))
            for column, field in zip(array.flatten(), array.type, strict=True)
        ]
        return pa.StructArray.from_arrays(
            fields, [field.name for field in array.type], mask=array.is_null() if array.null_count else None
        )
    names = names_in(feature) if pa.types.is_integer(array.type) else None
    if names is None:
        return array
    numbers = pc.if_else(pc.equal(array, NO_CLASS), None, array)
    beyond = pc.or_(pc.less(numbers, 0), pc.greater_equal(numbers, len(names)))
    if (first := pc.index(beyond, True).as_py()) >= 0:
        raise NoSuchClass(first, numbers[first].as_py(), len(names))
    return pa.array(names, pa.string()).take(numbers.cast(pa.int64()))


def is_list(type: pa.DataType) -> bool:
    return bool(pa.types.is_list(type) or pa.types.is_large_list(type) or pa.types.is_fixed_size_list(type))


def unknown_classes(array: pa.Array, feature: Any) -> int:
    """Number of values in a column of classes that say that the class is not known."""
    if names_in(feature) is None or not pa.types.is_integer(array.type):
        return 0
    return int(pc.sum(pc.equal(array, NO_CLASS)).as_py() or 0)
