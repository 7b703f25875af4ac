"""A row that is several texts, each read and answered by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.data.table import Table
from luthier.forms.form import Columns, Form, Role, is_blank, texts_in
from luthier.forms.text_form import one_text
from luthier.models.hub.inspect import Folder
from luthier.models.readers.texts import Long, Texts


@dataclass(frozen=True)
class TextsForm(Form):
    """One, two or three texts a row, as many as the table has columns for; `predict` takes one."""

    name: ClassVar[str] = "texts"
    roles: ClassVar[Mapping[str, Role]] = {
        "text": Role(text=True),
        "text2": Role(text=True, predicts=False),
        "negative": Role(text=True, predicts=False),
    }
    effects: ClassVar[frozenset[str]] = frozenset({"model.pooling"})

    def open(self, folder: Folder) -> Texts:
        return Texts(folder)

    def read(self, reader: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        return reader.sets(rows, targets)

    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        there = [columns[role] for role in self.roles if role in columns]
        return list(zip(*(table.texts(name, rows) for name in there), strict=True))

    def row(self, value: Any, place: str) -> tuple[str]:
        return (one_text(value, place),)

    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> tuple[str, ...]:
        return texts_in(record, ["text"], place)

    def blank(self, row: Any) -> bool:
        return is_blank(row)

    def shown(self, table: Table, columns: Columns) -> list[str]:
        return [" | ".join(texts) for texts in self.inputs(table, columns)]
