"""Forms in which tools and people write tables, each brought to the columns that tasks know. A new one is a file and a row."""

from collections.abc import Callable

from luthier.data.shapes.answers import answers, questions_inside
from luthier.data.shapes.argilla import argilla
from luthier.data.shapes.argilla_2 import argilla_2
from luthier.data.shapes.cells import fault_of
from luthier.data.shapes.dataturks import dataturks
from luthier.data.shapes.label_studio import label_studio
from luthier.data.shapes.label_studio_min import label_studio_min
from luthier.data.shapes.listed_examples import listed_examples
from luthier.data.shapes.mixed_lists import mixed_lists
from luthier.data.shapes.nested import nested
from luthier.data.shapes.prodigy import prodigy
from luthier.data.shapes.spacy import spacy_categories, spacy_documents
from luthier.data.shapes.spans import spans
from luthier.data.shapes.suggested import suggested
from luthier.data.shapes.text_lists import candidates, text_lists
from luthier.data.shapes.token_lists import token_lists
from luthier.data.shapes.token_rows import token_rows
from luthier.data.shapes.token_spans import token_spans
from luthier.data.table import Table
from luthier.errors import DataError

Shape = Callable[[Table], Table | None]
"""The table in other columns, its `layout` and `guesses` telling of them; None where it is not of this form."""

SHAPES: dict[str, Shape] = {
    "rows to label": suggested,
    "Prodigy": prodigy,
    "Label Studio": label_studio,
    "Label Studio, JSON-MIN": label_studio_min,
    "Dataturks": dataturks,
    "Argilla": argilla,
    "Argilla 2": argilla_2,
    "spaCy, categories": spacy_categories,
    "spaCy, documents": spacy_documents,
    "one or a list": mixed_lists,
    "SQuAD, nested": questions_inside,
    "objects in rows": nested,
    "answers in cells": answers,
    "spans of words": token_spans,
    "spans": spans,
    "words and tags in rows": token_rows,
    "words and tags in lists": token_lists,
    "labels with examples": listed_examples,
    "texts in lists": text_lists,
    "query, positives, negatives": candidates,
}
"""In the order in which they are tried; each sees what those before it made."""


def shaped(table: Table) -> Table:
    """A table brought to columns that tasks know, by every shape that fits.

    Raises DataError for a column whose values are of several kinds, where no shape made another of it.
    """
    for shape in SHAPES.values():
        table = shape(table) or table
    for name in table.names:
        if (fault := fault_of(table, name)) is not None:
            raise DataError(fault)
    return table
