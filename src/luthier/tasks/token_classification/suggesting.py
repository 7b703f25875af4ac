"""Which texts to label next where entities are found in them."""

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from luthier.data.table import Table
from luthier.forms.form import Columns, Form
from luthier.forms.words_form import WordsForm
from luthier.tasks.suggesting import Labelled, Suggesting
from luthier.tasks.token_classification.tagged import holds_spans, tags_of


@dataclass(frozen=True)
class SuggestingEntities(Suggesting):
    """A tag for each word."""

    by_word: ClassVar[bool] = True
    head: ClassVar[str] = "tags"
    in_doubt: ClassVar[str] = "some of its words are in doubt"

    def form(self, table: Table, columns: Columns) -> Form:
        return WordsForm(blanks=not holds_spans(table, columns["label"]))

    def labelled(self, table: Table, columns: Columns, labels_per_row: str) -> Labelled:
        inputs, values = self.form(table, columns).inputs(table, columns), table.values(columns["label"])
        there = [len(row) > 0 and value is not None for row, value in zip(inputs, values, strict=True)]
        rows = np.flatnonzero(there)
        if not len(rows):
            return Labelled(rows, rows, 1, 0, 0)
        tagged = tags_of(table, columns, inputs, values, rows, defaultdict(list))
        every = [tag for row in rows.tolist() for tag in tagged[row]]
        known = sorted(set(every) | {"O"}, key=lambda tag: (tag != "O", tag))
        number = {tag: at for at, tag in enumerate(known)}
        begun = [tag for tag in every if tag.startswith("B-")]
        targets = np.array([number[tag] for tag in every], np.int64)
        return Labelled(rows, targets, len(known), len(set(begun)), len(begun))
