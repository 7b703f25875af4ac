"""Questions with answers, and texts that belong together, in the forms in which people write them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.data.read import read
from luthier.data.table import Table
from luthier.errors import DataError
from shapes import csv_file, json_file, json_lines, said, understood

ASKED = [
    (f"The pump number {n} was built in {town} in 18{n}0.", "Where was it built?", [town] * (n != 3))
    for n, town in enumerate(["Rome", "Oslo", "Bern", "Lima", "Cairo"] * 3)
]
QUESTIONS = [
    (context, question, [(text, context.index(text)) for text in texts]) for context, question, texts in ASKED
]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_questions(path: Path) -> list[tuple[str, str, list[tuple[str, int | None]]]]:
    rows = understood(path)
    assert rows.task.name == "question-answering"
    used = rows.understood.usable
    pairs = zip(rows.inputs(used), rows.targets(used), strict=True)
    return [
        (passage.context, passage.question, list(zip(gold.texts, gold.starts, strict=True)))
        for passage, gold in pairs
    ]


def texts_and_starts(answers: Sequence[tuple[str, int]]) -> tuple[list[str], list[int]]:
    return [text for text, _ in answers], [start for _, start in answers]


def as_numpy(texts: list[str], starts: list[int]) -> str:
    return f"{{'text': array({texts}, dtype=object), 'answer_start': {np.array(starts, np.int32)!r}}}"


def as_objects(texts: list[str], starts: list[int]) -> list[dict[str, Any]]:
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]


CELLS: dict[str, Callable[[list[str], list[int]], str]] = {
    "as Python writes it": lambda texts, starts: str({"text": texts, "answer_start": starts}),
    "as JSON": lambda texts, starts: json.dumps({"text": texts, "answer_start": starts}),
    "as numpy writes it": as_numpy,
    "as a list of objects": lambda texts, starts: str(as_objects(texts, starts)),
}


@pytest.mark.parametrize("way", CELLS)
def test_answers_stand_in_a_cell(there: Path, way: str) -> None:
    rows = [
        [context, question, CELLS[way](*texts_and_starts(answers))]
        for context, question, answers in QUESTIONS
    ]

    assert read_questions(csv_file(there / "a.csv", ["context", "question", "answers"], rows)) == QUESTIONS


def test_answers_stand_beside_their_starts(there: Path) -> None:
    rows = [
        [c, q, answers[0][0] if answers else "", answers[0][1] if answers else ""]
        for c, q, answers in QUESTIONS
    ]
    lists = [[c, q, *map(str, texts_and_starts(answers))] for c, q, answers in QUESTIONS]

    assert (
        read_questions(
            csv_file(there / "a.csv", ["context", "question", "answer_text", "answer_start"], rows)
        )
        == QUESTIONS
    )
    names = ["context", "question", "answers.text", "answers.answer_start"]
    assert read_questions(csv_file(there / "b.csv", names, lists)) == QUESTIONS


def with_questions(context: str, question: str, answers: Sequence[tuple[str, int]]) -> dict[str, Any]:
    objects = [{"text": text, "answer_start": start} for text, start in answers]
    return {
        "context": context,
        "qas": [{"id": "1", "question": question, "answers": objects, "is_impossible": not answers}],
    }


PARAGRAPHS = [with_questions(*row) for row in QUESTIONS]
NESTED = {
    "a list of articles": [{"title": "t", "paragraphs": PARAGRAPHS}],
    "under another key": {"version": 2, "articles": [{"title": "t", "paragraphs": PARAGRAPHS}]},
    "a paragraph a row": PARAGRAPHS,
}


@pytest.mark.parametrize("way", NESTED)
def test_questions_inside_of_their_texts_are_rows(there: Path, way: str) -> None:
    assert read_questions(json_file(there / "a.json", NESTED[way])) == QUESTIONS


def test_an_answer_that_is_none_is_refused_with_its_line(there: Path) -> None:
    rows = [[c, q, CELLS["as JSON"](*texts_and_starts(answers))] for c, q, answers in QUESTIONS * 2]
    rows[2][2] = '{"text": ["Bern"], "answer_start": ["seven"]}'

    with pytest.raises(DataError, match=r"a\.csv, line 4: column 'answers': the answers hold 'seven'"):
        read(csv_file(there / "a.csv", ["context", "question", "answers"], rows))


# Texts that belong together

PAIRS = [
    (f"A cat sits in garden {n}.", f"There is a cat in garden {n}.", f"Nobody is at home {n}.")
    for n in range(30)
]


def columns_of(table: Table) -> dict[str, list[Any]]:
    return {role: table.values(name) for role, name in table.layout.columns.items()}


@pytest.mark.parametrize("name", ["texts", "sentences", None])
def test_two_texts_in_a_list_and_a_number_are_for_regression(there: Path, name: str | None) -> None:
    rows = [
        [a, b, n / 30] if name is None else {name: [a, b], "score": n / 30}
        for n, (a, b, _) in enumerate(PAIRS)
    ]
    found = understood(json_lines(there / "a.jsonl", rows))

    assert found.task.name == "regression"
    assert found.table.values(found.columns["text2"]) == [b for _, b, _ in PAIRS]


def test_two_texts_in_a_list_without_a_label_belong_together(there: Path) -> None:
    table = read(json_lines(there / "a.jsonl", [[a, b] for a, b, _ in PAIRS]))

    assert table.layout.task == "embedding"
    assert columns_of(table) == {"text": [a for a, *_ in PAIRS], "text2": [b for _, b, _ in PAIRS]}


def test_three_texts_are_one_that_belongs_and_one_that_does_not(there: Path) -> None:
    table = read(json_file(there / "a.json", [list(row) for row in PAIRS]))

    assert table.layout.task == "embedding"
    assert list(columns_of(table).values()) == [list(column) for column in zip(*PAIRS, strict=True)]


def test_a_set_of_texts_is_a_row_for_each_beside_the_first(there: Path) -> None:
    table = read(
        json_lines(
            there / "a.jsonl", [{"set": ["one cat", "two cats", "three cats"]}, {"set": ["a dog", "dogs"]}]
        )
    )

    assert columns_of(table) == {
        "text": ["one cat", "one cat", "a dog"],
        "text2": ["two cats", "three cats", "dogs"],
    }


@pytest.mark.parametrize(
    ("near", "far"), [("pos", "neg"), ("positives", "hard_negatives"), ("positive", "negatives")]
)
def test_a_query_has_a_row_for_each_positive_with_a_negative_beside_it(
    there: Path, near: str, far: str
) -> None:
    rows = [{"query": a, near: [b, b + " Yes."], far: [c, c + " No.", "three"]} for a, b, c in PAIRS]
    table = read(json_lines(there / "a.jsonl", rows))

    assert columns_of(table) == {
        "text": [a for a, *_ in PAIRS for _ in "12"],
        "text2": [text for _, b, _ in PAIRS for text in (b, b + " Yes.")],
        "negative": [text for *_, c in PAIRS for text in (c, c + " No.")],
    }
    assert "30 queries with lists" in said(table)
    assert "30 further negatives are not read" in said(table)
    assert table.line_of.tolist()[:4] == [1, 1, 2, 2]


def test_a_query_without_positives_is_counted_as_empty(there: Path) -> None:
    rows = [{"query": a, "pos": [] if n == 0 else [b], "neg": [c]} for n, (a, b, c) in enumerate(PAIRS)]

    assert understood(json_lines(there / "a.jsonl", rows)).left_out == {"empty": 1}


def test_passages_with_a_text_are_texts(there: Path) -> None:
    rows = [
        {"question": a, "positive_ctxs": [{"title": "t", "text": b}], "hard_negative_ctxs": [{"text": c}]}
        for a, b, c in PAIRS
    ]

    assert list(columns_of(read(json_file(there / "a.json", rows))).values()) == [
        list(column) for column in zip(*PAIRS, strict=True)
    ]


def test_tags_of_parts_of_speech_are_no_positives(there: Path) -> None:
    rows = [{"text": a, "label": "ab"[n % 2], "pos": ["NN", "VB"]} for n, (a, *_) in enumerate(PAIRS)]

    assert understood(json_lines(there / "a.jsonl", rows)).task.name == "text-classification"


def test_more_texts_than_can_be_told_apart_are_refused(there: Path) -> None:
    with pytest.raises(DataError, match="up to 5 texts in a row"):
        read(json_lines(there / "a.jsonl", [{"texts": ["a b"] * 5, "label": n} for n in range(9)]))
