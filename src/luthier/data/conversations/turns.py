"""The turns of one conversation in the form that chat templates take, from OpenAI's messages and from ShareGPT's."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from luthier.data.conversations.fault import NO_TEXT, UNKNOWN_SPEAKER, UNREADABLE, Fault
from luthier.data.conversations.speakers import ASSISTANT, CALL, TOOL, role_of
from luthier.data.conversations.tool_calls import calls_of
from luthier.errors import shorten

Turns = list[dict[str, Any]]

SPEAKER_KEYS = ("role", "from")
SAID_KEYS = ("content", "value")
CALL_KEYS = ("tool_calls", "function_call")
AROUND = "messages"
"""The key of an object around turns."""
KEPT = ("name", "tool_call_id", "reasoning_content", "thinking")
"""Keys of a turn that chat templates read beside these."""
TEXT_PARTS = ("text", "input_text", "output_text")
"""Types of the parts of a turn that are texts."""
BETWEEN_PARTS = "\n"
"""What stands between several texts of one turn."""


@dataclass
class Seen:
    """What was met in the turns of a column and is to be told."""

    unnamed: int = 0
    """Rows whose turns had no speakers."""
    joined: int = 0
    """Turns made of several texts."""
    renamed: Counter[str] = field(default_factory=Counter)
    """Speakers by the name that the file has, where that is not the role's own."""
    unread: Counter[str] = field(default_factory=Counter)
    """Keys of turns that are not read."""


def is_turn(value: Any) -> bool:
    """Whether a value is one turn: an object that says who speaks, and what is said or which tool is called.

    >>> is_turn({"from": "human", "value": "Hello"}), is_turn({"role": "Agent", "text": "the thief"})
    (True, False)
    """
    return (
        isinstance(value, Mapping)
        and any(isinstance(value.get(key), str) for key in SPEAKER_KEYS)
        and any(key in value for key in (*SAID_KEYS, *CALL_KEYS))
    )


def are_turns(value: Any) -> bool:
    """Whether a value is a turn, or a list of turns with at least one in it."""
    return is_turn(value) or (isinstance(value, list) and bool(value) and all(map(is_turn, value)))


def holds_messages(value: Any) -> bool:
    """Whether a value is an object around turns, as the `input` of OpenAI's preferences is."""
    return isinstance(value, Mapping) and are_turns(value.get(AROUND))


def turns_of(value: Any, seen: Seen, alone: str) -> Turns:
    """The turns that a value holds: a list of turns, one turn, or a text, which is one turn of `alone`. Raises Fault."""
    if value is None:
        return []
    if isinstance(value, str):
        return [{"role": alone, "content": value}]
    values = value if isinstance(value, list) else [value]
    return [turn_of(one, f"turn {number}", seen) for number, one in enumerate(values, start=1)]


def turn_of(value: Any, place: str, seen: Seen) -> dict[str, Any]:
    """One turn with `role` and `content`, and the keys of tools that it has. Raises Fault."""
    if not isinstance(value, Mapping):
        raise Fault(UNREADABLE, f"{place} is {shorten(repr(value), 40)}, no object with role and content")
    speaker = next((value[key] for key in SPEAKER_KEYS if isinstance(value.get(key), str)), None)
    if speaker is None:
        raise Fault(UNREADABLE, f"{place} does not say who speaks")
    role = role_of(speaker)
    if role is None:
        raise Fault(UNKNOWN_SPEAKER, f"{place} is by {shorten(speaker, 40)!r}")
    said = next((value[key] for key in SAID_KEYS if key in value), None)
    seen.unread.update(key for key in value if unread(key, value[key]))
    if role == CALL:
        seen.renamed[speaker] += 1
        return {"role": ASSISTANT, "content": None, "tool_calls": calls_of(said, place)}
    if speaker != role:
        seen.renamed[speaker] += 1
    calls = next((value[key] for key in CALL_KEYS if value.get(key)), None)
    content = content_of(said, role, place, seen)
    if content is None and calls is None:
        content = ""
    kept = {key: value[key] for key in KEPT if value.get(key) is not None}
    called = {} if calls is None else {"tool_calls": calls_of(calls, place)}
    return {"role": role, "content": content, **called, **kept}


def unread(key: str, value: Any) -> bool:
    return key not in (*SPEAKER_KEYS, *SAID_KEYS, *CALL_KEYS, *KEPT) and value not in (None, "", [], {})


def content_of(said: Any, role: str, place: str, seen: Seen) -> str | None:
    """What is said in a turn, as one text; None where there is nothing. Raises Fault for a picture, a sound and the like."""
    if said is None or isinstance(said, str):
        return said
    if role == TOOL and not (isinstance(said, list) and all(map(is_part, said))):
        return json.dumps(said, ensure_ascii=False)
    parts = said if isinstance(said, list) else [said]
    texts = [text_of_part(part, place) for part in parts]
    if len(texts) > 1:
        seen.joined += 1
    return BETWEEN_PARTS.join(texts)


def is_part(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, Mapping) and isinstance(value.get("type"), str))


def text_of_part(part: Any, place: str) -> str:
    """The text of a part, which is a text or an object that says so. Raises Fault."""
    if isinstance(part, str):
        return part
    known = part if isinstance(part, Mapping) else {}
    if known.get("type") in TEXT_PARTS and isinstance(known.get("text"), str):
        return str(known["text"])
    raise Fault(NO_TEXT, f"{place} holds {shorten(repr(known.get('type', part)), 40)}")
