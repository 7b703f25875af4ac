"""Folders of files of rows: shards of one data set, or a file for each part of it, as the Hub and `datasets` lay them out."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath

from luthier.data.formats.row_files import ending, read_file
from luthier.data.images.listing import names_below
from luthier.data.images.names import IMAGE_ENDINGS
from luthier.data.images.parts import PARTS
from luthier.data.raw_bytes import telling_read_errors
from luthier.data.table import Table
from luthier.data.writing import Writing
from luthier.errors import DataError, counted, listing, shorten

SHARD_ENDINGS = frozenset(
    (".parquet", ".arrow", ".feather", ".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json")
)
RECORDS = frozenset(
    ("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json", "metadata.json")
)
"""Files of `datasets` that hold no rows."""
MOST_NAMES = 100_000
WORD = re.compile(r"[-_.\s]+")
SHARD = re.compile(r"^(?P<stem>.*?)[-_.]?(?P<number>\d{4,6})(?:-of-(?P<count>\d{4,6}))?$")
"""The end of a shard's name, without the file's ending: its number, and how many shards there are."""


def holds_shards(path: Path) -> bool:
    """Whether a folder holds files of rows, one for each part or several of one, and no images."""
    if not path.is_dir():
        return False
    with telling_read_errors(path):
        names = [name for name in names_in_all(path) if not name.endswith("/")]
    if any(PurePosixPath(name).suffix.lower() in IMAGE_ENDINGS for name in names):
        return False
    files = rows_among(names)
    return any(part_of(name) is not None for name in files) or all_shards(files)


def read_folder(path: Path, writing: Writing) -> Table:
    """The rows of a folder that holds a single part. Raises DataError where it holds several."""
    parts = read_shards(path, writing)
    if len(parts) > 1:
        raise DataError(
            f"{path}: holds files for {listing(parts)}. Name the file, or the folder of one part."
        )
    return next(iter(parts.values()))


def shards_for(part: str, path: Path, writing: Writing) -> dict[str, Table]:
    """The parts of a folder that was named for one of them: for `train` all that it holds, else that part, or its only one.

    Raises DataError where the part is not there.
    """
    parts = read_shards(path, writing)
    if part == "train" and part not in parts:
        raise DataError(
            f"{path}: holds no file for train, only for {listing(parts)}. Name a folder that does."
        )
    if part == "train":
        return parts
    if part not in parts and len(parts) > 1:
        raise DataError(
            f"{path}: holds files for {listing(parts)}, none for {part}. Name the file that is meant."
        )
    return {part: parts[part] if part in parts else next(iter(parts.values()))}


def read_shards(path: Path, writing: Writing) -> dict[str, Table]:
    """The rows of a folder's files by the part of the data: `train`, `valid`, `test`. Raises DataError where it holds several
    data sets, or a part in several forms, or a shard is missing."""
    with telling_read_errors(path):
        names = rows_among(names_in_all(path))
    refuse_configurations(path, names)
    parts: dict[str, list[str]] = defaultdict(list)
    left: list[str] = []
    for name in names:
        part = part_of(name) or ("train" if all_shards(names) else None)
        if part is None:
            left.append(name)
        else:
            parts[part].append(name)
    for part, files in parts.items():
        check_files(path, part, files)
    tables: dict[str, Table] = {}
    for part in filter(parts.__contains__, ("train", "valid", "test")):
        tables[part] = Table.join([read_file(path / name, writing) for name in sorted(parts[part])])
    held = ", ".join(f"{counted(len(files), 'file')} for {part}" for part, files in parts.items())
    said = f"{path}: holds {held}"
    if left:
        said += f"; not read: {listing(map(shorten, left), 5)}"
    first = next(iter(tables))
    tables[first] = replace(
        tables[first], guesses=(f"{said}; --valid FILE and --test FILE name others.", *tables[first].guesses)
    )
    return tables


def names_in_all(path: Path) -> list[str]:
    """The files below a folder that can be opened; folders too, with a slash at the end."""
    return [name for name, fault in islice(names_below(path), MOST_NAMES) if not fault]


def rows_among(names: Iterable[str]) -> list[str]:
    """Those of some names that are files of rows."""
    return sorted(
        name
        for name in names
        if ending(Path(name)) in SHARD_ENDINGS and PurePosixPath(name).name.lower() not in RECORDS
    )


def stem_of(name: str) -> str:
    """A file's name without its endings."""
    last = PurePosixPath(name).name.lower().removesuffix(".gz")
    return last.removesuffix(ending(Path(name)))


def part_of(name: str) -> str | None:
    """The part that a file's name, or else the nearest folder's, says it is for.

    >>> part_of("data/train-00000-of-00002.parquet"), part_of("sst2/validation/0000.parquet"), part_of("notes/a.csv")
    ('train', 'valid', None)
    """
    for step in (stem_of(name), *reversed(PurePosixPath(name.lower()).parts[:-1])):
        found = {PARTS[word] for word in WORD.split(step) if word in PARTS}
        if len(found) == 1:
            return found.pop()
    return None


def set_of(name: str) -> str:
    """What a file's name says beside the shard's number: `train`, `validation_matched`."""
    found = SHARD.match(stem_of(name))
    stem = found["stem"] if found else stem_of(name)
    words = [word for word in WORD.split(stem) if word]
    return " ".join(words) if words else PurePosixPath(name).parent.name.lower()


def all_shards(files: Sequence[str]) -> bool:
    """Whether all files are shards of one set: alike but for a number of four digits or more."""
    found = [SHARD.match(stem_of(name)) for name in files]
    return (
        bool(files)
        and all(found)
        and len({(one["stem"], ending(Path(name))) for one, name in zip(found, files, strict=True) if one})
        == 1
    )


def refuse_configurations(path: Path, names: Sequence[str]) -> None:
    """Raise DataError where a folder holds several data sets, each in a folder of its own."""
    sets = {
        "/".join(step for step in PurePosixPath(name).parts[:-1] if step.lower() not in (*PARTS, "data"))
        for name in names
        if part_of(name) is not None or SHARD.match(stem_of(name))
    }
    if len(sets) > 1:
        folders = listing((str(path / one) if one else str(path) for one in sorted(sets)), 8)
        raise DataError(f"{path}: holds several data sets, in the folders {folders}. Name one of them.")


def check_files(path: Path, part: str, files: Sequence[str]) -> None:
    """Raise DataError where a part's files are no shards of one set, or one of these is missing."""
    sets = {(set_of(name), ending(Path(name))) for name in files}
    if len(sets) > 1:
        held = listing((str(PurePosixPath(name)) for name in sorted(files)), 8)
        raise DataError(
            f"{path}: holds several sets for {part}: {held}. Name the files that are meant: DATA, --valid FILE and --test FILE."
        )
    found = [one for name in files if (one := SHARD.match(stem_of(name))) and one["count"]]
    expected = {int(one["count"]) for one in found}
    if len(found) == len(files) and len(expected) == 1 and len(files) != (count := expected.pop()):
        there = {int(one["number"]) for one in found}
        missing = [f"{number:05}" for number in range(count) if number not in there]
        raise DataError(
            f"{path}: of the {count} shards for {part}, {listing(missing, 5)} {'is' if len(missing) == 1 else 'are'} missing. "
            "Download the folder again."
        )
