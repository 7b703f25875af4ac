"""The Arrow type that holds all values of a JSON column, the same however the rows are batched.

Types widen along nothing → integer → float → text and nothing → boolean → text; an integer beyond 64 bits
makes its column one of texts. Lists widen by their items, objects by their fields. The three kinds clash.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import chain
from types import NoneType
from typing import Any

import pyarrow as pa

from luthier.errors import shorten

MOST_FIELDS = 5_000
"""The most distinct keys of all rows, or of the objects in a column. Where there are more, the keys are data."""
MOST_LEVELS = 32
"""The most levels of lists and objects within each other."""

SCALARS = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
WORDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}
INT64 = range(-(2**63), 2**63)


class Clash(Exception):
    """Values that no type holds together. `where`: the column and path in it, as `messages[].content`."""

    def __init__(self, where: str, first: str, second: str) -> None:
        super().__init__(where, first, second)
        self.where, self.first, self.second = where, first, second


class Unwieldy(Exception):
    """Objects with too many keys or levels for a table; in words that end with the mend."""


def type_of(values: Sequence[Any], where: str = "", levels: int = MOST_LEVELS) -> pa.DataType:
    """The narrowest type of some values, None among them. Raises Clash when there is none.

    >>> type_of([{"text": "a", "tags": []}, {"text": 1, "tags": [0, 0.5]}])
    StructType(struct<text: string, tags: list<item: double>>)
    """
    kinds = set(map(type, values)) - {NoneType}
    if kinds <= SCALARS.keys():
        if int in kinds and not all(value in INT64 for value in values if type(value) is int):
            return pa.string()
        return reduce(
            lambda one, other: wider(one, other, where), (SCALARS[kind] for kind in kinds), pa.null()
        )
    if len(kinds) > 1:
        first, second, *_ = sorted(
            {WORDS[kind] for kind in kinds}, key=list(WORDS.values()).index, reverse=True
        )
        raise Clash(where, first, second)
    if not levels:
        raise Unwieldy(
            f"column {shorten(where, 20)!r} has lists and objects more than {MOST_LEVELS} levels deep. "
            "Flatten them"
        )
    if kinds == {list}:
        return pa.list_(type_of(list(chain.from_iterable(filter(None, values))), f"{where}[]", levels - 1))
    columns: defaultdict[str, list[Any]] = defaultdict(list)
    for value in values:
        if value is not None:
            for name, inner in value.items():
                columns[name].append(inner)
    few_enough(columns, where)
    return pa.struct(
        [(name, type_of(column, below(where, name), levels - 1)) for name, column in columns.items()]
    )


def wider(one: pa.DataType, other: pa.DataType, where: str = "") -> pa.DataType:
    """The narrowest type that holds the values of both. Raises Clash when there is none.

    >>> wider(pa.int64(), pa.float64()), wider(pa.int64(), pa.bool_())
    (DataType(double), DataType(string))
    """
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields = {field.name: field.type for field in one}
        for field in other:
            fields[field.name] = wider(
                fields.get(field.name, pa.null()), field.type, below(where, field.name)
            )
        few_enough(fields, where)
        return pa.struct(list(fields.items()))
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(wider(one.value_type, other.value_type, f"{where}[]"))
    if pa.types.is_nested(one) or pa.types.is_nested(other):
        raise Clash(where, word(one), word(other))
    return pa.float64() if {one, other} == {pa.int64(), pa.float64()} else pa.string()


def below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def word(type: pa.DataType) -> str:
    if pa.types.is_nested(type):
        return WORDS[list if pa.types.is_list(type) else dict]
    return next(WORDS[kind] for kind, scalar in SCALARS.items() if scalar == type)


def few_enough(names: Mapping[str, Any], where: str) -> None:
    if len(names) > MOST_FIELDS:
        who = f"column {shorten(where)!r} has" if where else "the rows have"
        raise Unwieldy(
            f"{who} more than {MOST_FIELDS:,} different keys. Write what varies as values, not as keys"
        )


def to_arrow(values: Sequence[Any], type: pa.DataType) -> pa.Array:
    """Values as an array of their type or a wider one; among texts, other values are written as JSON."""
    try:
        return pa.array(values, type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([fitted(value, type) for value in values], type)


def fitted(value: Any, type: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_string(type):
        return value if isinstance(value, str) else json.dumps(value)
    if pa.types.is_floating(type):
        return float(value)
    if pa.types.is_list(type):
        return [fitted(item, type.value_type) for item in value]
    if pa.types.is_struct(type):
        return {field.name: fitted(value.get(field.name), field.type) for field in type}
    return value
