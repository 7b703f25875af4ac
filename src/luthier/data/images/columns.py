"""Finding the column of a table that names images, or holds them: by its values, and only then by its name."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from luthier.data.column_facts import reads_like_text
from luthier.data.column_names import normal
from luthier.data.images.names import ends_as_image, scheme_of
from luthier.data.table import Table

IMAGE_NAMES = (
    *("image", "image_path", "img", "picture", "photo", "path", "file", "file_name", "filename", "filepath"),
    *("file_path", "img_path", "image_id", "image_name", "img_name", "image_file", "image_url", "img_url"),
    *("photo_url", "picture_url", "id"),
)
"""Names of columns of images in order of preference; compared in lower case, with `_` for a blank or a hyphen."""
ABOUT_IMAGES = ("image", "img", "picture", "photo", "thumbnail")
"""Words in the names of columns whose addresses are those of images, even where they do not end so."""
NEARLY_ALL = 0.9
"""Smallest share of a column's values that must look like names of images."""
LOOKED_AT = 400
"""The most rows that are looked at."""
LONGEST_ID = 120
"""The most characters of a code that may be a file's name."""
WORDY = 0.5
"""A column holds texts when at least this share of its values are several words."""
VARIED, MOSTLY_VARIED = 0.3, 0.5
"""Smallest shares of distinct texts in a column of texts; lists of tags, which have several words too, have fewer."""


def column_with_bytes(table: Table) -> str | None:
    """The column that holds images themselves."""
    return best([field.name for field in table.columns.schema if holds_bytes(field.type)])


def column_of_names(table: Table) -> str | None:
    """The column whose values end as image files do; else the one of images' addresses."""
    looked = {name: sample(table, name) for name in plain_columns(table)}
    ending = [name for name, values in looked.items() if nearly_all(map(ends_as_image, values))]
    if ending:
        return best(sorted(ending, key=lambda name: -len(set(looked[name]))))
    return best(
        [
            name
            for name, values in looked.items()
            if any(word in normal(name) for word in ABOUT_IMAGES)
            and nearly_all(scheme_of(value) is not None for value in values)
        ]
    )


def columns_of_codes(table: Table) -> list[str]:
    """Columns whose values may be names of files without their ending: short, without blanks, hardly one twice."""
    found = []
    for name in plain_columns(table, numbers=True):
        values = sample(table, name)
        different = len(set(values)) >= NEARLY_ALL * len(values)
        if (
            values
            and different
            and all(len(value) <= LONGEST_ID and len(value.split()) == 1 for value in values)
        ):
            found.append(name)
    return in_order(found)


def has_texts(table: Table, besides: str | None = None, varied: float = VARIED) -> bool:
    """Whether a column holds texts of several words. varied: share of its values that must differ."""
    for name in plain_columns(table):
        values = sample(table, name)
        wordy = sum(reads_like_text(value) and not ends_as_image(value) for value in values)
        if (
            name != besides
            and values
            and wordy > WORDY * len(values)
            and len(set(values)) > varied * len(values)
        ):
            return True
    return False


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column holds images themselves: bytes, or objects with a field of them, as the library `datasets` writes."""
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def plain_columns(table: Table, numbers: bool = False) -> list[str]:
    """The columns of strings, and where they count those of whole numbers."""
    return [
        field.name
        for field in table.columns.schema
        if pa.types.is_string(field.type)
        or pa.types.is_large_string(field.type)
        or (numbers and pa.types.is_integer(field.type))
    ]


def sample(table: Table, name: str) -> list[str]:
    """Values of a column that are not empty, evenly spread over the table."""
    rows = np.unique(np.linspace(0, len(table) - 1, min(len(table), LOOKED_AT)).astype(np.int64))
    return [value.strip() for value in table.texts(name, rows) if value.strip()]


def nearly_all(answers: Iterable[bool]) -> bool:
    found = list(answers)
    return bool(found) and sum(found) >= NEARLY_ALL * len(found)


def best(names: Sequence[str]) -> str | None:
    """The column with the most telling name among several that would do; else the first."""
    return next(iter(in_order(names)), None)


def in_order(names: Sequence[str]) -> list[str]:
    def rank(name: str) -> int:
        return IMAGE_NAMES.index(normal(name)) if normal(name) in IMAGE_NAMES else len(IMAGE_NAMES)

    return sorted(names, key=rank)
