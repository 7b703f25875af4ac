"""Labels as the user wrote them: a string, a number, a list; told apart, named, put in order."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

SEPARATOR = "|"


def name_of(value: Any) -> str:
    """A label's name: 3.0 is `3`, true is `true`; a text stays as it is, spaces and all, so that a slip is seen."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def names_of(value: Any, many: bool) -> list[str]:
    """The labels of a row: none where the value is missing or empty; several only where `many`."""
    if value is None or value == "":
        return []
    if isinstance(value, (list, tuple)):
        found = [name_of(one) for one in value]
    elif many and isinstance(value, str):
        found = [one.strip() for one in value.split(SEPARATOR)]
    else:
        found = [name_of(value)]
    return [name for name in found if name.strip()]


def has_many(values: Sequence[Any]) -> bool:
    """Whether rows have lists of labels: as JSON lists, or as texts such as `a|b` whose parts recur.

    The parts must be fewer than the texts they make: a label that merely holds the sign `|` is one label.

    >>> has_many(["a|b", "a", "b|c", "c"]), has_many(["yes|no", "other"])
    (True, False)
    """
    if any(isinstance(value, (list, tuple)) for value in values):
        return True
    whole = {value for value in values if isinstance(value, str) and value}
    if not any(SEPARATOR in text for text in whole):
        return False
    return len({part.strip() for text in whole for part in text.split(SEPARATOR)}) < len(whole)


def in_order(names: Sequence[str] | set[str]) -> tuple[str, ...]:
    """Numbers by value, before texts by letter: `2` before `10`.

    >>> in_order({"10", "2", "b", "a"})
    ('2', '10', 'a', 'b')
    """

    def key(name: str) -> tuple[int, float, str]:
        number = re.fullmatch(r"-?\d+(\.\d+)?", name)
        return (0, float(name), "") if number else (1, 0.0, name)

    return tuple(sorted(names, key=key))


def balanced_weights(targets: np.ndarray[Any, np.dtype[Any]], labels: int) -> tuple[float, ...]:
    """A weight per label that makes all labels count alike: rows / (labels x rows of the label), so its mean over rows is 1.

    targets: (rows,) label numbers, or (rows, labels) marks; then the weight of a mark is absent rows / present rows.
    A label that no row has, or with marks every row, weighs 1: there is nothing to balance it against.

    >>> balanced_weights(np.array([0, 0, 0, 2]), 3)
    (0.6666666666666666, 1.0, 2.0)
    """
    if targets.ndim == 2:
        present = targets.sum(axis=0, dtype=np.int64)
        share, counts = len(targets) - present, present
    else:
        counts = np.bincount(targets, minlength=labels)
        share = np.full(labels, len(targets) / np.count_nonzero(counts))
    balanced = np.where(share * counts == 0, 1.0, share / np.maximum(counts, 1))
    return tuple(float(weight) for weight in balanced)
