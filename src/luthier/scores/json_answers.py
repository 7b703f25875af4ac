"""Whether a text holds the JSON value that is right: compared by meaning, not by spelling."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

OPENINGS: dict[type, str] = {dict: "{", list: "["}
"""The sign that an object or an array begins with, by the type it is read as."""


class NoJSON(ValueError):
    """A text holds no value as RFC 8259 writes one, with each key of an object once."""


def json_match(text: str, right: str) -> bool:
    """Whether the JSON value in a text equals the right one.

    Keys may stand in any order; numbers are equal by value (1, 1.0 and 1e0 are); true and false are no numbers; strings are
    equal to the letter. The value is the whole text, or else the first object in it that can be read (the first array where the
    right answer is one): it may stand in a fence, or have words around it, as that is how chat models write. The right answer
    is to be JSON as a whole. What is no JSON matches nothing, and nor does an object that gives a key twice, NaN or Infinity,
    which RFC 8259 does not know.

    >>> json_match('Here it is: {"urgent": true, "order": 12.0}', '{"order": 12, "urgent": true}')
    True
    >>> json_match('{"order": 1}', '{"order": true}')
    False
    """
    try:
        wanted = read(right)
        return equal(found_in(text, OPENINGS.get(type(wanted))), wanted)
    except (NoJSON, RecursionError):  # a depth beyond all use is not tried again one level further in
        return False


def is_json(text: str) -> bool:
    """Whether a text as a whole is an object or an array of JSON, with which others can be compared."""
    try:
        return isinstance(read(text), dict | list)
    except (NoJSON, RecursionError):
        return False


def found_in(text: str, opening: str | None) -> Any:
    """The JSON value that a text is, or else the first in it that begins with this sign. Raises NoJSON where there is none."""
    try:
        return read(text)
    except NoJSON:
        for place in re.finditer(re.escape(opening), text) if opening else ():
            try:
                return decoded(text, place.start())[0]
            except NoJSON:
                continue
        raise


def read(text: str) -> Any:
    """A text as one JSON value, with white space around it at the most. Raises NoJSON where it is none."""
    text = text.strip()
    value, end = decoded(text, 0)
    if end < len(text):
        raise NoJSON("there is more behind it")
    return value


def decoded(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at a place of a text, and where it ends. Raises NoJSON where there is none."""
    try:
        return DECODER.raw_decode(text, start)
    except (ValueError, InvalidOperation) as error:  # no JSON, or a number beyond all use
        raise NoJSON(str(error)) from error


def with_each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise NoJSON("a key stands twice")
    return dict(pairs)


def no_number(name: str) -> None:
    raise NoJSON(f"{name} is no number of JSON")


DECODER = json.JSONDecoder(
    object_pairs_hook=with_each_key_once, parse_float=Decimal, parse_int=Decimal, parse_constant=no_number
)
"""Numbers are read as they are written, so that none is equal to another by rounding."""


def equal(one: Any, other: Any) -> bool:
    """Whether two values that were read from JSON mean the same."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)
