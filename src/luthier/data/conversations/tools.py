"""Descriptions of the tools that an assistant may call: functions with a JSON schema of their arguments."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

Tool = dict[str, Any]

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
SCHEMA_KEYS = ("items", "additionalProperties", "not", "contains", "propertyNames")
"""Keys whose value is a schema, or true or false."""
LIST_KEYS = ("anyOf", "oneOf", "allOf", "prefixItems")
"""Keys whose value is a list of schemas."""
NAMED_KEYS = ("properties", "$defs", "definitions", "patternProperties")
"""Keys whose value has a schema under each name."""
ARGUMENTS = ("parameters", "input_schema")
"""The schema of a tool's arguments: OpenAI's name, which chat templates read, and Anthropic's."""
DECLARED = ("functionDeclarations", "function_declarations")
"""Keys of an object around tools, as Google writes them."""
MOST_LEVELS = 32
"""The most schemas within each other."""


class NoTool(Exception):
    """A description that is none, in words that follow "the tools of this row"."""


def tools_of(value: Any) -> tuple[Tool, ...]:
    """The tools that a value describes: a list, a text that holds it as JSON, or nothing. Raises NoTool.

    A function that stands there bare is put under `function`, as chat templates want it.

    >>> tools_of('[{"name": "now", "parameters": {"type": "object", "properties": {}}}]')[0]["function"]["name"]
    'now'
    """
    return in_text(value) if isinstance(value, str) else checked(value)


@lru_cache(maxsize=1024)
def in_text(text: str) -> tuple[Tool, ...]:
    if not text.strip():
        return ()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise NoTool("are no JSON") from None
    return tools_of(value)


def checked(value: Any) -> tuple[Tool, ...]:
    if value is None:
        return ()
    values = [json_of(one) for one in (value if isinstance(value, list) else [value])]
    return tuple(tool_of(one, f"tool {number}") for number, one in enumerate(spread(values), start=1))


def spread(values: Iterable[Any]) -> Iterator[Any]:
    """The tools, one by one, of objects around several; their types in small letters, as JSON schemas have them."""
    for value in values:
        inner = next((value[key] for key in DECLARED if isinstance(value, Mapping) and key in value), None)
        if isinstance(inner, list):
            yield from map(in_small_letters, inner)
        else:
            yield value


def in_small_letters(value: Any) -> Any:
    """A description with the types of its schemas as JSON schemas write them.

    >>> in_small_letters({"name": "now", "parameters": {"type": "OBJECT"}})
    {'name': 'now', 'parameters': {'type': 'object'}}
    """
    if isinstance(value, list):
        return [in_small_letters(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    kind = value.get("type")
    own = {"type": kind.lower()} if isinstance(kind, str) else {}
    return {key: in_small_letters(one) for key, one in value.items()} | own


def json_of(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise NoTool("are texts that are no JSON") from None


def tool_of(value: Any, place: str) -> Tool:
    """One tool. Raises NoTool where it has no name, or its arguments are described by no JSON schema."""
    if not isinstance(value, Mapping):
        raise NoTool(f"are no objects: {place} is {str(value)[:40]!r}")
    inner = value.get("function", value)
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str) or not inner["name"].strip():
        raise NoTool(f"have no name: {place} lacks it")
    for key in ARGUMENTS:
        if inner.get(key) is not None:
            check_schema(inner[key], f"`{key}` of {inner['name']}")
    if "function" in value:
        return dict(value)
    schema = (
        {}
        if value.get("input_schema") is None or "parameters" in value
        else {"parameters": value["input_schema"]}
    )
    described = {key: inner for key, inner in value.items() if key != "input_schema" or not schema}
    return {"type": "function", "function": described | schema}


def check_schema(schema: Any, place: str, levels: int = MOST_LEVELS) -> None:
    """Raise NoTool for what is no JSON schema: a type that there is none of, properties that are no schemas, and so on."""
    if isinstance(schema, bool):
        return
    if not levels:
        raise NoTool(f"are described more than {MOST_LEVELS} levels deep")
    if not isinstance(schema, Mapping):
        raise NoTool(f"are no JSON schema: {place} is {str(schema)[:40]!r}, no object")
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in TYPES:
            raise NoTool(
                f"are no JSON schema: {place} is of type {str(kind)[:40]!r}, not one of {', '.join(TYPES)}"
            )
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise NoTool(f"are no JSON schema: `required` of {place} is no list of names")
    if not isinstance(schema.get("enum", []), list):
        raise NoTool(f"are no JSON schema: `enum` of {place} is no list")
    check_inner(schema, place, levels - 1)


def check_inner(schema: Mapping[str, Any], place: str, levels: int) -> None:
    """Raise NoTool where a schema inside of a schema is none."""
    for key in NAMED_KEYS:
        named = schema.get(key, {})
        if not isinstance(named, Mapping):
            raise NoTool(f"are no JSON schema: `{key}` of {place} is {str(named)[:40]!r}, no object")
        for name, inner in named.items():
            check_schema(inner, f"{place}, {name}", levels)
    for key in SCHEMA_KEYS:
        inner = schema.get(key, True)
        for one in inner if isinstance(inner, list) and key == "items" else [inner]:
            check_schema(one, f"{place}, {key}", levels)
    for key in LIST_KEYS:
        several = schema.get(key, [])
        if not isinstance(several, list):
            raise NoTool(f"are no JSON schema: `{key}` of {place} is no list")
        for one in several:
            check_schema(one, f"{place}, {key}", levels)
