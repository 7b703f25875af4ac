"""JSON in which rows are no plain list of objects: under keys, by name, as columns, as lists, with objects inside."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from luthier.data.read import read
from luthier.errors import DataError
from shapes import csv_file, json_file, json_lines, labelled, labels, said, understood

LABELLED = labelled()
ROWS = [{"text": text, "label": label} for text, label in LABELLED]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_number(column: Iterable[Any]) -> dict[str, Any]:
    return {str(number): value for number, value in enumerate(column)}


TEXTS, NAMES = zip(*LABELLED, strict=True)
WAYS = {
    "under a key": {"examples": ROWS},
    "under a key beside others": {
        "version": 1,
        "license": {"name": "MIT"},
        "data": ROWS,
        "classes": ["a", "b"],
    },
    "under several keys": {"nlu": {"common": {"examples": ROWS, "extra": []}}},
    "by their names": {f"doc{number}": row for number, row in enumerate(ROWS)},
    "as pandas' index": by_number(ROWS),
    "as pandas' columns": {"text": by_number(TEXTS), "label": by_number(NAMES)},
    "as pandas' split": {"columns": ["text", "label"], "index": [0], "data": [list(row) for row in LABELLED]},
    "as pandas' table": {"schema": {"fields": [{"name": "text"}], "primaryKey": ["index"]}, "data": ROWS},
    "as lists side by side": {"text": list(TEXTS), "label": list(NAMES)},
    "as lists under a header": [["text", "label"], *map(list, LABELLED)],
    "as lists": [list(row) for row in LABELLED],
    "as the Hub's viewer serves them": {
        "features": [{"name": "text"}],
        "rows": [{"row_idx": number, "row": row, "truncated_cells": []} for number, row in enumerate(ROWS)],
    },
    "with objects inside": [
        {"id": n, "content": {"text": t, "n": 1}, "label": {"name": lab}}
        for n, (t, lab) in enumerate(LABELLED)
    ],
    "inside of an object": [{"meta": 1, "fields": row} for row in ROWS],
}


@pytest.mark.parametrize("way", WAYS)
def test_rows_are_found_wherever_they_stand(there: Path, way: str) -> None:
    assert labels(understood(json_file(there / "a.json", WAYS[way]))) == LABELLED


def test_lists_on_lines_are_rows_as_in_a_list(there: Path) -> None:
    assert labels(understood(json_lines(there / "a.jsonl", [list(row) for row in LABELLED]))) == LABELLED


def test_several_lists_of_rows_are_asked_about(there: Path) -> None:
    with pytest.raises(
        DataError, match=r"several lists of objects or lists: 'train' \(12 items\), 'test' \(1 item\)"
    ):
        read(json_file(there / "a.json", {"train": ROWS, "test": ROWS[:1]}))


@pytest.mark.parametrize(
    "value",
    [{"a": 1, "b": 2}, {}, {"text": ["a", "b"], "label": ["x"]}, {"columns": ["a"], "data": [[1, 2]]}],
)
def test_an_object_without_rows_is_refused(there: Path, value: dict[str, object]) -> None:
    with pytest.raises(DataError, match="orient='records'"):
        read(json_file(there / "a.json", value))


def test_lists_of_another_kind_are_no_rows(there: Path) -> None:
    with pytest.raises(DataError, match=r"3 of 3 rows cannot be read as a JSON object: row 1 \(a list\)"):
        read(json_file(there / "a.json", [[1, 2, 3]] * 3))


def test_text_and_label_inside_of_objects_are_told_by_their_whole_names(there: Path) -> None:
    found = understood(json_file(there / "a.json", WAYS["with objects inside"]))

    assert found.columns == {"text": "content.text", "label": "label.name"}


def test_one_label_in_some_rows_and_a_list_in_others_are_lists(there: Path) -> None:
    rows = [{"text": text, "label": [label] if n % 2 else label} for n, (text, label) in enumerate(LABELLED)]
    found = understood(json_lines(there / "a.jsonl", rows))

    assert labels(found) == LABELLED
    assert "single ones are read as lists of one" in said(found.table)


def test_a_text_that_is_json_stays_a_text(there: Path) -> None:
    rows = [[json.dumps({"a": text}), label] for text, label in LABELLED]

    assert labels(understood(csv_file(there / "a.csv", ["text", "label"], rows))) == [
        tuple(row) for row in rows
    ]


@pytest.mark.parametrize("key", ["name", "choices"])
def test_labels_that_are_objects_in_cells_are_their_names(there: Path, key: str) -> None:
    rows = [[text, json.dumps({key: label if key == "name" else [label]})] for text, label in LABELLED]

    assert labels(understood(csv_file(there / "a.csv", ["text", "label"], rows))) == LABELLED
