"""Image classification: an image, and one label of several or any number of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from luthier.data.column_numbers import holds_numbers
from luthier.data.columns import ColumnGuess, check, guess_by_name, label_beside
from luthier.data.composed import parts_of
from luthier.data.images.box_formats import INSTEAD, box_columns
from luthier.data.images.columns import (
    IMAGE_NAMES,
    column_of_names,
    column_with_bytes,
    has_texts,
    holds_bytes,
)
from luthier.data.images.facts import image_facts, looks
from luthier.data.images.source import ImageSource
from luthier.data.known_names import LABEL_NAMES
from luthier.data.numerals import plain_number
from luthier.data.table import Table
from luthier.errors import DataError, listing, shorten
from luthier.forms.form import Columns
from luthier.models.hub.tuned_head import IMAGES, TunedHead
from luthier.tasks.classification.finished import classes_of
from luthier.tasks.classification.labelled import labelled_rows
from luthier.tasks.classification.suggesting import SuggestingLabels
from luthier.tasks.classification.task import Classification
from luthier.tasks.kind import Finished, Kind, KindParts, Roles, Understood, Wishes
from luthier.tasks.task import Task

NAME = "image-classification"
THREADS = 2
TORN = 0.1
"""Share of the images that may stand in several rows with different labels; a check tells of them."""


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    """The image by what the columns hold, else by name; the label by its name, else by what it holds. Raises DataError."""
    image, label = asked.get("image") or image_column(table), asked.get("label")
    if image is None:
        return guess_by_name(table, asked, {"image": IMAGE_NAMES, "label": LABEL_NAMES})
    check(table, image, "image")
    refuse_boxes(table, image, asked=label is not None)
    reasons = {"image": f"column {image!r}, because its values are images or name them"}
    if label is None:
        label, reasons["label"] = label_beside(table, [image])
    elif not parts_of(table, label):
        check(table, label, "label")
    if image == label:
        raise DataError(
            f"{table.files[0]}: column {image!r} cannot be both image and label. Name different columns."
        )
    refuse_several_rows(table, image, label)
    named = {role: f"column {name!r}, as named" for role, name in asked.items() if name is not None}
    return ColumnGuess({"image": image, "label": label}, reasons | named)


def refuse_boxes(table: Table, image: str, asked: bool) -> None:
    """Raise DataError where rows are boxes within images.

    asked: whether the user named the label, which is that of the whole image where each image has one box.
    """
    boxes = box_columns(table.names) or corners(table)
    if not boxes or holds_bytes(table.columns.schema.field(image).type):
        return
    names = table.texts(image)
    images = len(set(names) - {""})
    several = len(names) > (1 + TORN) * images
    if several or not asked:
        label = "" if several else " If each image as a whole has the label, name that column with --label."
        raise DataError(
            f"{table.files[0]}: its {len(names):,} rows are boxes ({listing(boxes)}) within {images:,} images, which is object "
            f"detection, and boxes are not read. {INSTEAD}{label}"
        )


def corners(table: Table) -> list[str]:
    """The four columns that hold the corners of boxes in a table without a header: numbers side by side of which the third and
    fourth are always larger than the first and second."""
    if table.headed:
        return []
    names = table.names
    for at in range(len(names) - 3):
        four = [
            [number for number in map(plain_number, table.values(name)) if number is not None]
            for name in names[at : at + 4]
        ]
        if {len(column) for column in four} != {len(table)}:
            continue
        if all(left < right and top < bottom for left, top, right, bottom in zip(*four, strict=True)):
            return list(names[at : at + 4])
    return []


def refuse_several_rows(table: Table, image: str, label: str) -> None:
    """Raise DataError where an image has other labels in other rows."""
    if holds_bytes(table.columns.schema.field(image).type):
        return
    names = table.texts(image)
    if label not in table.names or pa.types.is_nested(table.columns.schema.field(label).type):
        return
    labels: dict[str, set[str]] = {}
    for name, value in zip(names, table.texts(label), strict=True):
        if name and value:
            labels.setdefault(name, set()).add(value)
    torn = [name for name, found in labels.items() if len(found) > 1]
    if len(torn) > TORN * len(labels):
        raise DataError(
            f"{table.files[0]}: {len(torn):,} of {len(labels):,} images stand in several rows with different labels, such as "
            f"{shorten(torn[0])!r} with {listing(sorted(labels[torn[0]]), 3)}. If an image has several labels, write one row "
            "with all of them, as in a|b; otherwise correct the rows."
        )


def image_column(table: Table) -> str | None:
    """A column that holds images, or names them; none where their names lead nowhere, and there are texts to be read."""
    if (known := table.layout.columns.get("image")) is not None:
        return known
    column = column_with_bytes(table) or column_of_names(table)
    lost = any(names.refusal for names in table.image_names.values())
    return None if lost and column is not None and has_texts(table, besides=column) else column


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    refuse_amounts(table, columns["label"], wishes)
    source = ImageSource(table, columns["image"])
    facts = image_facts(source, np.arange(len(table)), THREADS)
    whole = np.array([reason is None for reason in facts.broken], bool)
    read = {"image": (columns["image"], whole)}
    found = labelled_rows(table, NAME, "image", read, columns["label"], looks(facts), roles, wishes)
    return replace(found, task=under_image_head(found.task), images=facts)


def under_image_head(task: Task) -> Task:
    """A classification whose model reads images."""
    assert isinstance(task, Classification), "images have labels"
    return replace(task, head="image")


def restore(record: dict[str, Any]) -> Task:
    return under_image_head(Classification.from_json(record))


def of_head(head: TunedHead) -> Finished | None:
    found = classes_of(head, IMAGES, NAME, "image")
    return None if found is None else Finished(under_image_head(found.task))


def refuse_amounts(table: Table, label: str, wishes: Wishes) -> None:
    """Raise DataError for numbers to be estimated, which no task learns from images, unless the user named the task."""
    if wishes.task_named or wishes.labels_per_row != "auto" or not holds_numbers(table, label):
        return
    raise DataError(
        f"{table.files[0]}: column {label!r} holds numbers of many values, and of images classes are learnt, not numbers. Write "
        f"a few classes in their place, such as low and high, or name another column with --label. --task {NAME} takes each "
        "different number for a class."
    )


IMAGE_CLASSIFICATION = Kind(
    name=NAME,
    example=(
        {"image": "photos/robin.jpg", "label": "robin"},
        {"image": "photos/magpie.jpg", "label": "magpie"},
        {"image": "photos/jay.jpg", "label": "jay"},
    ),
    forms=("image",),
    find=find,
    understand=understand,
    restore=restore,
    parts=KindParts(suggests=SuggestingLabels("image", "image")),
)
