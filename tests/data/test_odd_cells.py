"""A cell that is unlike the others, in each form that is known by its first cells: refused with its line, or passed over."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from luthier.errors import DataError
from shapes import csv_file, json_file, json_lines, understood

SPAN = {"start": 0, "end": 3, "label": "PER"}
SPANS = [["Ann met Bob.", json.dumps([SPAN])]] * 60
CATEGORIES = [[f"This is text {n}.", json.dumps({"A": 1.0, "B": 0.0})] for n in range(300)]
TOOL = ["annotator", "annotation_id", "lead_time", "created_at"]
CHOICES = [[f"This is text {n}.", json.dumps({"choices": ["a", "b"]}), 1, n, 2.5, "2024"] for n in range(60)]
TAGS = [["['Ann', 'met', 'Bob']", "['B-PER', 'O', 'B-PER']"]] * 300
QUERIES = [[f"What is {n}?", f'["It is the number {n}."]', f'["It is no number {n}."]'] for n in range(300)]
NOTED = [[f"This is text {n}.", json.dumps({"labels": ["ab"[n % 2]]})] for n in range(300)]

ODD: dict[str, tuple[list[str], list[Any], str]] = {
    "a place beyond any text": (["text", "spans"], SPANS, json.dumps([{**SPAN, "end": 10**30}])),
    "a place of 400 digits": (["text", "spans"], SPANS, json.dumps([{**SPAN, "end": "9" * 400}])),
    "a point that is a number": (
        ["text", "label"],
        SPANS,
        json.dumps([{"points": [1, 2], "label": ["PER"]}]),
    ),
    "a category with a word": (["text", "cats"], CATEGORIES, '{"A": "yes"}'),
    "a list among categories": (["text", "cats"], CATEGORIES, '["A"]'),
    "a choice that is torn": (["text", "choice", *TOOL], CHOICES, '{"choices": ["a"}'),
    "a number among lists of tags": (["words", "tags"], TAGS, "7"),
    "a number among passages": (["query", "pos", "neg"], QUERIES, "0.5"),
    "a list among Dataturks' objects": (["content", "annotation"], NOTED, '["a"]'),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_cell_that_is_unlike_the_others_is_refused_with_its_line(odd: str, tmp_path: Path) -> None:
    header, rows, cell = ODD[odd]
    path = csv_file(tmp_path / "rows.csv", header, [*rows, ["The last text.", cell, *rows[0][2:]]])

    with pytest.raises(DataError, match=rf"^\S*rows.csv, line {len(rows) + 2}: column '{header[1]}' holds "):
        understood(path)


@pytest.mark.parametrize("number", ["inf", "1e999", "nan"])
def test_a_number_without_end_says_nothing_of_where_sentences_begin(number: str, tmp_path: Path) -> None:
    rows = [[f"w{n}", "O" if n % 3 else "B-PER", number if n == 5 else n % 7] for n in range(60)]
    path = csv_file(tmp_path / "words.csv", ["word", "ner_tag", "idx"], rows)

    with pytest.raises(DataError, match="nothing says where a sentence begins"):
        understood(path)


def test_a_set_without_texts_is_counted_as_empty(tmp_path: Path) -> None:
    sets = [{"set": [f"This is text {n}.", f"And so is this one, {n}."]} for n in range(40)]

    rows = understood(json_lines(tmp_path / "sets.jsonl", [*sets, {"set": []}, {"set": []}]))

    assert rows.understanding.left_out_by == {"no text": 2}


def test_positives_are_learnt_though_a_column_of_their_name_is_empty(tmp_path: Path) -> None:
    rows = [
        {
            "query": f"What is number {n}?",
            "positive": "",
            "positive_passages": [{"text": f"It is the number {n} of all."}],
            "negative_passages": [{"text": f"It is another one than {n}."}],
            "note": "n",
        }
        for n in range(40)
    ]

    found = understood(json_lines(tmp_path / "queries.jsonl", rows))

    assert found.columns == {"text": "query", "text2": "positive", "negative": "negative"}
    assert found.table.texts("positive")[0] == "It is the number 0 of all."


def test_a_number_among_answers_to_choose_from_is_no_list_of_them(tmp_path: Path) -> None:
    rows = [[f"What is {n}?", f"['a{n}', 'b{n}', 'c{n}']" if n else "7", n % 3] for n in range(60)]

    found = understood(csv_file(tmp_path / "rows.csv", ["question", "options", "answer"], rows))

    assert found.columns["text"] == "question"


def test_numbers_are_no_tags(tmp_path: Path) -> None:
    path = json_lines(
        tmp_path / "words.jsonl", [{"tokens": ["Ann", "met", f"B{n}"], "ner_tags": n} for n in range(40)]
    )

    with pytest.raises(
        DataError,
        match="column 'ner_tags' holds 0, which is no tags",
    ):
        understood(path)


def test_a_result_of_label_studio_that_is_no_list_says_nothing(tmp_path: Path) -> None:
    def task(n: int, result: Any) -> dict[str, Any]:
        return {"id": n, "data": {"text": f"Ann met Bob on day {n}."}, "annotations": [{"result": result}]}

    def choice(n: int) -> dict[str, Any]:
        return {
            "type": "choices",
            "from_name": "kind",
            "to_name": "text",
            "value": {"choices": ["ab"[n % 2]]},
        }

    path = json_file(tmp_path / "tasks.json", [*[task(n, [choice(n)]) for n in range(40)], task(40, 0.5)])

    assert understood(path).understanding.left_out_by == {"no label": 1}


def test_a_view_of_prodigy_that_is_no_text_is_not_looked_at(tmp_path: Path) -> None:
    rows = [
        {
            "text": f"Ann met Bob on day {n}.",
            "_input_hash": n,
            "_view_id": {"a": n},
            "spans": [SPAN],
            "answer": "accept",
        }
        for n in range(40)
    ]

    assert understood(json_lines(tmp_path / "rows.jsonl", rows)).understanding.labels == ("PER",)


def test_json_that_can_just_be_read_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for depth in range(sys.getrecursionlimit() - 200, sys.getrecursionlimit() + 10):
        path.write_text('{"text": "\\\\ud83d", "label": "a", "x": ' + "[" * depth + "]" * depth + "}\n")
        with pytest.raises(DataError, match=r"nested too deeply|levels deep"):
            understood(path)
