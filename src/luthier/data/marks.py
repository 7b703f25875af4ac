"""Marks that say whether a label holds: noughts and ones, however they are written."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MISSING = -1
"""The value of a mark that is not given."""
YES = frozenset(("1", "1.0", "true", "yes", "y", "t"))
NO = frozenset(("0", "0.0", "false", "no", "n", "f"))
EMPTY = frozenset(("", "-1", "-1.0", "nan", "none", "null", "na", "n/a", "#n/a", "<na>"))

TICKS = frozenset(("x", "\u00d7", "\u2713", "\u2714", "\u2611", "\u2022", "\u25cf"))
"""What people put into a cell to mark it."""


@dataclass(frozen=True)
class Marking:
    """How the columns of one table say whether a label holds. Words are compared in lower case."""

    yes: frozenset[str]
    no: frozenset[str]
    told: str = ""
    """How the columns are read, in words that follow their names; empty for noughts and ones."""

    def of(self, value: Any) -> int | None:
        """A value's mark: 1, 0 or MISSING; None for what is no mark."""
        word = word_of(value)
        if word in self.yes:
            return 1
        if word in self.no:
            return 0
        return MISSING if word in EMPTY else None


USUAL = Marking(YES, NO)
SIGNED = Marking(
    frozenset(("1", "1.0")),
    frozenset(("-1", "-1.0")),
    "hold 1 and -1 and no 0, so -1 is taken to say that the label does not hold; write empty cells where it is not known",
)
TICKED = Marking(
    TICKS,
    frozenset(("",)),
    "are marked or empty, so an empty cell is taken to say that the label does not hold; write 1, 0 and empty cells where some "
    "are not known",
)


def word_of(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip().lower()


def marking_of(values: Iterable[Any]) -> Marking:
    """How the values of some columns say whether labels hold.

    >>> marking_of([1, -1]) is SIGNED, marking_of([1, 0, -1]) is USUAL, marking_of(["x", None]) is TICKED
    (True, True, True)
    """
    words = set(map(word_of, values))
    filled = words - EMPTY
    if filled and filled <= SIGNED.yes and words & SIGNED.no and words <= SIGNED.yes | EMPTY:
        return SIGNED
    return TICKED if filled and filled <= TICKS else USUAL


def mark_of(value: Any) -> int | None:
    """A mark as noughts and ones tell it: 1, 0 or MISSING; None for what is no mark.

    >>> [mark_of(value) for value in (1, "0", True, "No", "", None, "maybe", 2)]
    [1, 0, 1, 0, -1, -1, None, None]
    """
    return USUAL.of(value)
