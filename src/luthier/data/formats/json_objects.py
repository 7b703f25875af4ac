"""Reading one JSON object from its text, or saying what the text is instead."""

import json
import math
from typing import Any

from luthier.data.formats.json_types import WORDS

CONSTANTS = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}
"""Constants that Python and pandas write beyond the standard of JSON; NaN is a missing value."""

DECODER = json.JSONDecoder(parse_constant=CONSTANTS.__getitem__)


class NotAnObject(Exception):
    """A text that is no JSON object. The message says what was found instead, to stand between brackets."""


def parse_object(text: str) -> dict[str, Any]:
    """The object that is the whole text. Raises NotAnObject.

    >>> parse_object('["a"]')
    Traceback (most recent call last):
    luthier.data.formats.json_objects.NotAnObject: a list
    """
    return check_object(parse_value(text), text)


def parse_value(text: str) -> Any:
    """The value that is the whole text. Raises NotAnObject where there is none."""
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotAnObject(f"{error.msg.removesuffix(' at')} at character {error.colno}") from None
    except ValueError:
        raise NotAnObject("a number of thousands of digits") from None
    except RecursionError:
        raise NotAnObject("nested too deeply") from None


def check_object(value: Any, text: str) -> dict[str, Any]:
    """`value`, read from `text`, if it is an object and all its characters are whole. Raises NotAnObject."""
    if not isinstance(value, dict):
        raise NotAnObject("null" if value is None else WORDS[type(value)])
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = ascii(error.object[error.start])[1:-1]
            raise NotAnObject(f"half a character, {half}, without the other half") from None
        except RecursionError:  # it could just be read
            raise NotAnObject("nested too deeply") from None
    return value
