"""A column that says which rows are for training, validation and test."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from luthier.arrays import Ints
from luthier.data.column_names import HUMP, normal, words_of_name
from luthier.data.known_names import LABEL_NAMES, TEXT_NAMES
from luthier.data.table import Table
from luthier.errors import DataError, did_you_mean, listing, shorten

NAMES = (
    *("split", "splits", "data_split", "dataset_split", "split_name", "set", "subset", "partition", "part"),
    *("fold", "phase", "usage", "purpose", "dataset", "data_set", "group_name", "type", "mode"),
)
"""Names of columns whose words may name parts of the split; the words themselves decide."""
MARKS = {
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "holdout", "eval"),
    "train": ("train", "training"),
}
"""For each part, the words after `is_`, `in_` or `for_` in names of columns of yes and no."""
WORDS = {
    **dict.fromkeys(("train", "training", "trn", "tr", "train_set", "training_set", "learn"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev", "development", "validate", "vali"), "valid"),
    **dict.fromkeys(("publictest", "public_test", "validation_set", "dev_set", "val_set"), "valid"),
    **dict.fromkeys(
        ("test", "testing", "tst", "te", "holdout", "hold_out", "test_set", "privatetest"), "test"
    ),
    **dict.fromkeys(("private_test", "evaluation", "eval"), "test"),
}
"""Words of files for the parts, by our names; compared in small letters, with `_` for a blank or a hyphen."""
YES, NO = ("1", "1.0", "true", "yes", "y", "t"), ("0", "0.0", "false", "no", "n", "f")
NO_PART = ("", "unassigned", "none", "nan")
"""Words for a row that is in no part, in a column of words for parts."""
NUMBERED = ("partition", "split", "splits")
"""Last words of names of columns whose 0, 1 and 2 are parts, as CelebA and WILDS number them."""
NUMBERS = {f"{at}{rest}": part for at, part in enumerate(("train", "valid", "test")) for rest in ("", ".0")}
FOLDS = ("fold", "folds", "kfold", "cv", "cvfold")
"""Last words of names of columns that number the folds of a cross-validation."""
MOST_FOLDS = 100
GAPS = re.compile(r"[\s\-]+")
PARTS = ("train", "valid", "test")
NONE = "none"
"""The value of `--split-column` with which no column divides the rows."""
FEWEST_BESIDE = 2
"""Columns that must be there beside one that is known by its values alone: it is not the only one that may be learnt."""


@dataclass(frozen=True)
class SplitColumn:
    """The division of the rows by a column of the file itself."""

    name: str
    part_of: Ints
    """(rows,) index into `PARTS`; -1 where the file names no part that is known."""
    why: str = "by its name and values"

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that rows were given for, `train` first."""
        return tuple(part for at, part in enumerate(PARTS) if np.any(self.part_of == at))


def find_split(table: Table, asked: str | None, taken: Sequence[str] = ()) -> SplitColumn | None:
    """The column that parts the rows: as the user names it, else by its name and words, else by its words alone; None where
    there is none.

    taken: columns that the user named for something else.  Raises DataError for one that is named and cannot serve.
    """
    if asked == NONE and NONE not in table.names:
        return None
    if asked is not None:
        return named_split(table, asked)
    free = [name for name in table.names if name not in taken]
    for name in filter(may_part, free):
        found = parted(table, name)
        if found is None and words_of_name(name)[-1] in NUMBERED:
            found = parted_by_number(table, name)
        if found is not None and is_whole(found):
            return found
    for name in free:
        if len(table.names) > FEWEST_BESIDE and says_parts(table, name):
            found = parted(table, name)
            if found is not None and is_whole(found):
                return replace(found, why="by its values, all of which are words for parts")
    return None


def is_whole(found: SplitColumn) -> bool:
    """Whether there are rows to learn from, and rows of another part."""
    return "train" in found.parts and len(found.parts) > 1


def says_parts(table: Table, name: str) -> bool:
    """Whether every value of a column, whatever its name, is a word for a part; never of one that is named as texts or labels."""
    if not pa.types.is_string(table.columns.schema.field(name).type) or normal(name) in TEXT_NAMES:
        return False
    if normal(name) in LABEL_NAMES or words_of_name(name)[-1:] in [[one] for one in LABEL_NAMES]:
        return False
    seen = {key(value) for value in table.values(name, table.sample)}
    return seen <= {*WORDS, *NO_PART} and {key(value) for value in table.values(name)} <= {*WORDS, *NO_PART}


