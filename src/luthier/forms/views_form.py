"""A row that is a text, which a model is to know again when words are left out of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from luthier.arrays import Array
from luthier.batches.text_views import TextViews
from luthier.forms.text_form import TextForm
from luthier.models.readers.texts import Long, Texts
from luthier.models.readers.whole_words import word_numbers


@dataclass(frozen=True)
class ViewsForm(TextForm):
    """One text a row, of which there are two views. As rows of a table or of a caller they are those of texts."""

    name: ClassVar[str] = "views"
    effects: ClassVar[frozenset[str]] = frozenset({"data.long", "model.pooling"})
    pieces: ClassVar[str | None] = None

    def read(self, reader: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[TextViews, Long]:
        texts, long = reader.examples(rows, targets, way)
        words = word_numbers(reader, rows, long.way)
        assert len(words) == len(texts.ids), "words are numbered as texts are read"
        return TextViews(texts, words, np.arange(len(texts))), long

    def occluded(self, row: Any) -> list[Any]:
        return []
