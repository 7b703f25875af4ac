"""Text classification: a text, and one label of several or any number of them."""

from collections.abc import Mapping, Sequence

from luthier.data.columns import ColumnGuess, guess_text_and_label
from luthier.data.table import Table
from luthier.forms.form import Columns
from luthier.models.hub.tuned_head import ROWS, TunedHead
from luthier.tasks.classification.finished import classes_of
from luthier.tasks.classification.labelled import labelled_rows
from luthier.tasks.classification.named import task_of_names
from luthier.tasks.classification.suggesting import SuggestingLabels
from luthier.tasks.classification.task import Classification
from luthier.tasks.descriptions import Descriptions
from luthier.tasks.kind import Finished, Kind, KindParts, Roles, Understood, Wishes
from luthier.tasks.texts import input_keys, read_columns

NAME = "text-classification"


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    return guess_text_and_label(table, asked["text"], asked["label"])


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    read, keys = read_columns(table, columns), input_keys(table, columns)
    return labelled_rows(table, NAME, "text", read, columns["label"], keys, roles, wishes)


def of_head(head: TunedHead) -> Finished | None:
    return classes_of(head, ROWS, NAME, "text")


def of_names(
    names: Sequence[str], described: Descriptions | None, metric: str
) -> tuple[Classification, tuple[str, ...]]:
    return task_of_names(NAME, names, described, metric)


TEXT_CLASSIFICATION = Kind(
    name=NAME,
    example=(
        {"text": "The case arrived with a crack in its lid.", "label": "damaged"},
        {"text": "When will my order leave your house?", "label": "delivery"},
        {"text": "Lovely tone, and it stays in tune.", "label": "praise"},
    ),
    forms=("text",),
    find=find,
    understand=understand,
    restore=Classification.from_json,
    parts=KindParts(suggests=SuggestingLabels("text"), tells_other_texts=True),
)
