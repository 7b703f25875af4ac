"""Columns of JSON whose values are kept as they are written, as turns of conversations and descriptions of tools are.

As columns of Arrow they would change: every object would have the keys of all, and a number among texts would be a text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.data.column_names import normal
from luthier.data.conversations.turns import are_turns, holds_messages

AS_WRITTEN = b"luthier: as written"
"""The key in a column's metadata that says that its values are JSON, texts among them too."""
TOOL_NAMES = ("tools", "functions")
SYSTEM_NAMES = ("system", "system_prompt", "system_instruction")
PROMPTS = ("messages", "prompt")


def kept_as_written(rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Names of the columns that hold turns in some of these rows, and beside them of tools and of system prompts in parts.

    >>> sorted(kept_as_written([{"messages": [{"role": "user", "content": "Hello"}], "tools": [{"name": "now"}], "n": [1]}]))
    ['messages', 'tools']
    """
    found = {name for row in rows for name, value in row.items() if are_turns(value) or holds_messages(value)}
    names = {name for row in rows for name in row}
    if found or any(normal(name) in PROMPTS for name in names):
        found |= {
            name
            for row in rows
            for name, value in row.items()
            if normal(name) in (*TOOL_NAMES, *SYSTEM_NAMES) and isinstance(value, list | dict)
        }
    return frozenset(found)
