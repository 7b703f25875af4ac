"""The records of a run that the report reads beside its scorecard, checked: table, split, findings, predictions."""

from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from luthier.errors import RunError
from luthier.records import Finite, Record, checked, read_json, spelt

MEND = "Delete the file, and the page is written without it."


class FileRecord(Record):
    """A file that rows came from."""

    name: str
    rows: Finite | None = None


class TableRecord(Record):
    """The record table.json: the files that rows came from, and the columns."""

    files: list[FileRecord] | None = None
    rows: Finite | None = None
    columns: list[str] | None = None


class SplitRecord(Record):
    """The record split.json: how the rows are divided."""

    train: Finite | None = None
    valid: Finite | None = None
    calibration: Finite | None = None
    test: Finite | None = None
    how: str | None = None
    calibrates: str | None = None
    warnings: list[str] | None = None


class FindingRecord(Record):
    """One finding of findings.json."""

    check: str | None = None
    severity: str | None = None
    count: Finite | None = None
    share: Finite | None = None
    rows: list[dict[str, Any]] | None = None
    message: str | None = None
    matters: str | None = None
    mend: str | None = None


class EntityRecord(Record):
    """A span of a text and what it is."""

    start: int | None = None
    end: int | None = None
    label: str | None = None
    probability: Finite | None = None


Answer = str | bool | int | float | list[str | float | EntityRecord] | None


class PredictionRecord(Record):
    """A line of predictions/PART.jsonl."""

    row: int | None = None
    file: str | None = None
    line: int | None = None
    label: Answer = None
    prediction: Answer = None
    probabilities: dict[str, Finite] | None = None
    probability: Finite | None = None

    @model_validator(mode="after")
    def labels_are_names(self) -> Self:
        """Raises ValueError for answers that cannot be looked up among the probabilities."""
        if self.probabilities is not None:
            for answer in (self.label, self.prediction):
                if any(not isinstance(one, str) for one in (answer if isinstance(answer, list) else [])):
                    raise ValueError("'label' and 'prediction' are to be labels, or lists of labels")
        return self


def read_optional(path: Path, kind: type[Record], within: Path) -> dict[str, Any] | None:
    """A record that a run may lack. Raises RunError, with file and field, for one that is there and cannot be used."""
    try:
        found: dict[str, Any] = read_json(path, within, MEND)
    except FileNotFoundError:
        return None
    checked(found, kind, str(path), MEND)
    return found


def read_findings(path: Path, within: Path) -> tuple[dict[str, Any], ...] | None:
    """findings.json; None where there is none."""
    try:
        found = read_json(path, within, MEND)
    except FileNotFoundError:
        return None
    if not isinstance(found, list):
        raise RunError(f"{path}: expected a list of findings, found {spelt(found)}. {MEND}")
    for number, one in enumerate(found, start=1):
        checked(one, FindingRecord, f"{path}, finding {number}", MEND)
    return tuple(found)
