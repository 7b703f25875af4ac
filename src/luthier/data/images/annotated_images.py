"""Folders of images with a table that names and labels them: the Hub's `metadata.csv`, Roboflow's `_classes.csv`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from luthier.arrays import Ints
from luthier.data.column_names import normal
from luthier.data.composed import COMMA
from luthier.data.images.box_formats import not_read
from luthier.data.images.columns import column_of_names
from luthier.data.images.folder import IMAGE, with_images_in
from luthier.data.images.names import steps_of
from luthier.data.images.parts import PARTS
from luthier.data.known_names import LABEL_NAMES
from luthier.data.layout import Layout
from luthier.data.table import Table
from luthier.errors import DataError, counted, listing

METADATA = tuple(f"metadata.{ending}" for ending in ("csv", "tsv", "jsonl", "json", "parquet"))
CLASSES = "_classes.csv"
MASKS = "Pixel Value"
"""A column that `_classes.csv` has where it describes masks, not labels."""
IMAGES = "image-classification"


def annotated(
    path: Path,
    beside: Sequence[str],
    images: Sequence[str],
    sorted_by_folder: bool,
    read: Callable[[Path], Table],
) -> dict[str, Table] | None:
    """The tables in a folder of images, by part; None where there are none that label them.

    beside: files in the folder that are no images.  sorted_by_folder: whether folders tell labels as well; then a table of
    captions, say, is none of labels.  Raises DataError for tables that cannot be used.
    """
    names = [name for name in beside if name.rpartition("/")[2].lower() in (*METADATA, CLASSES)]
    if not names:
        return None
    folders = [name.rpartition("/")[0] for name in names]
    inside_splits = all(folder.rpartition("/")[2].lower() in PARTS for folder in folders)
    if len(names) > 1 and not (inside_splits and len(set(folders)) == len(folders)):
        if sorted_by_folder:
            return None
        raise DataError(
            f"{path}: holds the tables {listing(names)}. Expected one in the folder, or one in each of its splits train, "
            "valid and test. Name one of them as DATA, or move the others away."
        )
    tables = {name: labelled(path, name, read) for name in names}
    if sorted_by_folder and not all(tells_labels(table) for table in tables.values()):
        return None
    parts = by_split(tables) if len(names) > 1 else by_path(next(iter(tables.values())))
    if "train" not in parts:
        raise DataError(f"{path}: has {listing(names)} and none in a folder called train.")
    said = (
        f"{path}: labels are those of {listing(names)}"
        + (", not the names of the folders; delete it to take these." if sorted_by_folder else "."),
        *unnamed(path, tables, images),
    )
    return {**parts, "train": replace(parts["train"], guesses=(*parts["train"].guesses, *said))}


def labelled(path: Path, name: str, read: Callable[[Path], Table]) -> Table:
    """A table in a folder of images, told where they lie."""
    table = read(path / name)
    if name.rpartition("/")[2].lower() == CLASSES:
        if MASKS in table.names:
            raise DataError(not_read(path, f"masks ({name})"))
        table = with_label_columns(table)
    table = with_images_in(table)
    for names in table.image_names.values():
        if names.refusal:
            raise DataError(names.refusal)
    if IMAGE not in table.layout.columns:
        raise DataError(
            f"{path / name}: no column names the images in its folder. Expected file_name, as in "
            f"'file_name,label'; it has {listing(table.names)}."
        )
    return table


def with_label_columns(table: Table) -> Table:
    """A table of noughts and ones, a column for each label, whose names have a blank before them as Roboflow writes it."""
    image = column_of_names(table) or table.names[0]
    table = table.with_columns(table.columns.rename_columns([name.strip() for name in table.names]))
    labels = [name for name in table.names if name != image.strip()]
    columns = {IMAGE: image.strip(), "label": COMMA.join(labels)}
    return replace(table, layout=Layout(IMAGES, "its form is Roboflow's, a column for each label", columns))


def tells_labels(table: Table) -> bool:
    """Whether a column is called as labels are."""
    return "label" in table.layout.columns or any(normal(name) in LABEL_NAMES for name in table.names)


def by_split(tables: dict[str, Table]) -> dict[str, Table]:
    """Tables by the split that their folders are."""
    parts: dict[str, Table] = {}
    for name, table in tables.items():
        part = PARTS[name.split("/")[-2].lower()]
        if part in parts:
            raise DataError(
                f"{table.files[0]} and {parts[part].files[0]} are of the same split, {part}. Keep one of them."
            )
        parts[part] = table
    return {part: parts[part] for part in ("train", "valid", "test") if part in parts}


def by_path(table: Table) -> dict[str, Table]:
    """One table as a whole; or by the split that each image's path begins with, where all begin so."""
    column = table.layout.columns[IMAGE]
    if not pa.types.is_string(table.columns.schema.field(column).type):
        return {"train": table}
    begin = [steps[0].lower() if (steps := steps_of(name)) else "" for name in table.texts(column)]
    part_of = np.array([PARTS.get(one, "") for one in begin])
    found = [part for part in ("train", "valid", "test") if part in part_of]
    if "" in part_of or len(found) < 2 or "train" not in found:
        return {"train": table}
    return {part: rows_of(table, np.flatnonzero(part_of == part), told=part == "train") for part in found}


def rows_of(table: Table, rows: Ints, told: bool) -> Table:
    """Some rows of a table."""
    return replace(
        table,
        columns=table.columns.take(rows),
        file_of=table.file_of[rows],
        line_of=table.line_of[rows],
        guesses=table.guesses if told else (),
    )


def unnamed(path: Path, tables: dict[str, Table], images: Sequence[str]) -> tuple[str, ...]:
    """A sentence on how many images no table names."""
    named = sum(len(set(table.texts(table.layout.columns[IMAGE]))) for table in tables.values())
    if len(images) <= named:
        return ()
    return (f"{path}: {counted(len(images) - named, 'image')} named in no table, and not used.",)
