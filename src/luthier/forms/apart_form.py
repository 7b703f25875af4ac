"""A row that is two texts, each read by itself, with one answer for both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from luthier.arrays import Array, Ints
from luthier.batches.examples import Examples
from luthier.data.table import Table
from luthier.forms.form import Columns, Form, Role, is_blank, texts_in
from luthier.forms.pair_form import ROLES, joined, one_pair, pairs_in
from luthier.models.hub.inspect import Folder
from luthier.models.readers.texts import Long, Texts


@dataclass(frozen=True)
class ApartForm(Form):
    """Two texts a row, of which a model makes a vector each."""

    name: ClassVar[str] = "apart"
    roles: ClassVar[Mapping[str, Role]] = ROLES
    effects: ClassVar[frozenset[str]] = frozenset({"data.long", "model.pooling"})
    side_by_side: ClassVar[bool] = True
    pair: ClassVar[str | None] = "bi-encoder"

    def open(self, folder: Folder) -> Texts:
        return Texts(folder)

    def read(self, reader: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        return reader.sets(rows, targets, way, by_part=False)

    def inputs(self, table: Table, columns: Columns, rows: Ints | None = None) -> list[Any]:
        return pairs_in(table, columns, rows)

    def row(self, value: Any, place: str) -> tuple[str, str]:
        return one_pair(value, place)

    def from_json(self, record: Mapping[str, Any], place: str = "the row") -> tuple[str, ...]:
        return texts_in(record, list(ROLES), place)

    def blank(self, row: Any) -> bool:
        return is_blank(row)

    def shown(self, table: Table, columns: Columns) -> list[str]:
        return joined(table, columns)
