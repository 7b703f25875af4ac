"""What the report reads of a run beside its scorecard, checked: the table, the split, the findings, the answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from luthier.errors import RunError
from luthier.files import write_json
from luthier.records import Finite, Record, VersionedRecord, migrated, read_json, spelt, stamped, validated

MEND = "Delete the file, and the page is written without it."


class FileRecord(Record):
    """A file that rows came from."""

    name: str
    rows: Finite | None = None


class TableRecord(VersionedRecord):
    """table.json."""

    files: list[FileRecord] | None = None
    rows: Finite | None = None
    columns: list[str] | None = None


class SplitRecord(VersionedRecord):
    """split.json."""

    train: Finite | None = None
    valid: Finite | None = None
    calibration: Finite | None = None
    test: Finite | None = None
    how: str | None = None
    calibrates: str | None = None
    warnings: list[str] | None = None


class FindingRecord(VersionedRecord):
    """One of findings.json."""

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


def read_optional(path: Path, kind: type[Record], within: Path) -> dict[str, Any] | None:
    """A record that a run may lack. Raises RunError, with file and field, for one that is there and cannot be used."""
    try:
        found = migrated(read_json(path, within, MEND), kind, str(path), MEND)
    except FileNotFoundError:
        return None
    validated(found, kind, str(path), MEND)
    return found


def read_findings(path: Path, within: Path) -> tuple[dict[str, Any], ...] | None:
    """findings.json; None where there is none."""
    try:
        found = read_json(path, within, MEND)
    except FileNotFoundError:
        return None
    if not isinstance(found, list):
        raise RunError(f"{path}: expected a list of findings, found {spelt(found)}. {MEND}")
    findings = []
    for number, one in enumerate(found, start=1):
        place = f"{path}, finding {number}"
        findings.append(migrated(one, FindingRecord, place, MEND))
        validated(findings[-1], FindingRecord, place, MEND)
    return tuple(findings)


def write_findings(folder: Path, findings: Sequence[Mapping[str, Any]]) -> None:
    """Write findings.json: a list, in which each finding carries the version of its format."""
    write_json(folder / "findings.json", [stamped(one, FindingRecord) for one in findings])
