"""The turns of one conversation in the form that chat templates take, from OpenAI's messages, ShareGPT's, Anthropic's and
Google's."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from luthier.batches.conversations import WEIGHT
from luthier.data.conversations.blocks import BETWEEN_TEXTS, GAVE, blocks_of
from luthier.data.conversations.fault import UNKNOWN_SPEAKER, UNREADABLE, Fault
from luthier.data.conversations.speakers import ASSISTANT, CALL, TOOL, role_of
from luthier.data.conversations.tool_calls import calls_of
from luthier.errors import shorten

Turns = list[dict[str, Any]]

SPEAKER_KEYS = ("role", "from")
SAID_KEYS = ("content", "value", "parts")
CALL_KEYS = ("tool_calls", "function_call")
AROUND = "messages"
"""The key of an object around turns."""
KEPT = ("name", "tool_call_id", "reasoning_content", "thinking")
"""Keys of a turn that chat templates read beside these."""
WEIGHTS = (WEIGHT, "loss", "train")
"""Keys of a turn whose 0 or false says that it is not to be learnt: OpenAI's, ms-swift's, Axolotl's."""


@dataclass
class Seen:
    """What was met in the turns of a column and is to be told."""

    unnamed: int = 0
    """Rows whose turns had no speakers."""
    joined: int = 0
    """Turns made of several texts."""
    moved: int = 0
    """Turns with a text that stands on the other side of a call, or of what a tool gave, than it is written."""
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
    return [
        turn for number, one in enumerate(values, start=1) for turn in read_turn(one, f"turn {number}", seen)
    ]


def read_turn(value: Any, place: str, seen: Seen) -> Turns:
    """One turn with `role` and `content`, and the keys of tools that it has; before it what tools gave, where a user's turn
    brings that along. Raises Fault."""
    if not isinstance(value, Mapping):
        raise Fault(UNREADABLE, f"{place} is {shorten(repr(value), 40)}, no object with role and content")
    speaker = next((value[key] for key in SPEAKER_KEYS if isinstance(value.get(key), str)), None)
    if speaker is None:
        raise Fault(UNREADABLE, f"{place} does not say who speaks")
    role = role_of(speaker)
    if role is None:
        raise Fault(UNKNOWN_SPEAKER, f"{place} is by {shorten(speaker, 40)!r}")
    said = next((value[key] for key in SAID_KEYS if key in value), None)
    weight = unlearnt(value) if role in (ASSISTANT, CALL) else {}
    seen.unread.update(key for key in value if unread(key, value[key]))
    seen.renamed.update([speaker] if speaker != role or role == CALL else [])
    if role == CALL:
        return [{"role": ASSISTANT, "content": None, "tool_calls": calls_of(said, place), **weight}]
    content, inside = content_of(said, role, place, seen)
    calls = next(
        (calls_of(value[key], place) for key in CALL_KEYS if value.get(key)), inside.get("tool_calls")
    )
    if content is None and calls is None:
        content = ""
    kept = {key: value[key] for key in KEPT if value.get(key) is not None}
    called = {} if calls is None else {"tool_calls": calls}
    results = inside.pop("results", [])
    own = {"role": role, "content": content, **inside, **called, **kept, **weight}
    says_more = bool(content) or len(own) > 2  # than its role and that it says nothing
    return [*results, own] if says_more or not results else results


def unlearnt(value: Mapping[str, Any]) -> dict[str, Any]:
    """What a turn holds beside, where it says that it is not to be learnt.

    >>> unlearnt({"role": "assistant", "weight": 0}), unlearnt({"role": "assistant", "train": True})
    ({'weight': 0}, {})
    """
    return {WEIGHT: 0} if any(value.get(key) in (0, False) for key in WEIGHTS if key in value) else {}


def unread(key: str, value: Any) -> bool:
    """Whether a key of a turn says something that is not read."""
    if key in WEIGHTS:
        return value not in (None, 0, 1)
    return key not in (*SPEAKER_KEYS, *SAID_KEYS, *CALL_KEYS, *KEPT) and value not in (None, "", [], {})


def content_of(said: Any, role: str, place: str, seen: Seen) -> tuple[str | None, dict[str, Any]]:
    """What is said in a turn, as one text, None where there is nothing; and what stands beside it in blocks: `tool_calls`,
    `reasoning_content`, and `results`, the turns of tools. Raises Fault for a picture, a sound and the like."""
    if said is None or isinstance(said, str):
        return said, {}
    if role == TOOL and not (isinstance(said, list) and all(map(is_part, said))):
        return json.dumps(said, ensure_ascii=False), {}
    blocks = blocks_of(said, place)
    seen.joined += len(blocks.texts) > 1
    seen.moved += blocks.moved
    seen.unread.update(blocks.unread)
    beside = {
        "tool_calls": blocks.calls,
        "reasoning_content": BETWEEN_TEXTS.join(blocks.thoughts),
        "results": blocks.results,
    }
    found = {key: value for key, value in beside.items() if value}
    return blocks.text if blocks.texts or not found else None, found


def is_part(value: Any) -> bool:
    """Whether a part of what a tool gave is a block, and not its own data."""
    if isinstance(value, str):
        return True
    return isinstance(value, Mapping) and (
        isinstance(value.get("type"), str) or any(key in value for key in GAVE)
    )
