"""The JSON records that a run or a search leaves, read back: whole, of the right types, and sealed by their own hash.

A record is a pydantic model. Keys that it does not name are kept and not looked at: a newer luthier may write more.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from annotated_types import Ge, Gt, MinLen
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from luthier.errors import RunError
from luthier.files import open_file

SEAL = "sha256"
"""The key under which a record holds the hash of all its other keys."""
LARGEST = 256_000_000
"""The most bytes of a record, or of a line of one, that are read: far more than any run writes."""

Name = Annotated[str, MinLen(1)]
Count = Annotated[int, Ge(0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Gt(0), Field(allow_inf_nan=False)]


class Record(BaseModel):
    """One file of JSON, or one line of it, checked. Types are strict: "no" is not a truth value, and "1" is not a number."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    def told(self) -> dict[str, Any]:
        """The keys that it names, without what a seal or a newer luthier adds."""
        return self.model_dump(exclude=set(self.model_extra or {}))


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


def checked(value: Any, kind: type[Kind], place: str, mend: str = "") -> Kind:
    """A JSON value as a record."""
    if not isinstance(value, dict):
        raise RunError(f"{place}: expected a JSON object, found {spelt(value)}.{after(mend)}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise RunError(f"{place}: {complaint(error.errors()[0])}{after(mend)}") from None


def read_lines(
    path: Path, kind: type[Kind], within: Path | None = None
) -> Iterator[tuple[dict[str, Any], Kind]]:
    """The objects of a .jsonl file, each as it stands and checked; none where there is no file. A last line without an end is
    passed over: a kill has torn it."""
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
            yield value, checked(value, kind, place)


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
