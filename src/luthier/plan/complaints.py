"""What pydantic finds wrong with a plan's settings, in our words."""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

EXPECTED = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "tuple_type": "a list",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
}
"""What was expected, in our words, by pydantic's name of the error."""


def complaints(errors: Iterable[Any]) -> list[str]:
    """pydantic's errors as sentences. What fits neither of two types is two errors there, and one here."""
    same_value = groupby(errors, lambda error: (error["loc"][:2], repr(error["input"])))
    return [complaint(*alike) for _, alike in same_value]


def complaint(error: Any, *more: Any) -> str:
    """pydantic's errors on one value as a sentence that names the setting, the value and what is expected."""
    key = ".".join(str(part) for part in error["loc"][:2])
    if error["type"] == "missing" or (key == "data.path" and error["input"] == ""):
        names = error["input"].get("label_names") if isinstance(error["input"], Mapping) else None
        if names is not None and not names:
            return "data.label_names: no name stands there. Name the labels, as in --label-names delivery,refund,praise"
        if names:
            return (
                "data.label_names: no rows were named. Give those without labels, as in --unlabelled more.csv, or those to test "
                "on, as in --test test.csv."
            )
        return "No data was named. Give the file with your examples: luthier tune reviews.csv"
    if error["type"] == "literal_error":
        return f"{key}: {error['input']!r} is not a choice. Expected {error['ctx']['expected']}."
    expected = " or ".join(dict.fromkeys(map(expected_by, (error, *more))))
    end = "" if expected.endswith("?") else "."  # a nearest name is offered as a question
    return f"{key}: {error['input']!r} does not fit. Expected {expected}{end}"


def expected_by(error: Any) -> str:
    """What would have been right, in words, told by one of pydantic's errors."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "literal_error":
        return str(error["ctx"]["expected"])
    return EXPECTED.get(error["type"]) or re.sub("^Input should be ", "a number ", error["msg"])
