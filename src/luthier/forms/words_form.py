"""A row that is a text of which each word has an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.batches.word_rows import Words
from luthier.data.table import Table
from luthier.data.tags import words_of
from luthier.errors import DataError
from luthier.forms.form import Columns, Form, Role
from luthier.models.hub.inspect import Folder
from luthier.models.readers.texts import Long, Texts
from luthier.models.readers.words import read_words


@dataclass(frozen=True)
class WordsForm(Form):
    """A text a row with the places of its words, or its words one by one: `Words`."""

    blanks: bool = False
    """Whether the words of a text are what stands between its blanks; else they are finer."""

    name: ClassVar[str] = "words"
    roles: ClassVar[Mapping[str, Role]] = {"text": Role(text=True, nested=True)}
    effects: ClassVar[frozenset[str]] = frozenset({"data.long", "data.long=windows", "model.dropout"})

    def open(self, folder: Folder) -> Texts:
        return Texts(folder)

    def read(self, reader: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        return read_words(reader, rows, targets, way)

    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        name = columns["text"]
        if holds_lists(table, name):
            values = table.values(name, rows)
            return [Words.of_tokens([str(token) for token in value or ()]) for value in values]
        return [in_text(text, self.blanks) for text in table.texts(name, rows)]

    def row(self, value: Any, place: str) -> Words:
        words = isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)
        if not isinstance(value, str) and not words:
            raise DataError(f"{place}: {value!r} is neither a text nor a list of words.")
        return in_text(value, self.blanks) if isinstance(value, str) else Words.of_tokens(value)

    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> Words:
        """The words, or the text, are called `text`, or `tokens` as in rows to learn from."""
        return self.row(record.get("text", record.get("tokens", dict(record))), place)

    def blank(self, row: Any) -> bool:
        return not len(row)

    def shown(self, table: Table, columns: Columns) -> list[str]:
        if holds_lists(table, columns["text"]):
            return [" ".join(map(str, tokens or ())) for tokens in table.values(columns["text"])]
        return table.texts(columns["text"])


def holds_lists(table: Table, name: str) -> bool:
    """Whether the cells of a column are lists."""
    return bool(pa.types.is_list(table.columns.schema.field(name).type))


def in_text(text: str, blanks: bool) -> Words:
    """The words of a text: what stands between its blanks, or finer."""
    return Words.of_tokens(text.split()) if blanks else Words(text, tuple(words_of(text)))
