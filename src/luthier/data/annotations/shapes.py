"""Shapes: forms in which tools and people write tables, each brought to the columns that tasks know. A new one is a file and a
row here."""

from collections.abc import Callable

from luthier.data.annotations.answers import answers, questions_inside
from luthier.data.annotations.argilla import argilla
from luthier.data.annotations.argilla_2 import argilla_2
from luthier.data.annotations.cells import fault_of
from luthier.data.annotations.conversations import conversations
from luthier.data.annotations.dataturks import dataturks
from luthier.data.annotations.label_studio import label_studio
from luthier.data.annotations.label_studio_min import label_studio_min
from luthier.data.annotations.listed_examples import listed_examples
from luthier.data.annotations.mixed_lists import mixed_lists
from luthier.data.annotations.nested import nested
from luthier.data.annotations.prodigy import prodigy
from luthier.data.annotations.spacy import spacy_categories, spacy_documents
from luthier.data.annotations.spans import spans
from luthier.data.annotations.suggested import suggested
from luthier.data.annotations.text_lists import candidates, text_lists
from luthier.data.annotations.token_lists import token_lists
from luthier.data.annotations.token_rows import token_rows
from luthier.data.annotations.token_spans import token_spans
from luthier.data.table import Table
from luthier.errors import DataError

Shape = Callable[[Table], Table | None]
"""A function from a table to the same table in other columns, told of in its `layout` and `guesses`; or to None where the table
is not of this form."""

SHAPES: dict[str, Shape] = {
    "rows to label": suggested,
    "conversations": conversations,
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
"""The shapes, in the order in which they are tried; each sees what those before it made."""


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
