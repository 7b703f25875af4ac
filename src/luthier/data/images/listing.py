"""What lies in a folder or an archive of images: images, other files, and folders without an image."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from luthier.data.images.archives import archive_entries
from luthier.data.images.names import IMAGE_ENDINGS
from luthier.errors import DataError, counted, listing, shorten

SYSTEM_FILES = frozenset(("__MACOSX", "Thumbs.db", "desktop.ini"))
"""Files that operating systems leave behind. These, and names that begin with a dot, are passed over."""
DEEPEST = 6
"""The most levels of folders: more is no image set, but a disk."""
TELLING = frozenset(
    (
        *(".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".xml", ".txt", ".names", ".labels"),
        *(".yaml", ".yml", ".tfrecord", ".record"),
    )
)
"""Endings of files beside images that may describe the images."""
EXPECTED = "Expected class/file, a folder for each label, or split/class/file with splits called train, valid and test."


@dataclass
class Listing:
    """The files of a set of images, by their paths with slashes from the set's own folder or the archive's root."""

    images: list[str]
    """The images, in the order of their paths."""
    others: Counter[str]
    """Files that are no images, by their ending, or by what they are instead of a file."""
    beside: list[str]
    """Those of `others` that may describe the images: tables and the like, in order."""
    bare: list[str]
    """Folders without an image in or below them."""


def entries_of(path: Path) -> Iterator[tuple[str, str]]:
    """Everything below a folder or in an archive: names, folders with a slash at the end, and for each what it is instead of a
    file, if it is none."""
    return names_below(path) if path.is_dir() else archive_entries(path)


def names_below(folder: Path, inside: str = "", around: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """The files below a folder; folders too, with a slash at the end. Links are followed, but for those that lead in a circle.

    around: the folders that it lies in, without links.
    """
    if len(around) > DEEPEST:
        raise DataError(f"{folder}: lies more than {DEEPEST} folders deep. {EXPECTED}")
    around = (*around, os.path.realpath(folder))
    with os.scandir(folder) as entries:
        for entry in entries:
            name = inside + entry.name
            if is_left_behind(entry.name):
                continue
            if entry.is_symlink() and not os.path.exists(entry.path):
                yield name, ""  # It is missed where it is to be read, by its name.
            elif entry.is_dir():
                if entry.is_symlink() and os.path.realpath(entry.path) in around:
                    yield name, "a link to a folder that it lies in"
                    continue
                yield f"{name}/", ""
                yield from names_below(folder / entry.name, f"{name}/", around)
            else:
                yield name, "" if entry.is_file() else "a pipe or a device"


def sort_out(entries: Iterable[tuple[str, str]]) -> Listing:
    """Which names are images, which are other files, and which folders hold no image."""
    images, folders, beside = [], set(), []
    others: Counter[str] = Counter()
    for name, instead in entries:
        steps = name.split("/")
        if any(map(is_left_behind, steps)):
            continue
        if len(steps) > DEEPEST + 2:
            raise DataError(f"{shorten(name)}: lies more than {DEEPEST} folders deep. {EXPECTED}")
        kind = os.path.splitext(name)[1].lower()
        if name.endswith("/"):
            folders.add(name.rstrip("/"))
        elif instead:
            others[instead] += 1
        elif kind in IMAGE_ENDINGS:
            images.append(name)
        else:
            others[kind or "no ending"] += 1
            if kind in TELLING:
                beside.append(name)
    filled: set[str] = set()
    for folder in {name.rpartition("/")[0] for name in images}:
        while folder and folder not in filled:
            filled.add(folder)
            folder = folder.rpartition("/")[0]
    return Listing(sorted(images), others, sorted(beside), sorted(folders - filled - {""}))


def is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_ENDINGS


def is_left_behind(name: str) -> bool:
    return name.startswith(".") or name in SYSTEM_FILES


def guesses(path: Path, found: Listing) -> tuple[str, ...]:
    """Sentences on what was passed over."""
    said = []
    if found.others:
        kinds = ", ".join(f"{kind}: {count:,}" for kind, count in found.others.most_common(8))
        said.append(
            f"{path}: {counted(found.others.total(), 'file')} passed over ({kinds}); images end in "
            f"{', '.join(sorted(IMAGE_ENDINGS))}."
        )
    if found.bare:
        said.append(f"{path}: {counted(len(found.bare), 'folder')} without an image: {listing(found.bare)}.")
    return tuple(said)
