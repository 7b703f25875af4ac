"""The JSON records that a run or a search leaves, read back: of a version that is known, of the right types, and sealed by
their own hash.

A record is a pydantic model. Keys that it does not name are kept and not looked at: a newer luthier may write more. All of them
pass through `migrated`, the one place that knows versions: an older one is brought up to date, a newer one is refused.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

from annotated_types import Ge, Gt, MinLen
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from luthier.errors import NewerRecord, RunError
from luthier.files import open_file, write_json

VERSION = "version"
"""The key under which a file's record holds the version of its format."""
SEAL = "sha256"
"""The key under which a record holds the hash of all its other keys."""
LARGEST = 256_000_000
"""The most bytes of a record, or of a line of one, that are read: far more than any run writes."""

Name = Annotated[str, MinLen(1)]
Count = Annotated[int, Ge(0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Gt(0), Field(allow_inf_nan=False)]


Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""A step from one version of a format to the next."""


def unchanged(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as it is: the step to a version that reads as the one before it."""
    return record


class Record(BaseModel):
    """An object of a file, or a part of one. Nothing is taken for what it is not: "no" is not true, and "1" no number."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    migrations: ClassVar[tuple[Migration, ...]] = ()
    """The steps that lead from a file without a version to what this luthier writes: the version is how many there are.

    Whoever gives a key another name or another meaning adds a step. A key that is new needs none, as long as it has a default.
    """

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """A record of what Python tells: tuples are lists, and numbers as keys are texts, as they are in JSON."""
        return cls.model_validate(json.loads(json.dumps(told)))

    @classmethod
    def version_in(cls, value: Mapping[str, Any]) -> Any:
        """The version that a file's object says it is of; 0 where it says none."""
        return value.get(VERSION, 0)

    def told(self) -> dict[str, Any]:
        """The keys that it names, without what a version, a seal or a newer luthier adds."""
        return self.model_dump(exclude=set(self.model_extra or {}))

    def to_json(self) -> dict[str, Any]:
        """All that was told, whether it is known here or not."""
        return self.model_dump(exclude_unset=True)


class VersionedRecord(Record):
    """What a whole file says, or a line of one. It carries the version of its format; 0 is that of files without a version."""

    migrations: ClassVar[tuple[Migration, ...]] = (unchanged,)


Kind = TypeVar("Kind", bound=Record)


def read_json(path: Path, within: Path | None = None, mend: str = "") -> Any:
    """The value of a JSON file. Raises FileNotFoundError where there is none, RunError for what is no JSON.

    within: the folder that it may not leave by a link.  mend: what the user can do, for the message.
    """
    with open_file(path, within) as file:
        text = file.read(LARGEST + 1)
    return parsed(text, str(path), mend)


def parsed(text: bytes, place: str, mend: str = "") -> Any:
    """The value of JSON text. place: where it stands, for the message."""
    if len(text) > LARGEST:
        raise RunError(f"{place}: is larger than {LARGEST // 10**6} MB, which no record is.{after(mend)}")
    try:
        return json.loads(text.decode("utf-8-sig"))
    except RecursionError:
        raise RunError(f"{place}: is nested too deeply to be read.{after(mend)}") from None
    except ValueError as error:
        raise RunError(f"{place}: is not valid JSON ({error}).{after(mend)}") from error


def read_record(path: Path, kind: type[Kind], within: Path | None = None, mend: str = "") -> Kind:
    """A file's JSON object, checked. Raises FileNotFoundError where there is none, RunError that names file and field."""
    return checked(read_json(path, within, mend), kind, str(path), mend)


def migrated(value: Any, kind: type[Record], place: str, mend: str = "") -> dict[str, Any]:
    """A JSON value as an object of the version that this luthier writes. place: where it stands, for the message.

    Raises NewerRecord for a version that this luthier does not know, RunError for what has no version.
    """
    if not isinstance(value, dict):
        raise RunError(f"{place}: expected a JSON object, found {spelt(value)}.{after(mend)}")
    record: dict[str, Any] = value
    found, current = kind.version_in(record), len(kind.migrations)
    if not current:
        return record
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise RunError(f"{place}: {VERSION!r} is {spelt(found)}, and should be a whole number.{after(mend)}")
    if found > current:
        raise NewerRecord(
            f"{place}: is of version {found}, and this luthier reads versions up to {current}: a newer luthier wrote it. "
            "Open it with a newer luthier."
        )
    for migration in kind.migrations[found:]:
        record = migration(record)
    return value if record is value else {**record, VERSION: current}


def stamped(record: Mapping[str, Any], kind: type[Record]) -> dict[str, Any]:
    """A file's record with the version of its format, as the first of its keys."""
    plain = {key: value for key, value in record.items() if key != VERSION}
    return {VERSION: len(kind.migrations), **plain}


def checked(value: Any, kind: type[Kind], place: str, mend: str = "") -> Kind:
    """A JSON value as a record, whichever version it is of. Raises NewerRecord for a newer one, RunError that names the field."""
    return validated(migrated(value, kind, place, mend), kind, place, mend)


def validated(value: dict[str, Any], kind: type[Kind], place: str, mend: str = "") -> Kind:
    """A JSON object of this version as a record. Raises RunError that names the field."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise RunError(f"{place}: {complaint(error.errors()[0])}{after(mend)}") from None


def read_sealed(
    path: Path, kind: type[Kind], within: Path | None = None, mend: str = "", so: str = ""
) -> tuple[Kind, bool]:
    """A file's JSON object, checked, and whether a seal vouches for it: before there were seals, none did.

    so: what follows from a seal that does not fit, for the message.  Raises as `read_record` does, and for a broken seal.
    """
    value = read_json(path, within, mend)
    found = checked(value, kind, str(path), mend)
    return found, refuse_broken_seal(value, path, mend, so)


def read_lines(
    path: Path, kind: type[Kind], within: Path | None = None
) -> Iterator[tuple[dict[str, Any], Kind]]:
    """The objects of a .jsonl file, each as JSON and checked; none where there is no file. A last line without an end is passed
    over: a kill has torn it."""
    try:
        file = open_file(path, within)
    except FileNotFoundError:
        return
    with file:
        for number, line in enumerate(iter(lambda: file.readline(LARGEST + 1), b""), start=1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                value = parsed(line, place)
            except RunError:
                if line.endswith(b"\n") or len(line) > LARGEST:
                    raise
                return
            record = migrated(value, kind, place)
            yield record, validated(record, kind, place)


def complaint(error: Any) -> str:
    """One of pydantic's errors as a sentence that names the field, the value and what is expected."""
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"lacks {field!r}."
    if error["type"] == "value_error":  # ours, about how values fit together
        return f"{field + ': ' if field else ''}{error['ctx']['error']}."
    told = error["msg"].removeprefix("Input should be ")
    return f"{field!r} is {spelt(error['input'])}, and should be {told}."


def spelt(value: object, most: int = 60) -> str:
    """A JSON value in words, for a message.

    >>> spelt(None), spelt("no"), spelt([1, 2]), spelt({"a": 1})
    ('null', '"no"', 'a list', 'an object')
    """
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value)
    return text if len(text) <= most else f"{text[:most]}..."


