"""What luthier adds to a model, in `luthier.json` beside the weights: the task, the calibration, and the hash of every file."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import Field, ValidationError

from luthier.errors import RunError
from luthier.hashes import hash_file
from luthier.records import (
    VERSION,
    Count,
    Name,
    Record,
    VersionedRecord,
    checked,
    complaint,
    read_json,
    seal_holds,
    sealed,
    stamped,
)
from luthier.tasks.calibration import Calibration

FILE = "luthier.json"
CARD = "README.md"
"""The one file of a model's folder that anybody may edit."""
DECIDING = (".safetensors", ".json", ".txt", ".model", ".jinja")
"""Endings of files that decide what a model computes."""
Share = Annotated[float, Ge(0), Le(1)]
MEND = "Delete it and give the command of the run again."


def with_luthier(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with luthier's own version under `luthier`: it stood under `version`, which is the format's now."""
    others = {key: value for key, value in record.items() if key != VERSION}
    return {**others, "luthier": record[VERSION]} if VERSION in record else others


class AlarmRecord(Record):
    """How rows are told that are unlike the training rows."""

    level: Share
    stream: Share
    rows: Count
    references: Count


class TrustRecord(Record):
    """What a model promises of single answers rests on; the arrays lie beside luthier.json."""

    part: Name
    rows: Count
    learnt_since: bool = False
    certainty: Share | None = None
    alarm: AlarmRecord | None = None


class SavedModelRecord(VersionedRecord):
    """luthier.json. The task is checked by the task itself."""

    migrations = (with_luthier,)

    task: dict[str, Any]
    calibration: dict[str, Any]
    pooling: Literal["mean", "cls", "max"] | None
    hidden: list[Annotated[int, Ge(1), Le(1_000_000)]]
    long: Literal["cut", "windows"]
    columns: dict[str, str]
    base: str
    base_fingerprint: str
    method: Name
    luthier: str
    missing: list[str] = Field(default_factory=list)
    files: dict[str, str] | None = None
    trust: TrustRecord | None = None

    @classmethod
    def version_in(cls, value: Mapping[str, Any]) -> Any:
        """0 where `version` is a text: luthier's own, as in the files from before there were versions of the format."""
        found = value.get(VERSION, 0)
        return 0 if isinstance(found, str) else found


@dataclass(frozen=True)
class ModelRecord:
    """What luthier adds to a model."""

    task: dict[str, Any]
    calibration: Calibration
    pooling: str | None
    """None: the architecture's own class does it, or every token answers."""
    hidden: tuple[int, ...]
    long: str
    """`cut` or `windows`: how texts beyond the limit are read."""
    columns: dict[str, str]
    """Names of the columns by role."""
    base: str
    """The pre-trained model, as the user named it."""
    base_fingerprint: str
    method: str
    """The name of the candidate, such as `probe` or `tuned`."""
    luthier: str
    """Version of the luthier that wrote the model."""
    missing: tuple[str, ...] = ()
    """Words that mean nothing in a text, as `--missing` named them; none: those that programs write."""
    trust: dict[str, Any] | None = None
    """What it promises of single answers (folder/trust.py); None where it promises nothing."""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "calibration": self.calibration.to_json(), "form": library_of(self.pooling)}

    @staticmethod
    def from_json(record: dict[str, Any], place: str) -> "ModelRecord":
        """place: where it stands, for the message. Raises RunError that names the field."""
        told = checked(record, SavedModelRecord, place, MEND)
        try:
            calibration = Calibration.from_json(told.calibration)
        except ValidationError as error:
            raise RunError(f"{place}: calibration: {complaint(error.errors()[0])} {MEND}") from None
        fields = {
            **told.told(),
            "calibration": calibration,
            "hidden": tuple(told.hidden),
            "missing": tuple(told.missing),
        }
        del fields["files"]
        return ModelRecord(**fields)


def library_of(pooling: str | None) -> str:
    """The library that loads the folder of a model with such a pooling."""
    return "transformers" if pooling is None else "sentence-transformers"


def sums_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a model's folder, but for luthier.json, which holds them, and the card."""
    return {
        str(path.relative_to(folder)): hash_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and str(path.relative_to(folder)) not in (FILE, CARD)
    }


def sealed_record_of(record: ModelRecord, folder: Path) -> dict[str, Any]:
    """luthier.json of a folder that is whole: what is beside the model, its files' hashes, and the hash of all that."""
    return sealed(stamped({**record.to_json(), "files": sums_of(folder)}, SavedModelRecord))


def doubts(folder: Path, sums: Mapping[str, str] | None = None) -> list[str]:
    """What of a model's folder is not as luthier wrote it, a sentence each. Raises RunError for a record that cannot be read.

    sums: of the files that decide what the model computes, where somebody has them already.
    """
    record = read_json(folder / FILE, mend=MEND)
    told = checked(record, SavedModelRecord, str(folder / FILE), MEND)
    if told.files is None or seal_holds(record) is None:
        return [
            f"{folder / FILE}: was written before luthier kept the hashes of a model's files: a change cannot be told."
        ]
    found = [] if seal_holds(record) else [FILE]
    now = sums_of(folder) if sums is None else sums
    found += [name for name, known in told.files.items() if name in now and now[name] != known]
    words = [f"{folder / name}: has changed since luthier wrote it (its SHA-256 differs)." for name in found]
    words += [
        f"{folder / name}: is gone since luthier wrote this model."
        for name in told.files
        if name not in now and (sums is None or name.endswith(DECIDING))
    ]
    words += [
        f"{folder / name}: is not among the files that luthier wrote here."
        for name in now
        if name not in told.files and name.endswith(DECIDING)
    ]
    return words


def tell(words: list[str]) -> None:
    """Say what is doubtful, on standard error, and go on: it may be what the user wants."""
    for one in words:
        print(one, file=sys.stderr, flush=True)
