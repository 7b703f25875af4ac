"""What a turn holds whose content comes in blocks, as Anthropic and Google write it: texts, thinking, calls of tools and what
these gave.

Anthropic's blocks say their `type` (platform.claude.com/docs, "Messages"), Google's parts are told by their only key
(ai.google.dev/api, "Content"); OpenAI's parts are texts with a type.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from luthier.data.conversations.fault import NO_TEXT, Fault
from luthier.data.conversations.speakers import TOOL
from luthier.data.conversations.tool_calls import Call, call_of
from luthier.errors import shorten

TEXT_TYPES = ("text", "input_text", "output_text")
"""Types of blocks that are texts."""
BETWEEN_TEXTS = "\n"
"""What stands between several texts of one turn."""
CALLED, GAVE = ("functionCall", "function_call"), ("functionResponse", "function_response")
"""Keys of Google's parts that call a tool, and that say what it gave."""
READ = (
    "type",
    "text",
    "thought",
    "thinking",
    "id",
    "name",
    "input",
    "content",
    "tool_use_id",
    *CALLED,
    *GAVE,
)
"""Keys of blocks that are read."""


@dataclass
class Blocks:
    """The blocks of one turn, by what they are."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    """Turns of tools: what each of them gave."""
    moved: bool = False
    """Whether a text stands behind a call or before a result, where no chat template writes it."""
    unread: set[str] = field(default_factory=set)
    """Keys of blocks that say something that is not read."""

    @property
    def text(self) -> str:
        return BETWEEN_TEXTS.join(self.texts)


def blocks_of(said: Any, place: str) -> Blocks:
    """The blocks of a turn, one or a list of them. place: the turn, for a message. Raises Fault for a picture and the like."""
    found = Blocks()
    for block in said if isinstance(said, list) else [said]:
        sort_in(block, found, place)
    return found


def sort_in(block: Any, found: Blocks, place: str) -> None:
    """Put one block where it belongs. Raises Fault for one that is nothing of these."""
    known = block if isinstance(block, Mapping) else {"text": block}
    kind, text = known.get("type"), known.get("text")
    found.unread |= {key for key in known if key not in READ and known[key] not in (None, "", [], {}, False)}
    if (call := called(known)) is not None:
        found.calls.append(call_of(call, place))
    elif (result := gave(known, place)) is not None:
        found.moved |= bool(found.texts)
        found.results.append(result)
    elif kind == "thinking" and isinstance(known.get("thinking"), str):
        found.thoughts.append(known["thinking"])
    elif isinstance(text, str) and known.get("thought") is True:
        found.thoughts.append(text)
    elif isinstance(text, str) and (kind is None or kind in TEXT_TYPES):
        found.moved |= bool(found.calls)
        found.texts.append(text)
    else:
        what = block if not isinstance(block, Mapping) else next(iter(known), None) if kind is None else kind
        raise Fault(NO_TEXT, f"{place} holds {shorten(repr(what), 40)}")


def called(block: Mapping[str, Any]) -> dict[str, Any] | None:
    """The call of a tool that a block is, with its arguments under `arguments`; None for another block."""
    if block.get("type") == "tool_use":
        return {"id": block.get("id"), "name": block.get("name"), "arguments": block.get("input")}
    inner = next((block[key] for key in CALLED if isinstance(block.get(key), Mapping)), None)
    return None if inner is None else {"name": inner.get("name"), "arguments": inner.get("args")}


def gave(block: Mapping[str, Any], place: str) -> dict[str, Any] | None:
    """The turn of a tool that a block is; None for another block. Raises Fault where a tool gave a picture and the like."""
    if block.get("type") == "tool_result":
        given, name = block.get("content"), {"tool_call_id": block.get("tool_use_id")}
        texts = "" if given is None else blocks_of(given, place).text
        return {"role": TOOL, "content": texts, **{key: value for key, value in name.items() if value}}
    inner = next((block[key] for key in GAVE if isinstance(block.get(key), Mapping)), None)
    if inner is None:
        return None
    said = json.dumps(inner.get("response"), ensure_ascii=False)
    return {"role": TOOL, "content": said, **({"name": inner["name"]} if inner.get("name") else {})}
