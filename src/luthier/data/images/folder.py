"""Finding the images of a table: which column names them, and where they lie."""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from luthier.data.images.columns import (
    MOSTLY_VARIED,
    column_of_names,
    column_with_bytes,
    columns_of_codes,
    has_texts,
)
from luthier.data.images.columns import sample as sample_of
from luthier.data.images.names import ImageNames, ends_as_image, scheme_of
from luthier.data.images.search import Ambiguous, Wanted, not_found, where_images_lie
from luthier.data.layout import Layout
from luthier.data.table import Table
from luthier.errors import DataError, did_you_mean, listing

IMAGE = "image"


def with_images_in(table: Table, folder: Path | None = None, column: str | None = None) -> Table:
    """The table, told where the images lie that it names, if it names any; its layout names the column.

    folder: where the user says that they lie.  column: the one that the user says names them.
    Raises DataError for a folder in which they are not. Where they are not found, and nothing was said, that is told only
    when they are needed: rows that name images may be there to be read as texts.
    """
    if folder is not None:
        check_folder(folder)
    column = column if column in table.names else table.layout.columns.get(IMAGE)
    if column is None and (held := column_with_bytes(table)) is not None:
        column = held
    if column is None:
        column = column_of_names(table)
    if column is None:
        return with_codes(table, folder)
    if folder is not None and column_with_bytes(table) == column and not names_of(table, column):
        raise DataError(
            f"--images {folder}: column {column!r} of {table.files[0]} holds the images themselves, so they are in no folder. "
            "Leave it out."
        )
    return with_names(table, column, folder)


def with_names(table: Table, column: str, folder: Path | None) -> Table:
    """The table, told where the images lie that a known column names."""
    file = table.files[0]
    wanted = wanted_of(table, column)
    if not wanted.sample:
        return as_images(table, column)
    try:
        names = where_images_lie(wanted, file.absolute().parent, folder)
        refusal = "" if names else not_found(wanted, file, column, folder)
    except Ambiguous as several:
        names, refusal = None, lie_twice(file, column, several)
    if names is None and folder is not None:
        raise DataError(refusal)
    if names is None:
        lost = ImageNames((file.absolute().parent, Path.cwd()), refusal=refusal)
        table = replace(table, image_names={file: lost})
        return table if has_texts(table, besides=column) else as_images(table, column)
    table = replace(table, image_names={file: names})
    return as_images(table, column, told(file, column, names, folder))


def with_codes(table: Table, folder: Path | None) -> Table:
    """A table of which no column ends as images do: one may hold their names without the ending."""
    file = table.files[0]
    codes = [] if folder is None and has_texts(table, varied=MOSTLY_VARIED) else columns_of_codes(table)
    for column in codes:
        wanted = replace(wanted_of(table, column), bare=True)
        try:
            names = where_images_lie(wanted, file.absolute().parent, folder)
        except Ambiguous as several:
            lost = ImageNames((file.absolute().parent,), refusal=lie_twice(file, column, several))
            return as_images(replace(table, image_names={file: lost}), column)
        if names is not None:
            return as_images(
                replace(table, image_names={file: names}), column, told(file, column, names, folder)
            )
    if folder is not None:
        raise DataError(
            f"--images {folder}: no column of {file} names images that lie there. Name the column with --image COLUMN; there "
            f"are {listing(table.names)}."
        )
    return table


def wanted_of(table: Table, column: str) -> Wanted:
    """The names of a column, to be looked for."""
    found = names_of(table, column)
    whole = sum(ends_as_image(name) or scheme_of(name) is not None for name in found)
    bare = 2 * whole < len(found)
    return Wanted(found, cache(lambda: [name for name in every_name(table, column) if name]), bare)


def names_of(table: Table, column: str) -> list[str]:
    """Some of the names in a column; none where it holds images themselves."""
    if column_with_bytes(table) != column:
        return sample_of(table, column)
    rows = range(0, len(table), max(1, len(table) // 20))
    return [name for name in map(name_in, table.values(column, list(rows))) if name]


def every_name(table: Table, column: str) -> list[str]:
    return [name_in(value) for value in table.values(column)]


def name_in(value: object) -> str:
    """The name of an image in a value; empty where the value holds the image itself, or nothing."""
    if isinstance(value, dict):
        value = value.get("path") if value.get("bytes") is None else None
    return "" if value is None or isinstance(value, bytes) else str(value).strip()


def as_images(table: Table, column: str, said: str = "") -> Table:
    """The table, known to be of images."""
    layout = table.layout
    if layout.task is None:
        layout = Layout(
            "image-classification",
            "its rows name images" if column_with_bytes(table) != column else "its rows hold images",
            {**layout.columns, IMAGE: column},
            layout.set_aside,
        )
    return replace(table, layout=layout, guesses=(*table.guesses, *([said] if said else [])))


def told(file: Path, column: str, names: ImageNames, folder: Path | None) -> str:
    """Sentences on how images were found, where they do not lie as the table says."""
    home = file.absolute().parent
    where = [shown(one, home) for one in names.folders]
    if names.folders[0] == (folder or home) and not names.dropped and names.endings == ("",):
        return ""
    how = []
    if names.dropped:
        how.append(
            f"without the first {names.dropped} folders of their paths" if names.dropped > 1 else
            "without the first folder of their paths"
        )  # fmt: skip
    if names.endings != ("",):
        how.append(f"with {listing(names.endings)} behind the name")
    mend = "" if folder is not None else " --images FOLDER names another folder."
    ways = f", {' and '.join(how)}" if how else ""
    return f"{file}: the images that column {column!r} names are found in {listing(where)}{ways}.{mend}"


def shown(folder: Path, home: Path) -> str:
    """A folder as it is told: from the table's own where it lies below."""
    if folder == home:
        return "its own folder"
    return f"{folder.relative_to(home)}/" if folder.is_relative_to(home) else str(folder)


def lie_twice(file: Path, column: str, several: Ambiguous) -> str:
    return (
        f"{file}: the images that column {column!r} names lie in {several}, and nothing says in which. Name one with "
        "--images FOLDER."
    )


def check_folder(folder: Path) -> None:
    """Raise DataError unless there is such a folder."""
    if folder.is_dir():
        return
    if os.path.lexists(folder):
        raise DataError(
            f"--images {folder}: is no folder. Unpack it if it is an archive, and name the folder."
        )
    near = folder.absolute().parent
    names = sorted(entry.name for entry in os.scandir(near) if entry.is_dir()) if near.is_dir() else []
    raise DataError(f"--images {folder}: there is no such folder.{did_you_mean(folder.name, names)}")
