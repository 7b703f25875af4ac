"""The rows to label as a person takes them up: a table to fill in, and tasks for Label Studio."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from luthier.data.annotations.suggested import FROM
from luthier.data.formats.sheets import read_sheet, sheet
from luthier.errors import DataError

Suggestion = Mapping[str, Any]
"""A row to label: `file` and `row`, where it stands, and what it holds by role."""


def as_csv(rows: Sequence[Suggestion], columns: Mapping[str, str], labels: Sequence[str]) -> str:
    """A table to fill in: its rows can be added to the data as they are. columns: by role.  labels: those to be filled in."""
    names, empty = (*columns.values(), *labels, *FROM), [""] * len(labels)
    return sheet(
        [names, *((*(row[role] for role in columns), *empty, row["file"], row["row"]) for row in rows)]
    )


def as_tasks(rows: Sequence[Suggestion], columns: Mapping[str, str]) -> str:
    """Tasks as Label Studio imports them: a list of objects with `data` (labelstud.io/guide/tasks)."""
    tasks = [
        {
            "data": {
                **{name: row[role] for role, name in columns.items()},
                "file": row["file"],
                "row": row["row"],
            }
        }
        for row in rows
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def refuse_filled_in(path: Path, labels: Sequence[str]) -> None:
    """Raise DataError rather than write over labels that somebody has filled in."""
    if path.exists() and any(row[name].strip() for row in read_sheet(path, labels) for name in labels):
        raise DataError(f"{path}: holds labels already. Add its rows to your data, then move or delete it.")


def found_from(name: str, folder: Path, lists: Path) -> str:
    """The name of an image in a folder as a table in another one says it.

    >>> found_from("cats/1.jpg", Path("data/pool"), Path("data"))
    'pool/cats/1.jpg'
    """
    return Path(os.path.relpath(folder / name, lists)).as_posix()
