"""Images sorted into folders, one for each label: in a folder, or in an archive, which is read where it stands."""

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from luthier.data.formats.other_forms import refuse_pointer
from luthier.data.formats.row_files import TABLES, ending, names_in, read_file
from luthier.data.images.annotated_images import annotated
from luthier.data.images.archives import ARCHIVE_ENDINGS
from luthier.data.images.box_formats import TECHNICAL, boxes_beside, not_read
from luthier.data.images.listing import (
    EXPECTED,
    Listing,
    entries_of,
    guesses,
    is_image,
    is_left_behind,
    sort_out,
)
from luthier.data.images.parts import PARTS
from luthier.data.problems import Problems
from luthier.data.raw_bytes import no_file, telling_read_errors
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError, counted, did_you_mean, listing

MOST_LOOKED_AT = 100_000
"""The most files and folders that are looked at to see whether there is an image among them."""
NAMES_OF_LABELS = (
    "classes",
    "labels",
    "label_names",
    "class_names",
    "names",
    "synset_words",
    "obj",
    "idx_to_class",
)
"""Names, without ending, of files in which people write down what numbers of classes stand for."""


def is_image_set(path: Path) -> bool:
    """Whether a path is read as a set of images rather than as a file of rows.

    >>> is_image_set(Path("birds.tar.gz")), is_image_set(Path("reviews.csv.gz"))
    (True, False)
    """
    return path.name.lower().endswith(ARCHIVE_ENDINGS) or path.is_dir()


def holds_images(folder: Path) -> bool:
    """Whether there are images in a folder or below it."""
    looked_at = 0
    for _place, _, names in os.walk(folder):
        if any(is_image(name) and not is_left_behind(name) for name in names):
            return True
        looked_at += 1 + len(names)
        if looked_at > MOST_LOOKED_AT:
            return False
    return False


def read_images(path: Path, writing: Writing = Writing()) -> dict[str, Table]:  # noqa: B008  it is frozen
    """The images below a folder, or in a .tar, .tar.gz, .tgz or .zip file, by the part of the data: `train`, and `valid`
    and `test` where there are folders for them. One folder around everything is looked through.

    Columns: `image`, the file's path from `path`, or the member's name in the archive; `label`, the name of its folder.
    The line of a row is the image's number in the whole set, from 1. Where a table in the folder labels the images, its rows
    and columns. Raises DataError when neither folders nor a table tell labels.
    """
    with telling_read_errors(path):
        check_place(path)
        found = sort_out(entries_of(path))
    boxes = boxes_beside(path, found.beside, found.images)
    if not found.images and boxes:
        raise DataError(not_read(path, boxes))
    check_names(path, found)
    refusal: DataError | None = None
    try:
        by_folder = images_by_folder(path, found)
    except DataError as error:
        by_folder, refusal = {}, error
    if path.is_dir() and (
        tables := annotated(
            path, found.beside, found.images, bool(by_folder), lambda file: read_file(file, writing)
        )
    ):
        return tables
    if refusal is not None:
        raise DataError(not_read(path, boxes) if boxes else f"{refusal}{another_way(path, found)}")
    refuse_kinds_of_files(path, by_folder, boxes)
    return by_folder


def images_by_folder(path: Path, found: Listing) -> dict[str, Table]:
    """Images with the names of their folders as labels, by part. Raises DataError when the folders do not tell labels."""
    steps = [tuple(name.split("/")) for name in found.images]
    around = folders_around(steps)
    steps = [step[around:] for step in steps]
    check_depth(path, steps)
    if len(steps[0]) == 2:
        check_classes(path, steps)
        part_of = np.full(len(steps), "train")
    else:
        check_splits(path, {step[0] for step in steps})
        part_of = np.array([PARTS[step[0].lower()] for step in steps])

    columns = pa.table({"image": found.images, "label": [step[-2] for step in steps]})
    said = (*guesses(path, found), *numbered(path, found, {step[-2] for step in steps}))
    tables = {}
    for part in (part for part in ("train", "valid", "test") if part in part_of):
        rows = np.flatnonzero(part_of == part)
        told = said if part == "train" else ()
        tables[part] = Table(columns.take(rows), (path,), np.zeros(len(rows), np.int64), rows + 1, told)
    return tables


def refuse_kinds_of_files(path: Path, parts: Mapping[str, Table], boxes: str | None) -> None:
    """Raise DataError where folders say what kind of files they hold, such as images and masks: these are no labels."""
    names = sorted(
        {name for table in parts.values() for name in table.columns.column("label").unique().to_pylist()}
    )
    if not all(name.lower() in TECHNICAL for name in names):
        return
    if boxes:
        raise DataError(not_read(path, boxes))
    raise DataError(
        f"{path}: its folders, {listing(names)}, say what kind of files they hold, and not what is to be seen. {EXPECTED}"
    )


def another_way(path: Path, found: Listing) -> str:
    """A sentence on what to name instead of a folder whose folders tell no labels, if a table lies in it."""
    tables = [name for name in found.beside if ending(Path(name)) in TABLES]
    if not tables:
        return ""
    if path.is_dir():
        return f" If {tables[0]!r} labels the images, name it as DATA: {str(path / tables[0])!r}."
    return f" If {tables[0]!r} labels the images, unpack the archive, and name that file as DATA."


def numbered(path: Path, found: Listing, labels: Collection[str]) -> tuple[str, ...]:
    """A sentence on the names that there may be for folders that are called by numbers."""
    lists = [
        name
        for name in found.beside
        if os.path.splitext(name)[0].rpartition("/")[2].lower() in NAMES_OF_LABELS
    ]
    if not lists or not all(label.isdecimal() for label in labels):
        return ()
    return (
        f"{path}: labels are the folders' names, such as {min(labels)!r}. {lists[0]} may hold other names for them, and is not "
        "read; rename the folders to use them.",
    )


