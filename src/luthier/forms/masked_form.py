"""A row that is a text of which words are hidden."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from luthier.arrays import Array
from luthier.batches.masked_texts import MaskedTexts
from luthier.errors import ModelError
from luthier.forms.text_form import TextForm
from luthier.models.readers.texts import Long, Texts
from luthier.models.readers.whole_words import word_numbers


@dataclass(frozen=True)
class MaskedForm(TextForm):
    """One text a row, of which a model finds the words that are hidden; or two that are read as one. As rows of a table or of a
    caller they are those of texts."""

    name: ClassVar[str] = "masked"
    effects: ClassVar[frozenset[str]] = frozenset({"data.long", "data.long=windows"})
    pieces: ClassVar[str | None] = None

    def read(self, reader: Texts, rows: Sequence[Any], targets: Array, way: str) -> tuple[MaskedTexts, Long]:
        mask, special = reader.tokenizer.mask_token_id, set(reader.tokenizer.all_special_ids)
        if mask is None:
            raise ModelError(
                f"{reader.path}: its tokenizer names no token that hides another one, so no words can be hidden from its model. "
                "Add mask_token to it, or name another model with --model."
            )
        texts, long = reader.examples(rows, targets, way)
        others = np.array(
            [number for number in range(len(reader.tokenizer)) if number not in special], np.int64
        )
        words = word_numbers(reader, rows, long.way)
        assert len(words) == len(texts.ids), "words are numbered as texts are read"
        return MaskedTexts(texts, words, np.arange(len(texts)), int(mask), others), long

    def occluded(self, row: Any) -> list[Any]:
        return []
