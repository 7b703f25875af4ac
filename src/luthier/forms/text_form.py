"""A row that is one text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.data.table import Table
from luthier.errors import DataError
from luthier.forms.form import Columns, Form, Role, is_blank, texts_in
from luthier.forms.pieces import Piece, pieces_of, without
from luthier.models.hub.inspect import Folder
from luthier.models.readers.texts import Long, Texts


@dataclass(frozen=True)
class TextForm(Form):
    """One text a row."""

    name: ClassVar[str] = "text"
    roles: ClassVar[Mapping[str, Role]] = {"text": Role(text=True)}
    effects: ClassVar[frozenset[str]] = frozenset(
        {
            "data.long",
            "data.long=windows",
            "model.pooling",
            "model.hidden",
            "model.dropout",
            "data.unlabelled",
        }
    )

    of_texts: ClassVar[bool] = True
    pieces: ClassVar[str | None] = "words"

    def open(self, folder: Folder) -> Texts:
        return Texts(folder)

    def read(self, reader: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        return reader.examples(rows, targets, way)

    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        return list(table.texts(columns["text"], rows))

    def row(self, value: Any, place: str) -> str:
        return one_text(value, place)

    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> str:
        return texts_in(record, ["text"], place)[0]

    def blank(self, row: Any) -> bool:
        return is_blank(row)

    def texts(self, row: Any) -> tuple[str, ...]:
        return (row,)

    def occluded(self, row: Any) -> list[tuple[Piece, Any]]:
        found = pieces_of([row])
        return [(piece, without([row], piece)[0]) for piece in found] if len(found) > 1 else []


def one_text(value: Any, place: str) -> str:
    """A text as a caller of `predict` hands it over. Raises DataError."""
    if not isinstance(value, str):
        raise DataError(
            f"{place}: {value!r} is not a text. This model reads one text a row: predict([text, ...])."
        )
    return value
