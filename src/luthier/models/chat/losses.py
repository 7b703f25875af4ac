"""What a template leaves out of a conversation: nothing of it is lost without a word."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from luthier.batches.conversations import ASSISTANT
from luthier.errors import DataError
from luthier.models.chat.messages import Arguments, has_other_parts, messages_of, texts_of
from luthier.models.chat.probe import TOOL
from luthier.models.chat.special_text import unmarked
from luthier.models.chat.template import ChatTemplate

TURN_LOST, CALLS_LOST, TOOLS_LOST, PARTS_LOST, CHANGED = (
    "turn-lost",
    "calls-lost",
    "tools-lost",
    "parts-lost",
    "changed",
)
Outline = tuple[tuple[str, bool], ...]
"""The role of each turn, and whether it calls tools."""


def lost(
    template: ChatTemplate,
    arguments: Arguments,
    messages: Sequence[dict[str, Any]],
    tools: Sequence[Mapping[str, Any]],
    text: str,
) -> tuple[str, ...]:
    """What the template leaves out of these messages, or writes otherwise than it was given."""
    outline = tuple((str(message["role"]), bool(message.get("tool_calls"))) for message in messages)
    found = [*lost_by_outline(template, arguments, outline, bool(tools))]
    if any(has_other_parts(message) for message in messages):
        found.append(PARTS_LOST)
    shown = unmarked(text)
    said = (unmarked(one).strip() for message in messages for one in texts_of(message))
    if TURN_LOST not in found and any(one not in shown for one in said):
        found.append(CHANGED)
    return tuple(found)


@lru_cache(maxsize=4096)
def lost_by_outline(
    template: ChatTemplate, arguments: Arguments, outline: Outline, tools: bool
) -> tuple[str, ...]:
    """What the template leaves out of any conversation of these roles: their contents are ones that can be recognised."""
    turns = [recognisable(at, role, calls) for at, (role, calls) in enumerate(outline)]
    try:
        text = template.render(messages_of(turns, arguments), (TOOL,) if tools else (), False)
    except DataError:
        return ()  # It takes the real conversation, and only not these contents: nothing is known of it.
    found = []
    if any(turn["content"] not in text for turn in turns if turn["content"]):
        found.append(TURN_LOST)
    if any(f"Qx7called{at}x" not in text for at, (_, calls) in enumerate(outline) if calls):
        found.append(CALLS_LOST)
    if tools and "Qx7tool7xQ" not in text:
        found.append(TOOLS_LOST)
    return tuple(found)


def recognisable(at: int, role: str, calls: bool) -> dict[str, Any]:
    """A turn whose content, or whose call, stands nowhere else."""
    if role == ASSISTANT and calls:
        function = {"name": f"Qx7called{at}x", "arguments": {"key": "value"}}
        call = {"id": f"Qx7id{at:04}", "type": "function", "function": function}
        return {"role": role, "content": "", "tool_calls": [call]}
    turn = {"role": role, "content": f"Qx7turn{at}x"}
    return {**turn, "name": "Qx7tool7xQ", "tool_call_id": f"Qx7id{at - 1:04}"} if role == "tool" else turn
