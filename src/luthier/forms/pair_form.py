"""A row that is two texts, read as one."""

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

ROLES = {"text": Role(text=True), "text2": Role(text=True)}


@dataclass(frozen=True)
class PairForm(Form):
    """Two texts a row, which the model reads one after the other, so that each token sees both."""

    name: ClassVar[str] = "pair"
    roles: ClassVar[Mapping[str, Role]] = ROLES
    effects: ClassVar[frozenset[str]] = frozenset(
        {"data.long", "model.hidden", "model.dropout", "data.unlabelled"}
    )
    own_pooling: ClassVar[bool] = True
    pair: ClassVar[str | None] = "cross-encoder"
    of_texts: ClassVar[bool] = True
    pieces: ClassVar[str | None] = "words"

    def open(self, folder: Folder) -> Texts:
        return Texts(folder)

    def read(self, reader: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        return reader.examples(rows, targets, way)

    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        return pairs_in(table, columns, rows)

    def row(self, value: Any, place: str) -> tuple[str, str]:
        return one_pair(value, place)

    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> tuple[str, ...]:
        return texts_in(record, list(ROLES), place)

    def blank(self, row: Any) -> bool:
        return is_blank(row)

    def texts(self, row: Any) -> tuple[str, ...]:
        return tuple(row)

    def occluded(self, row: Any) -> list[tuple[Piece, Any]]:
        found = pieces_of(row)
        return [(piece, without(row, piece)) for piece in found] if len(found) > 1 else []

    def shown(self, table: Table, columns: Columns) -> list[str]:
        return joined(table, columns)


def pairs_in(table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
    """(rows,) both texts of each row."""
    return list(zip(*(table.texts(columns[role], rows) for role in ROLES), strict=True))


def joined(table: Table, columns: Columns) -> list[str]:
    """Both texts of each row as one, for who reads findings."""
    return [f"{one} | {two}" for one, two in pairs_in(table, columns)]


def one_pair(value: Any, place: str) -> tuple[str, str]:
    """A pair of texts as a caller of `predict` hands it over. Raises DataError."""
    if (
        not isinstance(value, tuple | list)
        or len(value) != 2
        or not all(isinstance(text, str) for text in value)
    ):
        raise DataError(
            f"{place}: {value!r} is not a pair of texts. This model reads two texts a row: predict([(one, two), ...])."
        )
    return value[0], value[1]
