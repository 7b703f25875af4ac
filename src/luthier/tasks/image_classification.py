"""Image classification: an image, and one label of several or any number of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from luthier.data.columns import LABEL_NAMES, ColumnGuess, guess_by_name, names_there
from luthier.data.image_facts import ImageFacts, image_facts
from luthier.data.image_source import ImageSource
from luthier.data.pictures import FilePicture, Picture
from luthier.data.split import key_of
from luthier.data.table import Ints, Table
from luthier.tasks.classification import Classification
from luthier.tasks.kind import Columns, Kind, Roles, Understood, Wishes
from luthier.tasks.labelled import labelled_rows
from luthier.tasks.task import Task

NAME = "image-classification"
IMAGE_NAMES = (
    "image",
    "image_path",
    "img",
    "picture",
    "photo",
    "path",
    "file",
    "file_name",
    "filename",
    "filepath",
)
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
THREADS = 2


def find(table: Table, asked: Mapping[str, str | None]) -> ColumnGuess:
    return guess_by_name(table, asked, {"image": IMAGE_NAMES, "label": LABEL_NAMES})


def image_column(table: Table) -> str | None:
    """A column that holds images, or paths of them."""
    there = names_there(table, "text") | {
        field.name: field.name for field in table.columns.schema if holds_bytes(field.type)
    }
    for column in (there[name] for name in IMAGE_NAMES if name in there):
        if holds_bytes(table.columns.schema.field(column).type):
            return str(column)
        first = table.texts(column, np.arange(min(20, len(table))))
        if all(text.lower().endswith(ENDINGS) for text in first if text):
            return str(column)
    return None


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column holds images themselves: bytes, or objects with a field of them, as the library `datasets` writes."""
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def understand(table: Table, columns: Columns, roles: Roles, wishes: Wishes) -> Understood:
    source = ImageSource(table, columns["image"])
    facts = image_facts(source, np.arange(len(table)), THREADS)
    whole = np.array([reason is None for reason in facts.broken], bool)
    read = {"image": (columns["image"], whole)}
    found = labelled_rows(table, NAME, "image", read, columns["label"], looks(facts), roles, wishes)
    return replace(found, images=facts)


def looks(facts: ImageFacts) -> Ints:
    """(rows,) equal for images that look wholly the same; a broken one is like no other."""
    return np.array(
        [
            row if reason is not None else key_of(f"{code}{thumb.tobytes().hex()}")
            for row, (reason, code, thumb) in enumerate(
                zip(facts.broken, facts.looks.hashes, facts.looks.thumbs, strict=True)
            )
        ],
        np.int64,
    )


def inputs(table: Table, columns: Columns, rows: Ints | None, task: Task) -> list[Any]:
    source = ImageSource(table, columns["image"])
    return [Picture(source, int(row)) for row in (np.arange(len(table)) if rows is None else rows)]


def given(values: Sequence[Any], task: Task) -> list[Any]:
    """Paths, bytes or Pillow's images, as a caller of `predict` hands them over."""
    return [FilePicture(value) for value in values]


def shown(table: Table, columns: Columns) -> list[str]:
    """The names of the images."""
    field = table.columns.schema.field(columns["image"])
    if pa.types.is_string(field.type):
        return table.texts(columns["image"])
    if pa.types.is_struct(field.type):
        names = [value and value.get("path") for value in table.values(columns["image"])]
        return [name or f"image {row + 1}" for row, name in enumerate(names)]
    return [f"image {row + 1}" for row in range(len(table))]


IMAGE_CLASSIFICATION = Kind(
    name=NAME,
    example=(
        {"image": "photos/robin.jpg", "label": "robin"},
        {"image": "photos/magpie.jpg", "label": "magpie"},
        {"image": "photos/jay.jpg", "label": "jay"},
    ),
    roles=("image", "label"),
    find=find,
    understand=understand,
    inputs=inputs,
    given=given,
    blank=lambda picture: picture.missing,
    restore=Classification.from_json,
    shown=shown,
)
