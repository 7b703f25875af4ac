"""Checking the names of columns: none is empty, and none stands twice."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from luthier.errors import DataError, listing, shorten


def check_names(path: Path, names: Sequence[str]) -> list[str]:
    """The names as they are. Raises DataError for one that is empty, or there twice."""
    nameless = [position for position, name in enumerate(names, start=1) if not name]
    if nameless:
        hint = (
            " (The first is pandas' index: write the file with index=False.)"
            if nameless == [1] and len(names) > 1
            else ""
        )
        raise DataError(
            f"{path}: the header has no name for column {listing(nameless)} (of {len(names):,}). "
            f"Name it, or remove the column.{hint}"
        )
    twice = [shorten(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{path}: the header names {listing(twice)} more than once. Give every column a name of its own."
        )
    return list(names)
