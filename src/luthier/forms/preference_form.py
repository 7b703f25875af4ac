"""A row that is a preference: a prompt with two answers of which one is preferred, or with one that was judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from luthier.arrays import Array, Ints
from luthier.batches.conversations import Conversation, Judged, Preference
from luthier.batches.examples import Examples
from luthier.data.conversations.given import conversation_from, conversation_of
from luthier.data.conversations.naming import find_prompts
from luthier.data.conversations.preferences import (
    judged_of,
    preferences_of,
    shown_judged,
    shown_pair,
)
from luthier.data.conversations.reading import CHOSEN, COMPLETION, REJECTED, prompts_of
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.forms.conversation_form import OF_PROMPTS, is_silent, opened, shown_conversation, whole
from luthier.forms.form import Columns, Form, Role
from luthier.models.hub.inspect import Folder
from luthier.models.readers.texts import Long

LABEL = "label"


@dataclass(frozen=True)
class PreferenceForm(Form):
    """Two answers to a prompt a row, a `Preference`; or, where a label judges one, a `Judged`.

    A finished model reads prompts alone, as conversations.
    """

    name: ClassVar[str] = "preference"
    roles: ClassVar[Mapping[str, Role]] = {
        **OF_PROMPTS,
        CHOSEN: Role(nested=True, predicts=False),
        REJECTED: Role(nested=True, predicts=False),
        COMPLETION: Role(nested=True, predicts=False),
    }
    effects: ClassVar[frozenset[str]] = frozenset({"data.long"})
    thing: ClassVar[str] = "preference"
    a_thing: ClassVar[str] = "a preference"
    answers_vary: ClassVar[bool] = True

    def open(self, folder: Folder) -> Any:
        return opened(folder)

    def read(self, reader: Any, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        return reader.examples(rows, targets, way)  # type: ignore[no-any-return]

    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        return whole(table, rows_of(table, columns, rows), rows)

    def columns_to_answer(
        self, table: Table, named: Mapping[str, str | None], known: Columns
    ) -> dict[str, str]:
        return find_prompts(table, named, known)

    def row(self, value: Any, place: str) -> Conversation:
        return conversation_of(value, place)

    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> Conversation:
        return conversation_from(record, place)

    def blank(self, row: Any) -> bool:
        return is_silent(row if isinstance(row, Conversation) else row.prompt)

    def shown(self, table: Table, columns: Columns) -> list[str]:
        return [shown_row(one) for one in rows_of(table, columns)]


def rows_of(table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
    """Rows as preferences, as judged answers or, without either's columns, as prompts; a Fault for a row that is none."""
    if CHOSEN in columns:
        return list(preferences_of(table, columns, rows))
    if LABEL in columns:
        return list(judged_of(table, columns, rows))
    if not columns:
        raise DataError(f"{table.files[0]}: has no column of prompts. Name one with --column prompt=NAME.")
    return list(prompts_of(table, columns, rows))


def shown_row(one: Any) -> str:
    """A row as a person reads it."""
    if isinstance(one, Preference):
        return shown_pair(one)
    return shown_judged(one) if isinstance(one, Judged) else shown_conversation(one)
