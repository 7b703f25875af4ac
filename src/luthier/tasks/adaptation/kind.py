"""Which rows adaptation is for, and in which of its ways a model learns them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from luthier.arrays import Array, Ints
from luthier.data.columns import ColumnGuess, check, find_text
from luthier.data.images.facts import image_facts, looks
from luthier.data.images.source import ImageSource
from luthier.data.row_facts import KnownAnswers, Unusable
from luthier.data.split import text_keys
from luthier.data.table import Table
from luthier.forms.form import Columns, Form
from luthier.models.hub.inspect import Folder
from luthier.models.hub.tuned_head import WRITES, TunedHead
from luthier.scores.metrics import judging
from luthier.tasks.adaptation.images import ImageAdaptation
from luthier.tasks.adaptation.masked import MaskedAdaptation
from luthier.tasks.adaptation.reading import NAME
from luthier.tasks.adaptation.task import Adaptation
from luthier.tasks.adaptation.views import TextAdaptation
from luthier.tasks.classification.image import image_column
from luthier.tasks.classification.labelled import refuse_nothing_left
from luthier.tasks.kind import Finished, Kind, KindParts, Roles, Understood, Wishes
from luthier.tasks.metric import chosen_metric
from luthier.tasks.records import AdaptationRecord
from luthier.tasks.task import Task
from luthier.tasks.texts import has_content

WAYS: dict[str, type[Adaptation | MaskedAdaptation | TextAdaptation | ImageAdaptation]] = {
    way.reads: way for way in (Adaptation, MaskedAdaptation, TextAdaptation, ImageAdaptation)
}
"""The ways to adapt a model, by what rows are made of."""
THREADS = 2
"""Threads that look at images."""


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    """The column of texts, or of images: as asked, else by its name or by what it holds. Raises DataError."""
    named, image = asked["text"], asked["image"]
    if image is not None:
        check(table, image, "image")
        return ColumnGuess({"image": image}, {"image": f"column {image!r}, as named"})
    if named is not None:
        check(table, named, "text")
        return ColumnGuess({"text": named}, {"text": f"column {named!r}, as named"})
    image = image_column(table)
    if image is not None:
        return ColumnGuess({"image": image}, {"image": f"column {image!r} holds images."})
    name, why = find_text(table, table.facts(), besides=None)
    return ColumnGuess({"text": name}, {"text": why})


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    metric = chosen_metric(wishes.metric, judging(NAME), NAME)
    if "image" in columns:
        return understood_images(table, columns["image"], metric)
    name = columns["text"]
    has_input = has_content(table, name)
    refuse_nothing_left(table, {"text": (name, has_input)})
    keys = text_keys(table, name)
    copy_of = np.unique(keys, return_inverse=True)[1]

    def targets(rows: Ints) -> Array:
        found: Array = copy_of[rows]
        return found

    nothing = np.zeros(len(table), np.int64)
    return Understood(
        task=wishes.finished or Adaptation(metric),
        usable=np.flatnonzero(has_input),
        unusable=Unusable(np.flatnonzero(~has_input)),
        answers=KnownAnswers(nothing, nothing),
        keys=keys,
        targets=targets,
    )


def understood_images(table: Table, column: str, metric: str) -> Understood:
    """Images, of which nothing else is known."""
    facts = image_facts(ImageSource(table, column), np.arange(len(table)), THREADS)
    refuse_nothing_left(table, {"image": (column, facts.usable)})
    nothing = np.zeros(len(table), np.int64)

    def targets(rows: Ints) -> Array:
        return np.zeros(len(rows), np.int64)

    return Understood(
        task=ImageAdaptation(metric),
        usable=np.flatnonzero(facts.usable),
        unusable=Unusable(np.flatnonzero(~facts.usable)),
        answers=KnownAnswers(nothing, nothing),
        keys=looks(facts),
        targets=targets,
        images=facts,
    )


def suited(task: Task, folder: Folder) -> Task:
    """The task in the way in which a folder's model learns texts: by the next token where it writes; by words that are left out
    where it makes vectors of whole texts, as it declares; else by words that are hidden."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as READERS

    if not isinstance(task, Adaptation):
        return task
    if folder.pooling is not None:
        return TextAdaptation(task.metric)
    return MaskedAdaptation(task.metric) if folder.family in READERS else task


def way_for(form: Form, folder: Folder) -> Task | None:
    """The task in which a body learns from rows without labels, before it learns from others; None where none is known for it.

    A sentence encoder knows single texts again, and two texts that it reads as one are none. What writes is adapted by itself
    (`luthier adapt`): its features for rows with labels are those of no task that it was trained for.
    """
    if form.of_pixels:
        return ImageAdaptation()
    found = suited(Adaptation(), folder)
    if folder.is_table:
        return None  # words that its texts leave out say nothing of each other without layers
    texts = sum(role.text for role in form.roles.values())
    if isinstance(found, MaskedAdaptation):
        return None if form.side_by_side else found
    return found if isinstance(found, TextAdaptation) and texts == 1 else None


def restore(record: dict[str, Any]) -> Task:
    told = AdaptationRecord.model_validate(record)
    return WAYS[told.reads](told.metric)


def of_head(head: TunedHead) -> Finished | None:
    return Finished(Adaptation()) if head.kind == WRITES else None


ADAPTATION = Kind(
    name=NAME,
    example=(
        {"text": "The top of the guitar is made of spruce, which is light and stiff."},
        {"text": "Rosewood at the back gives a warm sound."},
        {"text": "Strings of nylon are softer to the fingers than those of steel."},
    ),
    forms=("document", "masked", "views", "image"),
    find=find,
    understand=understand,
    restore=restore,
    parts=KindParts(suited=suited),
    labelled=False,
)
