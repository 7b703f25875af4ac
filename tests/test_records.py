"""Records of a run are read back as what they are, or refused with the file and the field; a seal tells what has changed."""

import importlib
import json
from pathlib import Path
from typing import Any, Literal

import pytest

import luthier
from luthier.errors import NewerRecord, RunError
from luthier.folder.artefacts import Artefacts
from luthier.records import (
    Finite,
    Positive,
    Record,
    VersionedRecord,
    checked,
    read_json,
    read_lines,
    read_record,
    read_sealed,
    seal_holds,
    sealed,
    write_sealed,
)


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


# Versions


def renamed(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with `speed`, which was called `rate`."""
    return {("speed" if key == "rate" else key): value for key, value in record.items()}


def in_metres(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with its speed in metres, which was in kilometres."""
    speed = record["speed"]
    return {**record, "speed": 1_000 * speed if isinstance(speed, int) else speed}


class Moved(VersionedRecord):
    """A record of version 2: its key had another name in version 0, and another unit in version 1."""

    migrations = (renamed, in_metres)

    speed: int


def moved(tmp_path: Path, **content: object) -> Path:
    path = tmp_path / "moved.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    "content",
    [{"rate": 3}, {"version": 0, "rate": 3}, {"version": 1, "speed": 3}, {"version": 2, "speed": 3_000}],
    ids=["without a version", "0", "1", "2"],
)
def test_a_file_of_any_older_version_opens_as_what_it_meant(
    content: dict[str, object], tmp_path: Path
) -> None:
    assert read_record(moved(tmp_path, **content), Moved).speed == 3_000


def test_a_line_of_an_older_version_is_read_as_what_it_meant_and_may_be_written_back(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"rate": 3}\n{"version": 2, "speed": 5}\n')

    (line, found), (_, other) = read_lines(path, Moved)

    assert (found.speed, other.speed) == (3_000, 5)
    assert line == {"version": 2, "speed": 3_000}


def test_a_file_of_a_newer_version_is_refused_by_its_version_and_not_taken_for_damaged(
    tmp_path: Path,
) -> None:
    path = moved(tmp_path, version=3, velocity="a text")

    with pytest.raises(NewerRecord) as caught:
        read_record(path, Moved)

    assert str(caught.value) == (
        f"{path}: is of version 3, and this luthier reads versions up to 2: a newer luthier wrote it. "
        "Open it with a newer luthier."
    )


@pytest.mark.parametrize(("version", "spelt"), [("2", '"2"'), (-1, "-1"), (True, "true"), (None, "null")])
def test_a_version_that_is_no_number_is_told_with_its_field(
    version: object, spelt: str, tmp_path: Path
) -> None:
    path = moved(tmp_path, version=version, speed=3)

    with pytest.raises(RunError) as caught:
        read_record(path, Moved)

    assert str(caught.value) == f"{path}: 'version' is {spelt}, and should be a whole number."


def test_an_older_file_that_is_damaged_is_told_by_the_field_that_is_wrong(tmp_path: Path) -> None:
    path = moved(tmp_path, rate="fast")

    with pytest.raises(RunError) as caught:
        read_record(path, Moved)

    assert str(caught.value) == f"{path}: 'speed' is \"fast\", and should be a valid integer."


def test_what_is_written_carries_its_version_and_its_seal_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "moved.json"
    write_sealed(path, Moved(speed=3_000))

    assert list(json.loads(path.read_text())) == ["version", "speed", "sha256"]
    assert json.loads(path.read_text())["version"] == 2
    found, sealed_at_all = read_sealed(path, Moved)
    assert (found.speed, sealed_at_all) == (3_000, True)


def test_the_seal_of_an_older_file_is_that_of_what_stands_in_it(tmp_path: Path) -> None:
    path = moved(tmp_path, **sealed({"rate": 3}))
    assert read_sealed(path, Moved)[0].speed == 3_000

    path = moved(tmp_path, **{**sealed({"rate": 3}), "rate": 4})
    with pytest.raises(RunError, match="is not what luthier wrote"):
        read_sealed(path, Moved)


def test_an_artefact_of_a_newer_luthier_is_refused_where_a_damaged_one_is_computed_again(
    tmp_path: Path,
) -> None:
    artefacts = Artefacts(tmp_path)
    artefacts.save("moved", {}, Moved(speed=1))
    written = json.loads((tmp_path / "moved.json").read_text())

    (tmp_path / "moved.json").write_text(json.dumps(sealed({**written, "version": 3})))
    with pytest.raises(NewerRecord):
        artefacts.saved("moved", Moved)

    (tmp_path / "moved.json").write_text(json.dumps({**written, "speed": 2}))
    assert artefacts.saved("moved", Moved) is None
    assert artefacts.damaged == [f"{tmp_path / 'moved.json'}: is not what was written: it is computed again."]


def versioned_kinds() -> list[type[VersionedRecord]]:
    """Every record that luthier keeps in a file of its own, or in a line of one."""
    package = Path(luthier.__path__[0])
    for file in package.rglob("*.py"):
        if "(VersionedRecord)" in file.read_text(encoding="utf-8"):
            importlib.import_module(".".join(("luthier", *file.relative_to(package).with_suffix("").parts)))
    return [kind for kind in VersionedRecord.__subclasses__() if kind.__module__.startswith("luthier.")]


@pytest.mark.parametrize("kind", versioned_kinds(), ids=lambda kind: kind.__name__)
def test_every_record_refuses_a_newer_version(kind: type[VersionedRecord]) -> None:
    newer = len(kind.migrations) + 1

    with pytest.raises(
        NewerRecord, match=rf"^it: is of version {newer}, and this luthier reads versions up to"
    ):
        checked({"version": newer}, kind, "it")
