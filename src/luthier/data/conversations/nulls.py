"""Keys without a value in objects of typed files, where every object has the keys of all others in its column."""

from typing import Any


def without_nulls(value: Any) -> Any:
    """A value without the keys whose value is null, at any depth.

    >>> without_nulls([{"role": "user", "content": "Hello", "tool_calls": None}])
    [{'role': 'user', 'content': 'Hello'}]
    """
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value
