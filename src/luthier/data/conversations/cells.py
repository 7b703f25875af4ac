"""Cells of a column of turns: the turns as JSON, or why the row has none that can be read."""

import json
from collections.abc import Sequence
from typing import Any

from luthier.data.conversations.fault import UNREADABLE, Fault
from luthier.data.conversations.turns import Turns

REASON, DETAIL = "left out", "because"
"""The keys of a cell that holds no turns."""


def cell_of(found: Turns | Fault) -> str:
    """The cell that holds some turns, with every key and value as it is, or a fault.

    >>> cell_of([{"role": "user", "content": "Grüße"}])
    '[{"role": "user", "content": "Grüße"}]'
    """
    if isinstance(found, Fault):
        return json.dumps({REASON: found.reason, DETAIL: found.detail}, ensure_ascii=False)
    text = json.dumps(found, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return cell_of(Fault(UNREADABLE, "half a character, without its other half"))
    return text


def in_cell(cell: str | None) -> Turns | Fault:
    """The turns of a cell, none where it is empty; or the fault that it holds."""
    if cell is None:
        return []
    found: Any = json.loads(cell)
    if isinstance(found, dict):
        return Fault(found[REASON], found[DETAIL])
    turns: Turns = found
    return turns


def as_text(turns: Sequence[Any]) -> str:
    """Turns as a person reads them, one below the other.

    >>> as_text([{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}])
    'user: Hello\\nassistant: Hi!'
    """
    return "\n".join(f"{turn['role']}: {said_in(turn)}" for turn in turns)


def said_in(turn: Any) -> str:
    """What a turn says, and the tools that it calls, in one text."""
    calls = [json.dumps(call["function"], ensure_ascii=False) for call in turn.get("tool_calls") or ()]
    return "\n".join([*([turn["content"]] if turn.get("content") else []), *calls])
