"""Conversations: lists of turns in OpenAI's and ShareGPT's forms, and those written down as one text, brought to one form.

A column of turns holds them as JSON (data/conversations/cells.py), so that no key or value of a tool call changes. Rows that
cannot be read so keep their place, with the reason, and are left out and counted by the task.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from luthier.data.annotations.cells import (
    BROKEN,
    fault_of,
    head,
    is_nested,
    is_text,
    may_hold_objects,
    replaced,
    sniffed,
)
from luthier.data.annotations.literals import literal
from luthier.data.annotations.telling import noted
from luthier.data.column_names import normal
from luthier.data.conversations.cells import cell_of
from luthier.data.conversations.exchanges import NAMES as SPOKEN
from luthier.data.conversations.exchanges import TOLD, are_exchanges, spelt_out
from luthier.data.conversations.fault import UNREADABLE, Fault
from luthier.data.conversations.speakers import ASSISTANT, CALL, USER, role_of
from luthier.data.conversations.transcripts import is_transcript, turns_in
from luthier.data.conversations.turns import (
    AROUND,
    BETWEEN_PARTS,
    Seen,
    Turns,
    are_turns,
    holds_messages,
    turns_of,
)
from luthier.data.formats.as_written import AS_WRITTEN, TOOL_NAMES
from luthier.data.problems import counted
from luthier.data.table import Table
from luthier.errors import listing

ANSWERS = ("completion", "chosen", "rejected", "response", "output", "answer")
"""Columns in which a text among turns is the assistant's."""
WRITTEN_DOWN = (*ANSWERS, "prompt", "messages", "conversations", "conversation", "dialogue", "dialog", "chat")
"""Columns that may hold a whole conversation as one text."""


def conversations(table: Table) -> Table | None:
    """The table with turns in one form in every column that holds turns, and with tools beside them as JSON."""
    told = {name for name in table.names if holds_turns(table, name)}
    written = {name for name in table.names if name not in told and holds_transcripts(table, name)}
    if not told and not written:
        return None
    for name in table.names:
        if name in told:
            table = with_turns(with_tools_inside(table, name), name)
        elif name in written:
            table = with_turns(table, name, turns_in)
        elif normal(name) in TOOL_NAMES:
            table = replaced(table, name, [tools_as_json(one) for one in values_of(table, name)], pa.string())
    return replace(table, layout=replace(table.layout, turns=frozenset(told | written)))


def is_as_written(table: Table, name: str) -> bool:
    """Whether the values of a column are JSON, each of them, as the reader of JSON keeps them."""
    metadata = table.columns.schema.field(name).metadata or {}
    return AS_WRITTEN in metadata or fault_of(table, name) is not None


def holds_turns(table: Table, name: str) -> bool:
    """Whether a column holds turns, by its first values; texts may stand among them where they are told apart from JSON."""
    if is_as_written(table, name):
        return any(hold_turns(json.loads(value), name) for value in head(table, name))
    if not may_hold_objects(table, name):
        return False
    first = sniffed(table, name)
    return sum(hold_turns(without_nulls(one), name) for one in first) > len(first) / 2


def hold_turns(value: Any, name: str) -> bool:
    """Whether a value of a column is of turns, or of texts and pairs of texts where the column is called so."""
    return are_turns(value) or holds_messages(value) or (normal(name) in SPOKEN and are_exchanges(value))


def holds_transcripts(table: Table, name: str) -> bool:
    """Whether a column, called as those of conversations are, holds texts that are conversations written down."""
    if normal(name) not in WRITTEN_DOWN:
        return False
    first = head(table, name) if is_text(table, name) and not is_as_written(table, name) else []
    return bool(first) and sum(map(is_transcript, first)) >= (1 - BROKEN) * len(first)


def values_of(table: Table, name: str) -> list[Any]:
    """The values of a column as they stand in the file; a text that is none of the JSON that it should be stays a text.

    Objects of a typed file have the keys of all others in the column, with null: these are no part of them.
    """
    values = table.values(name)
    if is_as_written(table, name):
        return [None if value is None else json.loads(value) for value in values]
    if is_nested(table, name):
        return [without_nulls(value) for value in values]
    return [in_text(value) if isinstance(value, str) else value for value in values]


def in_text(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return literal(text)
    except ValueError:
        return text


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


def tools_as_json(value: Any) -> str | None:
    """The descriptions of tools as JSON, as they stand in the row; who reads them says whether they are any."""
    return value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False)


def with_tools_inside(table: Table, name: str) -> Table:
    """The table with the tools that stand in objects around turns as a column, where it has none of its own."""
    if any(normal(one) in TOOL_NAMES for one in table.names):
        return table
    inside = [value.get(TOOL_NAMES[0]) if holds_messages(value) else None for value in values_of(table, name)]
    return (
        replaced(table, TOOL_NAMES[0], [tools_as_json(one) for one in inside], pa.string())
        if any(inside)
        else table
    )


def with_turns(table: Table, name: str, written: Callable[[str], Turns] | None = None) -> Table:
    """The table with the turns of a column in one form, and what is to be told of them. written: reads a text as turns."""
    seen = Seen()
    alone = ASSISTANT if normal(name) in ANSWERS else USER
    mixed = is_as_written(table, name)
    cells: list[str | None] = []
    unnamed = 0
    for value in table.values(name) if written else values_of(table, name):
        if normal(name) in SPOKEN and are_exchanges(value):
            value, unnamed = spelt_out(value), unnamed + 1
        if value is None:
            cells.append(None)
        elif written is not None:
            cells.append(cell_of(written(value)))
        else:
            cells.append(cell_of(turns_or_fault(value, seen, alone, mixed)))
    table = replaced(table, name, cells, pa.string())
    if unnamed:
        table = noted(table, f"column {name!r}: {TOLD}.")
    for sentence in told_of(seen, name):
        table = noted(table, sentence)
    if written is not None:
        table = noted(
            table,
            f"column {name!r} holds conversations written down as texts, which are parted at 'Human:' and 'Assistant:'.",
        )
    return table


def turns_or_fault(value: Any, seen: Seen, alone: str, texts: bool) -> Turns | Fault:
    """The turns of a value, or why there are none. texts: whether a text in the place of turns is one turn."""
    try:
        if isinstance(value, str) and not texts:
            raise Fault(UNREADABLE, "a text that is no JSON stands in the place of the turns")
        return turns_of(value[AROUND] if holds_messages(value) else value, seen, alone)
    except Fault as fault:
        return fault


def told_of(seen: Seen, name: str) -> list[str]:
    """Sentences on what was met in the turns of a column and is read in some other way than it is written."""
    told = []
    if seen.joined:
        told.append(
            f"column {name!r}: {counted(seen.joined, 'turn')} of several texts, which are joined with "
            f"{BETWEEN_PARTS!r} between them."
        )
    if seen.renamed:
        told.append(f"column {name!r}: {names_of_speakers(seen.renamed)}.")
    if seen.unread:
        told.append(
            f"column {name!r}: the turns' keys {listing(sorted(seen.unread))} are not read; a turn is its role, its content "
            "and its calls of tools."
        )
    return told


def names_of_speakers(renamed: Mapping[str, int]) -> str:
    words = {CALL: "an assistant's call of a tool"}
    return ", ".join(
        f"{name!r} is read as {words.get(str(role_of(name)), role_of(name))}" for name in sorted(renamed)
    )
