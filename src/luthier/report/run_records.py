"""The records of a run that the report reads beside its scorecard, checked: table, split, findings, predictions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from luthier.errors import RunError
from luthier.files import write_json
from luthier.records import (
    Finite,
    Kind,
    Record,
    VersionedRecord,
    checked,
    read_json,
    read_record,
    spelt,
    stamped,
)

MEND = "Delete the file, and the page is written without it."


class FileRecord(Record):
    """A file that rows came from."""

    name: str
    rows: Finite | None = None


class TableRecord(VersionedRecord):
    """The record table.json: the files that rows came from, and the columns."""

    files: list[FileRecord] | None = None
    rows: Finite | None = None
    columns: list[str] | None = None
    fingerprint: str | None = None

    def column(self, role: str) -> object:
        """The column that has a role; None where none has it."""
        return (self.model_extra or {}).get(role)


class SplitRecord(VersionedRecord):
    """The record split.json: how the rows are divided."""

    train: Finite | None = None
    valid: Finite | None = None
    calibration: Finite | None = None
    test: Finite | None = None
    how: str | None = None
    calibrates: str | None = "calibration"
    seed: int | None = None
    warnings: list[str] | None = None

    def size(self, part: str) -> float | None:
        """How many rows a part has; None where it is not told."""
        return {"train": self.train, "valid": self.valid, "calibration": self.calibration, "test": self.test}[
            part
        ]


class FindingRecord(VersionedRecord):
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


class PredictionRecord(VersionedRecord):
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


def read_optional(path: Path, kind: type[Kind], within: Path) -> Kind | None:
    """A record that a run may lack. Raises RunError, with file and field, for one that is there and cannot be used."""
    try:
        return read_record(path, kind, within, MEND)
    except FileNotFoundError:
        return None


def read_findings(path: Path, within: Path) -> tuple[FindingRecord, ...] | None:
    """findings.json; None where there is none."""
    try:
        found = read_json(path, within, MEND)
    except FileNotFoundError:
        return None
    if not isinstance(found, list):
        raise RunError(f"{path}: expected a list of findings, found {spelt(found)}. {MEND}")
    return tuple(
        checked(one, FindingRecord, f"{path}, finding {number}", MEND)
        for number, one in enumerate(found, start=1)
    )


def write_findings(folder: Path, findings: Sequence[Mapping[str, Any]]) -> None:
    """Write findings.json: a list, in which each finding carries the version of its format."""
    write_json(folder / "findings.json", [stamped(one, FindingRecord) for one in findings])