def after(mend: str) -> str:
    return f" {mend}" if mend else ""


# A record that seals itself


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with the hash of all its keys, as the last of them."""
    plain = {key: value for key, value in record.items() if key != SEAL}
    return {**plain, SEAL: seal_of(plain)}


def seal_of(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record as it is read back, but for the seal itself: how it is spelt and ordered does not matter."""
    plain = json.loads(json.dumps({key: value for key, value in record.items() if key != SEAL}))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def seal_holds(record: Mapping[str, Any]) -> bool | None:
    """Whether a record is as it was written; None where it was never sealed, as by luthier before there were seals."""
    return None if SEAL not in record else record[SEAL] == seal_of(record)


def refuse_broken_seal(record: Mapping[str, Any], path: Path, mend: str = "", so: str = "") -> bool:
    """Whether a record is sealed. Raises RunError where its seal does not fit. so: what follows from that, for the message."""
    holds = seal_holds(record)
    if holds is False:
        raise RunError(
            f"{path}: is not what luthier wrote: its content does not fit the SHA-256 that it holds{so}.{after(mend)}"
        )
    return holds is not None


def write_sealed(path: Path, record: VersionedRecord) -> None:
    """Write a record as JSON, with its version and its seal."""
    write_json(path, sealed(stamped(record.to_json(), type(record))))
