"""Rows of what is read and its label, as a table."""

import csv
from collections.abc import Iterable
from pathlib import Path

Row = tuple[str, str]
"""What is read, and its label."""


def read_labelled(path: Path) -> list[Row]:
    with open(path, encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def write_labelled(path: Path, rows: Iterable[Row], read: str = "text") -> Path:
    """read: name of the column that is read."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([(read, "label"), *rows])
    return path
