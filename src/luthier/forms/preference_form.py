"""A row that is a preference: a prompt with two answers of which one is preferred, or with one that was judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from luthier.arrays import Array, Ints
from luthier.batches.conversations import Conversation, Judged, Preference
from luthier.batches.examples import Examples
from luthier.data.conversations.given import answer_from, conversation_from, conversation_of
from luthier.data.conversations.naming import find_prompts
from luthier.data.conversations.preferences import (
    judged_of,
    preferences_of,
    shown_judged,
    shown_pair,
)
from luthier.data.conversations.reading import (
    CHOSEN,
    COMPLETION,
    MESSAGES,
    REJECTED,
    conversations_of,
    prompts_of,
)
from luthier.data.table import Table
from luthier.errors import DataError, listing
from luthier.forms.conversation_form import (
    OF_PROMPTS,
    is_silent,
    opened,
    shown_conversation,
    speaker_of,
    whole,
    with_system,
)
from luthier.forms.form import Columns, Form, Role
from luthier.models.hub.inspect import Folder
from luthier.models.readers.speaker import Speaker
from luthier.models.readers.texts import Long
from luthier.plan.places import PACKAGED_CHAT

LABEL = "label"


@dataclass(frozen=True)
class PreferenceForm(Form):
    """Two answers to a prompt a row, a `Preference`; or, where a label judges one, a `Judged`.

    A finished model reads prompts alone, as conversations.
    """

    system: str | None = None
    """What is said in a first turn to prompts that have no such turn."""
    mismatched: bool = False
    """Whether answers of other rows follow a row's own, to measure how far a model has moved by (KTO)."""
    scores: bool = False
    """Whether the model scores answers as they stand, and writes none."""

    name: ClassVar[str] = "preference"
    roles: ClassVar[Mapping[str, Role]] = {
        **OF_PROMPTS,
        CHOSEN: Role(nested=True, predicts=False),
        REJECTED: Role(nested=True, predicts=False),
        COMPLETION: Role(nested=True, predicts=False),
    }
    model: ClassVar[str] = PACKAGED_CHAT
    effects: ClassVar[frozenset[str]] = frozenset({"data.long", "task.system", "task.objective", "task.beta"})
    thing: ClassVar[str] = "preference"
    a_thing: ClassVar[str] = "a preference"
    answers_vary: ClassVar[bool] = True

    def open(self, folder: Folder) -> Any:
        return opened(folder)

    def read(self, reader: Any, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        prompts = [with_system(row, self.system) for row in rows if isinstance(row, Conversation)]
        if len(prompts) == len(rows):  # that are to be answered, or scored
            return reader.examples(prompts, targets, way, "last", self.scores)  # type: ignore[no-any-return]
        answers = [tuple(with_system(one, self.system) for one in whole_of(row)) for row in rows]
        together = with_others(answers) if self.mismatched else answers
        return reader.pairs(together, targets, way, self.scores)  # type: ignore[no-any-return]

    def asked(self, row: Any) -> Any:
        return row if self.scores else row.prompt

    def speaker(self, reader: Any) -> Speaker:
        return speaker_of(reader, self.system)

    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        return whole(table, rows_of(table, columns, rows), rows)

    def columns_to_answer(
        self, table: Table, named: Mapping[str, str | None], known: Columns
    ) -> dict[str, str]:
        found = find_prompts(table, named, known)
        if not self.scores or MESSAGES in found:
            return found
        if COMPLETION not in table.names:
            raise DataError(
                f"{table.files[0]}: this model gives answers a score, and there is no column {COMPLETION!r} that holds them. "
                f"Call the column of answers so. Columns: {listing(table.names, most=20)}."
            )
        return {**found, COMPLETION: COMPLETION}

    def row(self, value: Any, place: str) -> Conversation:
        return answer_from({MESSAGES: value}, place) if self.scores else conversation_of(value, place)

    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> Conversation:
        return answer_from(record, place) if self.scores else conversation_from(record, place)

    def blank(self, row: Any) -> bool:
        return is_silent(row if isinstance(row, Conversation) else row.prompt)

    def shown(self, table: Table, columns: Columns) -> list[str]:
        return [shown_row(one) for one in rows_of(table, columns)]


def rows_of(table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
    """Rows as preferences, as judged answers or, without their columns, as answers to be judged, or as prompts; a Fault for a row
    that is none."""
    if CHOSEN in columns:
        return list(preferences_of(table, columns, rows))
    if LABEL in columns:
        return list(judged_of(table, columns, rows))
    if COMPLETION in columns:
        return list(conversations_of(table, columns, rows))
    if not columns:
        raise DataError(f"{table.files[0]}: has no column of prompts. Name one with --column prompt=NAME.")
    return list(prompts_of(table, columns, rows))


def shown_row(one: Any) -> str:
    """A row as a person reads it."""
    if isinstance(one, Preference):
        return shown_pair(one)
    return shown_judged(one) if isinstance(one, Judged) else shown_conversation(one)


def whole_of(row: Preference | Judged) -> tuple[Conversation, ...]:
    """The conversations of a row: its prompt with the chosen answer and with the rejected one, or with the judged one."""
    if isinstance(row, Preference):
        return row.prompt.with_turns(*row.chosen), row.prompt.with_turns(*row.rejected)
    return (row.prompt.with_turns(*row.answer),)


def with_others(rows: Sequence[tuple[Conversation, ...]]) -> list[tuple[Conversation, ...]]:
    """Each row, and after it its prompt with the answers of the row before; of the first one with those of the second.

    Training rows come first: what they learn of the drift is measured with no answer of a row that is held out.
    """
    others = [*rows[1:2], *rows[:-1]] if len(rows) > 1 else rows
    return [
        (*own, *(own[0].prompt.with_turns(whole.turns[-1]) for whole in other))
        for own, other in zip(rows, others, strict=True)
    ]
