"""How the data were understood: `understood` of `luthier check --json` and `luthier plan --json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from luthier.data.split import Split
from luthier.data.table import Table
from luthier.tasks.task import Task


@dataclass(frozen=True)
class LeftOut:
    """How many rows are not used, by reason."""

    faults: Mapping[str, int]
    """Number of rows in which something is missing, by reason."""
    set_aside: Mapping[str, int]
    """Number of rows that the annotators rejected or skipped, by reason, which is no fault."""


@dataclass(frozen=True)
class Understanding:
    """The task, columns and formats that luthier understood the rows to have."""

    task: str
    columns: Mapping[str, str]
    """The columns, by their role in the task."""
    labels: tuple[str, ...]
    labels_per_row: str | None
    """`one` or `many`; None where answers are not labels."""
    rows: int
    """Number of rows that are used, over all parts."""
    left_out_by: Mapping[str, int]
    set_aside: Mapping[str, int]
    """Those of `left_out_by` that the annotators rejected or skipped."""
    encoding: str | None
    """Encoding of the first file; None where it is not a text file."""
    split: str
    """What divides the rows: `random`, `files`, `folders` or `column NAME`."""
    parts: Mapping[str, int]
    unread: tuple[str, ...]
    """Columns that nothing uses."""
    unlabelled: int | None = None
    """Number of rows without labels that are used; None where no file of such is named."""

    @staticmethod
    def of(
        task: Task,
        columns: Mapping[str, str],
        left_out: LeftOut,
        table: Table,
        split: Split,
        by: str,
        unread: tuple[str, ...],
    ) -> "Understanding":
        parts = split.sizes()
        return Understanding(
            task=task.name,
            columns=dict(columns),
            labels=task.known_labels,
            labels_per_row=task.labels_per_row,
            rows=sum(parts.values()),
            left_out_by={**left_out.faults, **left_out.set_aside},
            set_aside=left_out.set_aside,
            encoding=next(iter(table.encodings), None),
            split=by,
            parts=parts,
            unread=unread,
        )

    @property
    def left_out(self) -> int:
        return sum(self.left_out_by.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "columns": dict(self.columns),
            "labels": list(self.labels),
            "labels_per_row": self.labels_per_row,
            "rows": self.rows,
            "left_out": self.left_out,
            "left_out_by": dict(self.left_out_by),
            "encoding": self.encoding,
            "split": self.split,
            "parts": dict(self.parts),
            "unread": list(self.unread),
            **({} if self.unlabelled is None else {"unlabelled": self.unlabelled}),
        }
