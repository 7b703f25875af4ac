"""A row that is a text of which every token is learnt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from luthier.arrays import Array
from luthier.batches.conversations import Turn
from luthier.batches.examples import Examples
from luthier.data.table import Table
from luthier.forms.conversation_form import speaker_of
from luthier.forms.form import Columns, Form, Role
from luthier.forms.text_form import TextForm, one_text
from luthier.models.hub.inspect import Folder
from luthier.models.readers.conversations import Conversations
from luthier.models.readers.speaker import Speaker
from luthier.models.readers.texts import Long
from luthier.plan.places import PACKAGED_CHAT


@dataclass(frozen=True)
class DocumentForm(Form):
    """One text a row, read from its beginning to its end; one that is longer than the model reads is read in pieces."""

    name: ClassVar[str] = "document"
    roles: ClassVar[Mapping[str, Role]] = {"text": Role(text=True)}
    effects: ClassVar[frozenset[str]] = frozenset({"data.long", "data.long=windows"})
    model: ClassVar[str] = PACKAGED_CHAT

    def open(self, folder: Folder) -> Conversations:
        return Conversations(folder, chats=False)

    def read(
        self, reader: Conversations, rows: Sequence[Any], targets: Array, way: str
    ) -> tuple[Examples, Long]:
        return reader.passages(rows, targets, way)

    def inputs(self, table: Table, columns: Columns, rows: Any = None) -> list[Any]:
        return TextForm().inputs(table, columns, rows)

    def speaker(self, reader: Conversations) -> Speaker:
        """By its own chat template where it has one: it may have learnt to talk before. Else it goes on with texts."""
        if reader.has_template:
            return speaker_of(reader, system=None)

        def prompt(turns: Sequence[Turn]) -> list[int]:
            return reader.begun(str(turns[-1]["content"]))

        words = "It has no chat template: it goes on with the text that it is given, and sees none of those before."
        return Speaker(prompt, reader.writer, reader.limit, reader.lead, words)

    def row(self, value: Any, place: str) -> str:
        return one_text(value, place)

    def from_json(self, record: Any, place: str = "the row") -> str:
        return TextForm().from_json(record, place)

    def blank(self, row: Any) -> bool:
        return TextForm().blank(row)
