"""Noughts and ones, however they are written: whether a label holds."""

from typing import Any

MISSING = -1
"""A mark that is not told."""
YES = frozenset(("1", "1.0", "true", "yes", "y", "t"))
NO = frozenset(("0", "0.0", "false", "no", "n", "f"))
EMPTY = frozenset(("", "-1", "-1.0", "nan", "none", "null", "na", "n/a", "#n/a", "<na>"))


def mark_of(value: Any) -> int | None:
    """1, 0 or MISSING; None for what is no mark.

    >>> [mark_of(value) for value in (1, "0", True, "No", "", None, "maybe", 2)]
    [1, 0, 1, 0, -1, -1, None, None]
    """
    if value is None or value != value:
        return MISSING
    word = str(value).strip().lower()
    if word in YES:
        return 1
    if word in NO:
        return 0
    return MISSING if word in EMPTY else None