def named_split(table: Table, name: str) -> SplitColumn:
    if name not in table.names:
        raise DataError(
            f"{table.files[0]}: there is no column {shorten(name)!r} to part the rows by.{did_you_mean(name, table.names)} "
            f"Columns: {listing(table.names)}. Name one with --split-column COLUMN, or --split-column none."
        )
    found = parted(table, name) or parted_by_number(table, name)
    values = Counter(key(value) for value in table.values(name))
    if found is None and (folds := folds_in(values)) is not None:
        raise DataError(
            f"{table.files[0]}: column {name!r} numbers folds, {folds}, and says of none of them whether it is for training or "
            "for testing. Add a column that does, called split, with train in some folds, and valid or test in others, or name "
            "--split-column none: rows are then parted at random."
        )
    if found is None or not is_whole(found):
        raise DataError(
            f"{table.files[0]}: column {name!r} holds {listing([shorten(value) for value in values], 5)} and cannot part the "
            "rows. Expected train, validation and test (or one of them as is_valid, is_test with 0 and 1), training rows "
            "among them. Name another with --split-column COLUMN, or --split-column none."
        )
    return found


def numbers_folds(table: Table, name: str) -> bool:
    """Whether a column is one of folds, by its name and its values."""
    if words_of_name(name)[-1:] not in [[one] for one in FOLDS]:
        return False
    return folds_in({key(value) for value in table.values(name)}) is not None


def folds_in(values: Iterable[str]) -> str | None:
    """The folds of a cross-validation, where values are their numbers, whole and one after the other from 0 or 1.

    >>> folds_in({"0", "2", "1"}), folds_in({"1.0", "2.0", "3.0"}), folds_in({"0", "1"}), folds_in({"a"})
    ('0 to 2', '1 to 3', None, None)
    """
    plain = {value.removesuffix(".0") for value in values}
    if not 2 < len(plain) <= MOST_FOLDS or not all(re.fullmatch("[0-9]{1,3}", value) for value in plain):
        return None
    numbers = sorted(map(int, plain))
    first, last = numbers[0], numbers[-1]
    return f"{first} to {last}" if first in (0, 1) and numbers == [*range(first, last + 1)] else None


def may_part(name: str) -> bool:
    """Whether a name is one that such columns have.

    >>> may_part("Split"), may_part("is_valid"), may_part("text")
    (True, True, False)
    """
    return (
        normal(name) in NAMES
        or words_of_name(name)[-1:] in (["split"], ["partition"])
        or marked_part(name) is not None
    )


def marked_part(name: str) -> str | None:
    """The part whose rows a column of yes and no marks, by its name.

    >>> marked_part("is_valid"), marked_part("isTest"), marked_part("is_positive")
    ('valid', 'test', None)
    """
    plain = normal(name)
    for before in ("is_", "in_", "for_", "is"):
        if plain.startswith(before):
            rest = plain.removeprefix(before).removesuffix("_set")
            return next((part for part, words in MARKS.items() if rest in words), None)
    return None


def parted(table: Table, name: str) -> SplitColumn | None:
    """The division that a column gives; None where its values name no parts."""
    keys = [key(value) for value in table.values(name)]
    mark = marked_part(name)
    meant: dict[str, str] = WORDS
    if mark is not None and set(keys) <= {*YES, *NO, ""}:
        other = "train" if mark != "train" else "test"
        meant = dict.fromkeys(YES, mark) | dict.fromkeys(NO, other)
    numbers = {part: at for at, part in enumerate(PARTS)}
    found = np.array([numbers[meant[one]] if one in meant else -1 for one in keys], np.int64)
    if not len(found) or np.mean(found >= 0) < 0.5:
        return None
    return SplitColumn(name, found)


def parted_by_number(table: Table, name: str) -> SplitColumn | None:
    """The division by a column of 0, 1 and 2 as train, valid and test, where most rows are for training; else None."""
    keys = [key(value) for value in table.values(name)]
    found = np.array([PARTS.index(NUMBERS[one]) if one in NUMBERS else -1 for one in keys], np.int64)
    if not set(keys) <= set(NUMBERS) or len(set(found.tolist())) < len(PARTS) or np.mean(found == 0) < 0.5:
        return None
    return SplitColumn(name, found, "by its numbers: 0 for train, 1 for valid, 2 for test")


def key(value: Any) -> str:
    """A value in the form in which it is compared.

    >>> key("Private Test"), key(1.0), key(True)
    ('private_test', '1.0', 'true')
    """
    return "" if value is None else GAPS.sub("_", HUMP.sub("_", str(value).strip())).lower()
