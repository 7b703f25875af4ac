"""Calls of tools in an assistant's turn, in the form that chat templates take; arguments stay as they were written."""

import json
from collections.abc import Mapping
from typing import Any

from luthier.data.conversations.fault import UNREADABLE, Fault

Call = dict[str, Any]


def calls_of(value: Any, place: str) -> list[Call]:
    """The calls of one turn: a list of them, one alone, or JSON of either. place: the turn, for a message.  Raises Fault."""
    if isinstance(value, str):
        value = parsed(value, place)
    calls = value if isinstance(value, list) else [value]
    return [call_of(call, place) for call in calls]


def call_of(value: Any, place: str) -> Call:
    """One call, with its function under `function`. Its arguments may be a mapping or a text, and stay so.  Raises Fault.

    >>> call_of({"name": "weather", "arguments": '{"city": "Oslo"}'}, "turn 2")
    {'type': 'function', 'function': {'name': 'weather', 'arguments': '{"city": "Oslo"}'}}
    """
    inner = value.get("function", value) if isinstance(value, Mapping) else None
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str) or not inner["name"].strip():
        raise Fault(UNREADABLE, f"{place} calls a tool without its name")
    arguments = inner.get("arguments", inner.get("parameters"))
    if not isinstance(arguments, Mapping | str | None):
        raise Fault(
            UNREADABLE, f"{place} calls {inner['name']} with arguments that are neither an object nor a text"
        )
    function = {"name": inner["name"], "arguments": {} if arguments is None else arguments}
    named = {"id": value["id"]} if isinstance(value.get("id"), str) else {}
    return {**named, "type": "function", "function": function}


def parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Fault(UNREADABLE, f"{place} calls a tool in words that are no JSON") from None
