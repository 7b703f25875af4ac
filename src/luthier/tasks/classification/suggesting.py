"""Which rows to label next where a row has a label, or any number of them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from luthier.arrays import Array
from luthier.data.table import Table
from luthier.forms import FORMS
from luthier.forms.form import Columns, Form
from luthier.tasks.classification.label_column import read_labels
from luthier.tasks.classification.labels import in_order
from luthier.tasks.suggesting import Labelled, Suggesting


@dataclass(frozen=True)
class SuggestingLabels(Suggesting):
    """Labels of whole rows."""

    in_doubt: ClassVar[str] = "its label is in doubt"

    reads: str
    """What a row is made of: a key of FORMS."""
    head: str = "row"  # type: ignore[misc]

    def form(self, table: Table, columns: Columns) -> Form:
        return FORMS[self.reads]

    def labelled(self, table: Table, columns: Columns, labels_per_row: str) -> Labelled:
        column = columns["label"]
        labels = read_labels(table.values(column), labels_per_row, column in table.layout.none_is_answer)
        rows = np.flatnonzero(labels.there)
        names = in_order(labels.names(rows))
        number = {name: at for at, name in enumerate(names)}
        own = [[number[name] for name in labels.sets[at]] for at in labels.set_of[rows]]
        if not labels.many:
            targets: Array = np.array([of[0] for of in own], np.int64)
        else:
            targets = np.zeros((len(rows), len(names)), np.float32)
            for row, of in enumerate(own):
                targets[row, of] = 1
        return Labelled(rows, targets, len(names), len(names), sum(map(len, own)))
