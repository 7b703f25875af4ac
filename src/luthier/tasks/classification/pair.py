"""Pair classification: two texts, and one label of several (entailment, paraphrase) or any number of them."""

from collections.abc import Mapping

from luthier.data.columns import ColumnGuess
from luthier.data.table import Table
from luthier.data.text_pairs import guess_pair
from luthier.forms.form import Columns
from luthier.models.hub.tuned_head import ROWS, TunedHead
from luthier.tasks.classification.finished import classes_of
from luthier.tasks.classification.labelled import labelled_rows
from luthier.tasks.classification.suggesting import SuggestingLabels
from luthier.tasks.classification.task import Classification
from luthier.tasks.kind import Finished, Kind, KindParts, Roles, Understood, Wishes
from luthier.tasks.texts import input_keys, read_columns

NAME = "pair-classification"
LABEL_NAMES = (
    "label",
    "gold_label",
    "labels",
    "class",
    "relation",
    "is_duplicate",
    "target",
    "judgement",
    "score",
)


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    return guess_pair(table, asked, LABEL_NAMES)


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    read, keys = read_columns(table, columns), input_keys(table, columns)
    return labelled_rows(table, NAME, "pair", read, columns["label"], keys, roles, wishes)


def of_head(head: TunedHead) -> Finished | None:
    return classes_of(head, ROWS, NAME, "pair")


PAIR_CLASSIFICATION = Kind(
    name=NAME,
    example=(
        {"text": "The neck is cracked.", "text2": "The guitar is damaged.", "label": "follows"},
        {"text": "The parcel came on Monday.", "text2": "Nothing has arrived yet.", "label": "contradicts"},
        {"text": "It stays in tune.", "text2": "The case is blue.", "label": "neither"},
    ),
    forms=("pair",),
    find=find,
    understand=understand,
    restore=Classification.from_json,
    parts=KindParts(suggests=SuggestingLabels("pair")),
)
