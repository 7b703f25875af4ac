"""Which texts to label next where entities are found in them."""

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from luthier.arrays import Array, Floats
from luthier.data.table import Table
from luthier.forms.form import Columns, Form
from luthier.forms.words_form import WordsForm
from luthier.tasks.classification.labels import in_order
from luthier.tasks.suggesting import Labelled, Suggesting, margins
from luthier.tasks.token_classification.kind import holds_spans, tags_of


@dataclass(frozen=True)
class SuggestingEntities(Suggesting):
    """A tag for each word."""

    by_word: ClassVar[bool] = True
    head: str = "tags"
    why: str = "one of which some words are in doubt"

    def form(self, table: Table, columns: Columns) -> Form:
        return WordsForm(blanks=not holds_spans(table, columns["label"]))
