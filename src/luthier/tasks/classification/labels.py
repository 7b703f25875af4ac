"""Labels as the user wrote them: a string, a number, a list; told apart, named, put in order."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

WHOLE = re.compile(r"([+-]?\d+)(?:\.0+)?")


def name_of(value: Any) -> str:
    """A label's name: 3.0 is `3`, true is `true`; a text stays as it is, spaces and all, so that a slip is seen."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def names_of(value: Any) -> list[str]:
    """The labels of a row: none where the value is missing or empty.

    >>> names_of(["a", 2.0]), names_of("a"), names_of(float("nan"))
    (['a', '2'], ['a'], [])
    """
    if value is None or value == "" or value != value:
        return []
    found = [name_of(one) for one in value] if isinstance(value, list | tuple) else [name_of(value)]
    return [name for name in found if name.strip()]


def whole_numbers(values: Sequence[Any]) -> Sequence[Any]:
    """Texts that are whole numbers, some of them with a nought after the point, without it: `1.0` is `1`. Others as they are.

    >>> whole_numbers(["1.0", "2", None]), whole_numbers(["1.0", "1.1"])
    (['1', '2', None], ['1.0', '1.1'])
    """
    texts = {value.strip() for value in values if isinstance(value, str) and value.strip()}
    if not any(text.endswith("0") and "." in text for text in texts) or not all(map(WHOLE.fullmatch, texts)):
        return values
    plain = {text: WHOLE.sub(r"\1", text) for text in texts}
    return [plain.get(value.strip(), value) if isinstance(value, str) else value for value in values]


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
