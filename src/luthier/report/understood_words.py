"""How luthier understood the data, as text for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.errors import shorten

LABELS_SHOWN = 8
COLUMNS_SHOWN = 12


def understood_words(record: Mapping[str, Any]) -> list[str]:
    """A few lines on the task, the columns and the rows. record: `understood` of `luthier check --json`."""
    columns = ", ".join(f"{role} {name!r}" for role, name in record["columns"].items())
    lines = [f"{record['task']}: {columns}"]
    labels = record["labels"]
    if labels:
        per_row = {"one": "one a row", "many": "several a row", None: "within the rows"}[
            record["labels_per_row"]
        ]
        lines.append(f"{len(labels):,} labels, {per_row}: {few(labels, LABELS_SHOWN)}")
    parts = ", ".join(f"{count:,} {part}" for part, count in record["parts"].items())
    how = {"random": "drawn at random", "files": "by file", "folders": "by folder"}.get(
        record["split"], f"by {record['split']}"
    )
    if record["rows"]:
        lines.append(f"{record['rows']:,} rows, parted {how}: {parts}")
    else:
        lines.append("0 rows with labels, none to learn from")
    if record["left_out"]:
        reasons = ", ".join(f"{count:,} {why}" for why, count in record["left_out_by"].items())
        lines.append(f"{record['left_out']:,} rows left out: {reasons}")
    if record["unread"]:
        lines.append(f"not read: {few(record['unread'], COLUMNS_SHOWN)}")
    return lines


def told_apart(name: str) -> str:
    """A name among others with commas between them: between quotes where it could be taken for something else.

    >>> [told_apart(name) for name in ("refund", "late, or lost", " late")]
    ['refund', "'late, or lost'", "' late'"]
    """
    text = shorten(name)
    plain = name.isprintable() and "," not in name and name == name.strip() and name
    return text if plain else repr(text)


def few(names: Sequence[str], most: int) -> str:
    """
    >>> few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    shown = ", ".join(map(told_apart, names[:most]))
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")
