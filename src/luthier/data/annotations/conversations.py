"""Conversations: lists of turns in OpenAI's and ShareGPT's forms, and those written down as one text, brought to one form.

A column of turns holds them as JSON (data/conversations/cells.py), so that no key or value of a tool call changes. Rows that
cannot be read so keep their place, with the reason, and are left out and counted by the task.
"""

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa

from luthier.data.annotations.cells import (
    BROKEN,
    head,
    is_nested,
    is_text,
    may_hold_objects,
    replaced,
    sniffed,
)
from luthier.data.annotations.turn_columns import (
    ANSWERS,
    is_as_written,
    media,
    tools_as_json,
    values_of,
    with_transcripts,
    with_turns,
)
from luthier.data.column_names import normal
from luthier.data.conversations.blocks import blocks_of
from luthier.data.conversations.exchanges import NAMES as SPOKEN
from luthier.data.conversations.exchanges import are_exchanges
from luthier.data.conversations.fault import Fault
from luthier.data.conversations.naming import MESSAGE_NAMES
from luthier.data.conversations.nulls import without_nulls
from luthier.data.conversations.reading import PROMPT
from luthier.data.conversations.transcripts import is_transcript
from luthier.data.conversations.turns import (
    SAID_KEYS,
    are_turns,
    holds_messages,
)
from luthier.data.formats.as_written import SYSTEM_NAMES, TOOL_NAMES
from luthier.data.table import Table
from luthier.errors import DataError

WRITTEN_DOWN = (*ANSWERS, PROMPT, *MESSAGE_NAMES)
"""Columns that may hold a whole conversation as one text."""


def conversations(table: Table) -> Table | None:
    """The table with turns in one form in every column that holds turns, and with tools beside them as JSON."""
    told = {name for name in table.names if normal(name) not in SYSTEM_NAMES and holds_turns(table, name)}
    written = {name for name in table.names if name not in told and holds_transcripts(table, name)}
    if not told and not written:
        return None
    beside = media(table)
    for name in table.names:
        if name in told:
            table = with_turns(with_tools_inside(table, name), name, beside)
        elif name in written:
            table = with_transcripts(table, name)
        elif normal(name) in TOOL_NAMES:
            table = replaced(table, name, [tools_as_json(one) for one in values_of(table, name)], pa.string())
        elif normal(name) in SYSTEM_NAMES and (is_as_written(table, name) or is_nested(table, name)):
            table = replaced(table, name, system_prompts(table, name), pa.string())
    return replace(table, layout=replace(table.layout, turns=frozenset(told | written)))


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


def system_prompts(table: Table, name: str) -> list[str | None]:
    """The texts of a column of system prompts that stand in blocks, or in an object around them.

    Raises DataError for a block that is no text.
    """
    found: list[str | None] = []
    for row, value in enumerate(values_of(table, name)):
        said = (
            next((value[key] for key in SAID_KEYS if key in value), value)
            if isinstance(value, dict)
            else value
        )
        try:
            found.append(None if said is None else blocks_of(said, f"column {name!r}").text)
        except Fault as fault:
            raise DataError(
                f"{table.place(row)}: the system prompt has {fault}. Expected a text, or a list of texts. Write it as a text."
            ) from None
    return found


def with_tools_inside(table: Table, name: str) -> Table:
    """The table with the tools that stand in objects around turns as a column, where it has none of its own."""
    if any(normal(one) in TOOL_NAMES for one in table.names):
        return table
    inside = [value.get(TOOL_NAMES[0]) if holds_messages(value) else None for value in values_of(table, name)]
    if not any(inside):
        return table
    return replaced(table, TOOL_NAMES[0], [tools_as_json(one) for one in inside], pa.string())
