"""A cell that is unlike the others, in each form that is known by its first cells: refused with its line, or passed over."""

import json

import pytest

from luthier.errors import DataError
from shapes import csv_file, json_lines, understood

SPAN = {"start": 0, "end": 3, "label": "PER"}
SPANS = [["Ann met Bob.", json.dumps([SPAN])]] * 60
CATEGORIES = [[f"This is text {n}.", json.dumps({"A": 1.0, "B": 0.0})] for n in range(300)]
TOOL = ["annotator", "annotation_id", "lead_time", "created_at"]
CHOICES = [[f"This is text {n}.", json.dumps({"choices": ["a", "b"]}), 1, n, 2.5, "2024"] for n in range(60)]

ODD = {
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
}


@pytest.mark.parametrize("odd", ODD)
def test_a_cell_that_is_unlike_the_others_is_refused_with_its_line(odd, tmp_path):
    header, rows, cell = ODD[odd]
    path = csv_file(tmp_path / "rows.csv", header, [*rows, ["The last text.", cell, *rows[0][2:]]])

    with pytest.raises(DataError, match=rf"^\S*rows.csv, line {len(rows) + 2}: column '{header[1]}' holds "):
        understood(path)


@pytest.mark.parametrize("number", ["inf", "1e999", "nan"])
def test_a_number_without_end_says_nothing_of_where_sentences_begin(number, tmp_path):
    rows = [[f"w{n}", "O" if n % 3 else "B-PER", number if n == 5 else n % 7] for n in range(60)]
    path = csv_file(tmp_path / "words.csv", ["word", "ner_tag", "idx"], rows)

    with pytest.raises(DataError, match="nothing says where a sentence begins"):
        understood(path)


def test_a_set_without_texts_is_counted_as_empty(tmp_path):
    sets = [{"set": [f"This is text {n}.", f"And so is this one, {n}."]} for n in range(40)]

    rows = understood(json_lines(tmp_path / "sets.jsonl", [*sets, {"set": []}, {"set": []}]))

    assert rows.understanding.left_out_by == {"no text": 2}


def test_positives_are_learnt_though_a_column_of_their_name_is_empty(tmp_path):
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
