"""A row that is a conversation: turns of a user, an assistant and others, and the tools that the assistant may call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from luthier.arrays import Array, Ints
from luthier.batches.conversations import Conversation, Turn
from luthier.batches.examples import Examples
from luthier.data.conversations.cells import as_text
from luthier.data.conversations.fault import Fault
from luthier.data.conversations.given import conversation_from, conversation_of
from luthier.data.conversations.naming import find_prompts
from luthier.data.conversations.reading import (
    COMPLETION,
    CONTEXT,
    HISTORY,
    MESSAGES,
    PROMPT,
    SYSTEM_PROMPT,
    TOOLS,
    Made,
    conversations_of,
)
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.forms.form import Columns, Form, Role
from luthier.models.chat.locate import Learnt
from luthier.models.hub.inspect import Folder
from luthier.models.readers.conversations import Conversations
from luthier.models.readers.speaker import Speaker
from luthier.models.readers.texts import Long
from luthier.plan.places import PACKAGED_CHAT

OF_PROMPTS = {
    MESSAGES: Role(nested=True),
    PROMPT: Role(nested=True),
    CONTEXT: Role(),
    SYSTEM_PROMPT: Role(),
    HISTORY: Role(nested=True),
    TOOLS: Role(nested=True),
}
"""The columns that a prompt may be made of."""


@dataclass(frozen=True)
class ConversationForm(Form):
    """One conversation a row: a column of turns, or columns of what is asked and what is answered."""

    turns: Learnt = "answers"
    """Which turns are learnt."""
    system: str | None = None
    """What is said in a first turn to conversations that have no such turn."""

    name: ClassVar[str] = "conversation"
    roles: ClassVar[Mapping[str, Role]] = {**OF_PROMPTS, COMPLETION: Role(nested=True, predicts=False)}
    model: ClassVar[str] = PACKAGED_CHAT
    effects: ClassVar[frozenset[str]] = frozenset(
        {"data.long", "task.turns", "task.system", "task.max_tokens", "task.pattern", "task.verify"}
    )
    thing: ClassVar[str] = "conversation"
    a_thing: ClassVar[str] = "a conversation"
    answers_vary: ClassVar[bool] = True

    def open(self, folder: Folder) -> Any:
        return opened(folder)

    def read(self, reader: Any, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        given = [with_system(row, self.system) for row in rows]
        return reader.examples(given, targets, way, self.turns)  # type: ignore[no-any-return]

    def learnt(self, row: Conversation) -> Conversation:
        """Up to the assistant's last turn: what follows it is answered by nobody."""
        return row.answered

    def asked(self, row: Conversation) -> Conversation:
        return row.prompt

    def speaker(self, reader: Any) -> Speaker:
        return speaker_of(reader, self.system)

    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        return whole(table, conversations_of(table, columns, rows), rows)

    def columns_to_answer(
        self, table: Table, named: Mapping[str, str | None], known: Columns
    ) -> dict[str, str]:
        return find_prompts(table, named, known)

    def row(self, value: Any, place: str) -> Conversation:
        return conversation_of(value, place)

    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> Conversation:
        return conversation_from(record, place)

    def blank(self, row: Any) -> bool:
        return is_silent(row)

    def too_long(self, reader: Any, rows: Sequence[Any]) -> list[int]:
        lengths = reader.lengths_of_prompts([with_system(row, self.system) for row in rows])
        return [at for at, length in enumerate(lengths.tolist()) if length >= reader.limit]

    def shown(self, table: Table, columns: Columns) -> list[str]:
        return [shown_conversation(one) for one in conversations_of(table, columns)]


def opened(folder: Folder) -> Any:
    """The reader of a folder's model."""
    return Conversations(folder)


def speaker_of(reader: Conversations, system: str | None) -> Speaker:
    """How one talks to a model that reads conversations, which it is told a system's turn before."""

    def prompt(turns: Sequence[Turn]) -> list[int]:
        return reader.renderer.prompt(with_system(Conversation(tuple(turns)), system))

    told = "" if system is None else f" It is told first: {system!r}."
    words = f"It sees the whole conversation.{told}"
    return Speaker(prompt, reader.writer, reader.limit, reader.lead, words)


def with_system(row: Conversation, system: str | None) -> Conversation:
    """A conversation that begins with a system's turn, where it had none and there is something to say in it."""
    if system is None or (row.turns and row.turns[0]["role"] == "system"):
        return row
    return replace(row, turns=({"role": "system", "content": system}, *row.turns))


def whole(table: Table, made: Sequence[Made], rows: Ints | None) -> list[Any]:
    """Conversations of rows. Raises DataError that names the first row which is none."""
    for at, one in enumerate(made):
        if isinstance(one, Fault):
            place = table.place(at if rows is None else int(rows[at]))
            raise DataError(f"{place}: is a row with {one}. Correct the row, or leave it out.")
    return list(made)


def is_silent(row: Conversation) -> bool:
    """Whether nothing is said in a conversation before the answer."""
    return not any((turn.get("content") or "").strip() for turn in row.prompt.turns)


def shown_conversation(one: Made) -> str:
    """A conversation as a person reads it; what is wrong with a row that is none."""
    return f"({one})" if isinstance(one, Fault) else as_text(one.turns)
