"""Turns as a template takes them: content that is a text, and arguments of tools in the shape that it writes rightly."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from luthier.batches.conversations import WEIGHT, Turn

Arguments = Literal["mapping", "text"]
"""How the arguments of a tool's call are given: as a mapping, or as JSON text."""

THINKING = ("reasoning_content", "thinking", "reasoning")
"""Names under which a turn brings its thinking; transformers gives a template the one that it reads."""


def messages_of(turns: Sequence[Turn], arguments: Arguments) -> list[dict[str, Any]]:
    """The turns with a content each, empty where there was none, and with arguments in one shape."""
    messages = []
    for turn in turns:
        message = {key: value for key, value in turn.items() if key != WEIGHT}
        message["content"] = "" if turn.get("content") is None else turn["content"]
        if turn.get("tool_calls"):
            message["tool_calls"] = [with_arguments(call, arguments) for call in turn["tool_calls"]]
        messages.append(message)
    return messages


def with_arguments(call: Mapping[str, Any], shape: Arguments) -> dict[str, Any]:
    """A call, which may lie under `function`, with its arguments in a shape."""
    if isinstance(call.get("function"), Mapping):
        return {**call, "function": with_arguments(call["function"], shape)}
    given = call.get("arguments")
    if given is None:
        return dict(call)
    return {**call, "arguments": as_mapping(given) if shape == "mapping" else as_text(given)}


def as_mapping(given: Any) -> Any:
    """Arguments that are JSON text as what they say; text that is no JSON stays as it is."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        return given  # A model's own broken call is a row like any other: the text is what it wrote.


def as_text(given: Any) -> str:
    """Arguments as JSON text."""
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def texts_of(turn: Turn) -> Iterator[str]:
    """The texts that a turn says: its content, whole or in parts, and its thinking."""
    thinking = next((turn[key] for key in THINKING if turn.get(key) is not None), None)
    if isinstance(thinking, str):
        yield thinking
    content = turn.get("content")
    if isinstance(content, str):
        yield content
    elif isinstance(content, Sequence):
        for part in content:
            if isinstance(part, Mapping) and isinstance(part.get("text"), str):
                yield part["text"]


def has_other_parts(turn: Turn) -> bool:
    """Whether a turn holds something that is no text, as a picture is."""
    content = turn.get("content")
    if content is None or isinstance(content, str):
        return False
    return not isinstance(content, Sequence) or not all(
        isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in content
    )


def name_of(tool: Mapping[str, Any]) -> str:
    """The name of a tool or of a call, which may lie under `function`.

    >>> name_of({"type": "function", "function": {"name": "weather"}})
    'weather'
    """
    inner = tool.get("function")
    return str((inner if isinstance(inner, Mapping) else tool).get("name", ""))
