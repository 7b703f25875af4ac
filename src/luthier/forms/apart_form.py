"""A row that is two texts, each read by itself, with one answer for both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from luthier.arrays import Array
from luthier.batches.examples import Examples
from luthier.forms.pair_form import PairForm
from luthier.models.readers.texts import Long, Texts


@dataclass(frozen=True)
class ApartForm(PairForm):
    """Two texts a row, of which a model makes a vector each. As rows of a table or of a caller they are those of a pair."""

    name: ClassVar[str] = "apart"
    effects: ClassVar[frozenset[str]] = frozenset({"data.long", "model.pooling", "data.unlabelled"})
    own_pooling: ClassVar[bool] = False
    side_by_side: ClassVar[bool] = True
    pair: ClassVar[str | None] = "bi-encoder"

    def read(self, reader: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[Examples, Long]:
        return reader.sets(rows, targets, way, by_part=False)
