"""A column that says which rows are for training, validation and test."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.data.column_names import HUMP, normal
from luthier.data.problems import shorten
from luthier.data.table import Ints, Table
from luthier.errors import DataError, did_you_mean, listing

NAMES = (
    *("split", "splits", "data_split", "dataset_split", "split_name", "set", "subset", "partition", "part"),
    *("fold", "phase", "usage", "purpose", "dataset", "data_set", "group_name", "type", "mode"),
)
"""Of columns whose words may name parts; it is the words that decide."""
MARKS = {
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "holdout", "eval"),
    "train": ("train", "training"),
}
"""By part, the words after `is_`, `in_` or `for_` in names of columns of yes and no."""
WORDS = {
    **dict.fromkeys(("train", "training", "trn", "tr", "train_set", "training_set", "learn"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev", "development", "validate", "vali"), "valid"),
    **dict.fromkeys(("publictest", "public_test", "validation_set", "dev_set", "val_set"), "valid"),
    **dict.fromkeys(
        ("test", "testing", "tst", "te", "holdout", "hold_out", "test_set", "privatetest"), "test"
    ),
    **dict.fromkeys(("private_test", "evaluation", "eval"), "test"),
}
"""What files call their parts, by our names; compared in small letters, with `_` for a blank or a hyphen."""
YES, NO = ("1", "1.0", "true", "yes", "y", "t"), ("0", "0.0", "false", "no", "n", "f")
GAPS = re.compile(r"[\s\-]+")
PARTS = ("train", "valid", "test")
NONE = "none"
"""As `--split-column`: no column parts the rows."""


@dataclass(frozen=True)
class SplitColumn:
    """Rows as a file parts them itself."""

    name: str
    part_of: Ints
    """(rows,) index into `PARTS`; -1 where the file names no part that is known."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that rows were given for, `train` first."""
        return tuple(part for at, part in enumerate(PARTS) if np.any(self.part_of == at))


def find_split(table: Table, asked: str | None, taken: Sequence[str] = ()) -> SplitColumn | None:
    """The column that parts the rows: as the user names it, else by its name and words; None where there is none.

    taken: columns that the user named for something else.  Raises DataError for one that is named and cannot serve.
    """
    if asked == NONE and NONE not in table.names:
        return None
    if asked is not None:
        return named_split(table, asked)
    for name in table.names:
        if name not in taken and may_part(name):
            found = parted(table, name)
            if found is not None and "train" in found.parts and len(found.parts) > 1:
                return found
    return None


def named_split(table: Table, name: str) -> SplitColumn:
    if name not in table.names:
        raise DataError(
            f"{table.files[0]}: there is no column {shorten(name)!r} to part the rows by.{did_you_mean(name, table.names)} "
            f"Columns: {listing(table.names)}. Name one with --split-column COLUMN, or --split-column none."
        )
    found = parted(table, name)
    values = Counter(key(value) for value in table.values(name))
    if found is None or "train" not in found.parts or len(found.parts) < 2:
        raise DataError(
            f"{table.files[0]}: column {name!r} holds {listing([shorten(value) for value in values], 5)} and cannot part the "
            "rows. Expected train, validation and test (or one of them as is_valid, is_test with 0 and 1), training rows "
            "among them. Name another with --split-column COLUMN, or --split-column none."
        )
    return found


def may_part(name: str) -> bool:
    """Whether a name is one that such columns have.

    >>> may_part("Split"), may_part("is_valid"), may_part("text")
    (True, True, False)
    """
    return normal(name) in NAMES or marked_part(name) is not None


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
    """What a column says of the rows; None where its values name no parts."""
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


def key(value: Any) -> str:
    """A value as it is compared.

    >>> key("Private Test"), key(1.0), key(True)
    ('private_test', '1.0', 'true')
    """
    return "" if value is None else GAPS.sub("_", HUMP.sub("_", str(value).strip())).lower()