def every_image(path: Path) -> Table:
    """All images below a folder, or in an archive, in the order of their names, whatever folders they are in.

    Column: `image`, as in `read_images`. Raises DataError when there is none.
    """
    with telling_read_errors(path):
        check_place(path)
        found = sort_out(entries_of(path))
    check_names(path, found)
    rows = len(found.images)
    columns = pa.table({"image": pa.array(found.images, pa.string())})
    return Table(columns, (path,), np.zeros(rows, np.int64), np.arange(rows) + 1, guesses(path, found))


def check_place(path: Path) -> None:
    """Raise DataError unless there is a folder, or an archive of a kind that is known."""
    if path.is_dir():
        return
    if not path.exists():
        near = did_you_mean(path.name, names_in(path.parent)) if path.parent.is_dir() else ""
        raise DataError(f"{path}: there is no such file or folder.{near}")
    if not path.is_file():
        raise no_file(path)
    if not path.name.lower().endswith(ARCHIVE_ENDINGS):
        raise DataError(
            f"{path}: is no set of images. Expected a folder, or a file that ends in {', '.join(ARCHIVE_ENDINGS)}."
        )
    refuse_pointer(path)


def folders_around(steps: Collection[Sequence[str]]) -> int:
    """How many folders are around everything, before splits or classes begin."""
    around = 0
    shallowest = min(map(len, steps))
    while shallowest - around > 2:
        outer = {step[around] for step in steps}
        if len(outer) > 1 or outer.pop().lower() in PARTS:
            break
        around += 1
    return around


def check_names(path: Path, found: Listing) -> None:
    """Raise DataError unless there are images, with names that can be written down."""
    if not found.images:
        held = f"It holds {counted(found.others.total(), 'other file')}" if found.others else "It is empty"
        rows = [name for name in names_in(path) if ending(Path(name)) in TABLES] if path.is_dir() else []
        mend = f" Did you mean the file {str(path / rows[0])!r}?" if rows else rows_within(path, found)
        raise DataError(f"{path}: holds no images. {held}. {EXPECTED}{mend}")
    wrong = Problems()
    for name in found.images:
        if not writable(name):
            wrong.add(ascii(name))
    if wrong.count:
        raise DataError(
            f"{path}: {counted(wrong.count, 'name')} cannot be read as UTF-8: {wrong}. Rename them."
        )


def rows_within(path: Path, found: Listing) -> str:
    """A sentence, to follow another, on an archive that holds files of rows; empty where it holds none, or is a folder."""
    rows = [] if path.is_dir() else [name for name in found.beside if ending(Path(name)) in TABLES]
    if not rows:
        return ""
    if len(rows) == 1:
        return f" It holds a file of rows, {rows[0]!r}: unpack it, and name that file."
    return f" It holds files of rows, {listing(rows, 5)}: unpack it, and name the file that is meant."


def check_depth(path: Path, steps: Collection[Sequence[str]]) -> None:
    """Raise DataError unless all images lie equally deep, in class folders, with or without splits around them."""
    depths = Counter(map(len, steps))
    usual = max(depths, key=lambda depth: (depths[depth], depth))
    example = "/".join(next(step for step in steps if len(step) == usual))
    if len(depths) > 1:
        odd = Problems()
        for step in steps:
            if len(step) != usual:
                odd.add(repr("/".join(step)))
        raise DataError(
            f"{path}: images lie at different depths: {depths[usual]:,} as {example!r} does, and {odd.count:,} "
            f"otherwise: {odd}. {EXPECTED} Move or delete those that lie otherwise."
        )
    if usual == 1:
        raise DataError(
            f"{path}: holds {counted(len(steps), 'image')} and no class folders, such as {example!r}. {EXPECTED} "
            "Move the images of each label into a folder of that name."
        )
    if usual > 3:
        raise DataError(f"{path}: images lie {usual - 1} folders deep, such as {example!r}. {EXPECTED}")


def check_classes(path: Path, steps: Collection[Sequence[str]]) -> None:
    """Raise DataError for folders of images that cannot be labels."""
    names = sorted({step[0] for step in steps})
    if all(name.lower() in PARTS for name in names):
        raise DataError(
            f"{path}: {listing(names)} are splits by their names, and hold images without class folders. {EXPECTED} "
            "Move the images of each label into a folder of that name, within each split."
        )
    if len(names) == 1:
        raise DataError(
            f"{path}: holds images in one folder only, {names[0]!r}, so there is one label. {EXPECTED} "
            "Move the images of each label into a folder of that name."
        )


def check_splits(path: Path, names: Collection[str]) -> None:
    """Raise DataError unless the outer folders are splits, `train` among them, and none there twice."""
    wrong = sorted(name for name in names if name.lower() not in PARTS)
    if wrong:
        raise DataError(
            f"{path}: images lie two folders deep, and {listing(wrong)} {'is no split' if len(wrong) == 1 else 'are no splits'}. "
            f"{EXPECTED} Rename what is a split, and move or delete what is none."
        )
    parts = Counter(PARTS[name.lower()] for name in names)
    twice = [part for part, count in parts.items() if count > 1]
    if twice:
        alike = sorted(name for name in names if PARTS[name.lower()] == twice[0])
        raise DataError(f"{path}: {listing(alike)} are the same split, {twice[0]}. Keep one of them.")
    if "train" not in parts:
        raise DataError(f"{path}: has {listing(sorted(names))} and no split called train. {EXPECTED}")


def writable(name: str) -> bool:
    r"""Whether a name is text: of one that is not UTF-8 Python keeps the bytes as lone surrogates.

    >>> writable("häher.jpg"), writable("h\udce4her.jpg")
    (True, False)
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
