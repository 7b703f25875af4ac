"""Rows of a table as conversations: from a column of turns, or from columns of what is asked and what is answered."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from luthier.arrays import Ints
from luthier.batches.conversations import Conversation, Turn
from luthier.data.annotations.literals import literal
from luthier.data.conversations.cells import in_cell
from luthier.data.conversations.fault import SECOND_SYSTEM, UNREADABLE, Fault
from luthier.data.conversations.nulls import without_nulls
from luthier.data.conversations.speakers import ASSISTANT, SYSTEM, USER
from luthier.data.conversations.tools import NoTool, tools_of
from luthier.data.conversations.turns import Turns
from luthier.data.table import Table
from luthier.errors import DataError

Columns = Mapping[str, str]
"""Names of columns by role: `messages`, `prompt`, `completion` and so on."""

MESSAGES, PROMPT, CONTEXT, COMPLETION = "messages", "prompt", "context", "completion"
SYSTEM_PROMPT, HISTORY, TOOLS = "system", "history", "tools"
CHOSEN, REJECTED = "chosen", "rejected"

BEFORE_CONTEXT = "\n\n"
"""What stands between an instruction and its input in the user's turn."""

Made = Conversation | Fault
Tools = tuple[Mapping[str, Any], ...]


def conversations_of(table: Table, columns: Columns, rows: Ints | None = None) -> list[Made]:
    """Some rows as whole conversations, as far as they go, or all of them; a Fault for a row that is none.

    Raises DataError for tools that are no JSON schemas.
    """
    prompts = prompts_of(table, columns, rows)
    if COMPLETION not in columns:
        return prompts
    answers = turns_in(table, columns[COMPLETION], ASSISTANT, rows)
    return [continued(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]


def continued(prompt: Made, answer: Turns | Fault) -> Made:
    if isinstance(prompt, Fault):
        return prompt
    return answer if isinstance(answer, Fault) else prompt.with_turns(*answer)


def prompts_of(table: Table, columns: Columns, rows: Ints | None = None) -> list[Made]:
    """Some rows as conversations without the column of answers."""
    name = columns.get(MESSAGES) or columns.get(PROMPT)
    count = len(table) if rows is None else len(rows)
    turns = [[] for _ in range(count)] if name is None else turns_in(table, name, USER, rows)
    parts = zip(
        turns,
        texts_in(table, columns.get(CONTEXT), rows, count),
        texts_in(table, columns.get(SYSTEM_PROMPT), rows, count),
        history_in(table, columns.get(HISTORY), rows, count),
        described(table, columns.get(TOOLS), rows, count),
        strict=True,
    )
    return [prompt_or_fault(*row) for row in parts]


def prompt_or_fault(
    turns: Turns | Fault, context: str, system: str, history: Turns | Fault, tools: Tools
) -> Made:
    try:
        return prompt_of(sound(turns), context, system, sound(history), tools)
    except Fault as fault:
        return fault


def sound(found: Turns | Fault) -> Turns:
    """The turns that were found. Raises the Fault that stands in their place."""
    if isinstance(found, Fault):
        raise found
    return found


def prompt_of(turns: Turns, context: str, system: str, history: Turns, tools: Tools) -> Conversation:
    """One conversation: a system prompt from a column of its own, earlier turns, and the turns. Raises Fault."""
    turns = [*history, *after_context(turns, context)]
    if system.strip():
        if any(turn["role"] == SYSTEM for turn in turns):
            raise Fault(SECOND_SYSTEM, "one stands among the turns and one in its own column")
        turns = [{"role": SYSTEM, "content": system}, *turns]
    return Conversation(tuple(turns), tools)


def after_context(turns: Turns, context: str) -> Turns:
    """The turns, the last of which goes on with the input that its instruction is about."""
    if not context.strip():
        return turns
    if not turns:
        return [{"role": USER, "content": context}]
    *before, last = turns
    if last["role"] != USER or not isinstance(last["content"], str):
        raise Fault(UNREADABLE, "an input stands beside turns that do not end with an instruction")
    return [*before, {**last, "content": f"{last['content']}{BEFORE_CONTEXT}{context}"}]


def turns_in(table: Table, name: str, alone: str, rows: Ints | None) -> list[Turns | Fault]:
    """The turns of some rows: those of a column of turns, or a text as one turn of `alone`; a Fault where there are none."""
    written = name in table.layout.turns
    return [in_cell(value) if written else one_turn(value, alone) for value in table.values(name, rows)]


def one_turn(value: Any, role: str) -> Turns | Fault:
    """A text as one turn; none where it is blank. Another plain value is written out."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    if isinstance(value, list | dict):
        return Fault(UNREADABLE, "a list or an object stands in the place of a text")
    return [{"role": role, "content": value if isinstance(value, str) else json.dumps(value, default=str)}]


def texts_in(table: Table, name: str | None, rows: Ints | None, count: int) -> list[str]:
    return [""] * count if name is None else table.texts(name, rows)


def history_in(table: Table, name: str | None, rows: Ints | None, count: int) -> list[Turns | Fault]:
    """Earlier turns of some rows: pairs of what was asked and answered, as LLaMA-Factory has them, or turns."""
    if name is None:
        return [[] for _ in range(count)]
    if name in table.layout.turns:
        return turns_in(table, name, USER, rows)
    return [of_pairs(value) for value in table.values(name, rows)]


def of_pairs(value: Any) -> Turns | Fault:
    """The turns of pairs of texts, which stand as lists or as their JSON.

    >>> of_pairs('[["Hello", "Hi!"]]')
    [{'role': 'user', 'content': 'Hello'}, {'role': 'assistant', 'content': 'Hi!'}]
    """
    try:
        pairs = literal(value) if isinstance(value, str) and value.strip() else value or []
    except ValueError:
        pairs = None
    if not isinstance(pairs, list) or not all(is_pair(pair) for pair in pairs):
        return Fault(UNREADABLE, "the earlier turns are no list of pairs of texts")
    return [
        {"role": role, "content": text}
        for pair in pairs
        for role, text in zip((USER, ASSISTANT), pair, strict=True)
        if text
    ]


def is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(text, str | None) for text in value)


def described(table: Table, name: str | None, rows: Ints | None, count: int) -> Sequence[Tools]:
    """The tools of each row. Raises DataError for what is no JSON schema."""
    if name is None:
        return [()] * count
    numbers = range(len(table)) if rows is None else rows.tolist()
    found = []
    for row, value in zip(numbers, table.values(name, rows), strict=True):
        try:
            found.append(tools_of(value if isinstance(value, str) else without_nulls(value)))
        except NoTool as words:
            raise DataError(
                f"{table.place(row)}: column {name!r}: the tools of this row {words}. Expected a list of objects such as "
                '{"type": "function", "function": {"name": "…", "parameters": {"type": "object", "properties": {…}}}}, '
                "as a list or as its JSON."
            ) from None
    return found


def answered(turns: Sequence[Turn]) -> bool:
    """Whether the last turn is an assistant's, and says something or calls a tool."""
    if not turns or turns[-1]["role"] != ASSISTANT:
        return False
    return bool((turns[-1].get("content") or "").strip() or turns[-1].get("tool_calls"))
