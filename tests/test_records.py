"""Records of a run are read back as what they are, or refused with the file and the field; a seal tells what has changed."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from luthier.errors import RunError
from luthier.records import Finite, Positive, Record, read_json, read_lines, read_record, seal_holds, sealed


class Thing(Record):
    """A record with a field of each kind."""

    ship: bool = False
    name: str = ""
    count: int = 0
    size: Finite = 0.0
    temperature: Positive = 1.0
    way: Literal["cut", "windows"] = "cut"
    inner: dict[str, list[int]] | None = None


class Needs(Record):
    """A record that cannot do without a field."""

    key: str


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"ship": "no"}, "'ship' is \"no\", and should be a valid boolean."),
        ({"ship": 1}, "'ship' is 1, and should be a valid boolean."),
        ({"name": 5}, "'name' is 5, and should be a valid string."),
        ({"count": True}, "'count' is true, and should be a valid integer."),
        ({"count": 1.5}, "'count' is 1.5, and should be a valid integer."),
        ({"size": float("nan")}, "'size' is NaN, and should be a finite number."),
        ({"size": "1"}, "'size' is \"1\", and should be a valid number."),
        ({"temperature": 0}, "'temperature' is 0, and should be greater than 0."),
        ({"way": "up"}, "'way' is \"up\", and should be 'cut' or 'windows'."),
        ({"inner": {"a": [1, "x"]}}, "'inner.a.1' is \"x\", and should be a valid integer."),
    ],
)
def test_a_value_that_is_not_what_it_should_be_is_told_with_file_and_field(
    content: dict[str, object], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "thing.json"
    path.write_text(json.dumps(content))

    with pytest.raises(RunError) as caught:
        read_record(path, Thing)

    assert str(caught.value) == f"{path}: {told}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"[" * 100_000, "is nested too deeply to be read."),
        (b'{"a":' * 100_000, "is nested too deeply to be read."),
        (
            b"{",
            "is not valid JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)).",
        ),
        (b"5", "expected a JSON object, found 5."),
        (b"[1]", "expected a JSON object, found a list."),
        (b"{}", "lacks 'key'."),
        (
            b'"\xe9"',
            "is not valid JSON ('utf-8' codec can't decode byte 0xe9 in position 1: invalid continuation byte).",
        ),
    ],
)
def test_text_that_is_no_such_record_is_told(text: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "thing.json"
    path.write_bytes(text)

    with pytest.raises(RunError) as caught:
        read_record(path, Needs)

    assert str(caught.value) == f"{path}: {told}"


def test_keys_of_a_newer_luthier_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "thing.json"
    path.write_text('{"key": "a", "version": 9}')

    found = read_record(path, Needs)

    assert found.key == "a"
    assert found.told() == {"key": "a"}


def test_a_line_that_a_kill_has_torn_is_passed_over_and_one_in_between_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"key": "a"}\n\n{"key": "b"}\n{"key":')
    assert [record.key for _, record in read_lines(path, Needs)] == ["a", "b"]

    path.write_text('{"key": "a"}\n{"key":\n{"key": "b"}\n')
    with pytest.raises(RunError, match=r"lines\.jsonl, line 2: is not valid JSON"):
        list(read_lines(path, Needs))


def test_a_line_longer_than_any_record_is_refused_and_not_taken_for_a_torn_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.records.LARGEST", 20)
    path = tmp_path / "lines.jsonl"
    path.write_text('{"key": "a"}\n{"key": "' + "b" * 40 + '"}\n{"key": "c"}\n')

    with pytest.raises(RunError, match=r"lines\.jsonl, line 2: is larger than"):
        list(read_lines(path, Needs))


def test_a_seal_holds_however_a_record_is_spelt_and_breaks_with_any_value(tmp_path: Path) -> None:
    values: dict[Any, Any] = {"b": [1, 2.0, None], "a": {"é": float("nan"), "x": "\ud800"}, 7: True}
    record = sealed(values)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record, indent=4))
    found = read_json(path)

    assert seal_holds(found) is True
    assert seal_holds(dict(reversed(found.items()))) is True
    assert seal_holds({**found, "b": [1, 2.0, 0]}) is False
    assert seal_holds({**found, "more": 1}) is False
    assert seal_holds({**found, "sha256": 5}) is False
    assert seal_holds({key: value for key, value in found.items() if key != "sha256"}) is None
    assert sealed(found) == found
