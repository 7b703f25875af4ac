"""Spans in every form, and however their places are counted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luthier.data.annotations.span_places import AS_IS, RawSpan, Reading, find_reading
from luthier.data.read import read
from shapes import csv_file, entities, expected, json_lines, objects, said, sentences, understood

TEXTS = sentences()


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


FORMS: dict[str, Callable[[int, int, str], Any]] = {
    "objects": lambda a, b, kind: {"start": a, "end": b, "label": kind},
    "as texts": lambda a, b, kind: {"start": str(a), "end": float(b), "label": kind},
    "begin and stop": lambda a, b, kind: {"begin": a, "stop": b, "tag": kind},
    "camel case": lambda a, b, kind: {"startOffset": a, "endOffset": b, "displayName": kind},
    "offset and length": lambda a, b, kind: {"category": kind, "offset": a, "length": b - a},
    "an entity and its value": lambda a, b, kind: {"start": a, "end": b, "value": "other", "entity": kind},
    "a list of labels": lambda a, b, kind: {"start": a, "end": b, "labels": [kind]},
    "lists": lambda a, b, kind: [a, b, kind],
    "the label first": lambda a, b, kind: [kind, a, b],
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("cells", [True, False])
def test_spans_are_read_in_every_form(there: Path, name: str, cells: bool) -> None:
    rows = [(text, [FORMS[name](*span) for span in spans]) for text, spans in TEXTS]
    if cells:
        path = csv_file(
            there / "a.csv", ["text", "spans"], [[text, json.dumps(spans)] for text, spans in rows]
        )
    else:
        path = json_lines(there / "a.jsonl", [{"text": text, "spans": spans} for text, spans in rows])

    assert entities(understood(path)) == expected(TEXTS)


def test_spans_as_an_object_of_lists_and_inside_of_an_object_are_read(there: Path) -> None:
    columns = [
        {"start": [a for a, _, _ in own], "end": [b for _, b, _ in own], "label": [kind for *_, kind in own]}
        for _, own in TEXTS
    ]
    rows = [{"text": text, "notes": {"entities": columns[n]}} for n, (text, _) in enumerate(TEXTS)]

    assert entities(understood(json_lines(there / "a.jsonl", rows))) == expected(TEXTS)


def test_spans_in_python_tuples_are_read_from_cells(there: Path) -> None:
    rows = [[text, str(spans)] for text, spans in TEXTS]

    assert entities(understood(csv_file(there / "a.csv", ["Text", "Entities"], rows))) == expected(TEXTS)


def width(text: str, encoding: str) -> int:
    return len(text.encode(encoding)) // (2 if encoding == "utf-16-le" else 1)


def utf16(text: str, a: int, b: int) -> tuple[int, int]:
    return width(text[:a], "utf-16-le"), width(text[:b], "utf-16-le")


def utf8(text: str, a: int, b: int) -> tuple[int, int]:
    return width(text[:a], "utf-8"), width(text[:b], "utf-8")


SMILE = "\U0001f600 "
COUNTED = {
    "UTF-16": (utf16, SMILE),
    "UTF-16 units, with inclusive": (
        lambda text, a, b: (utf16(text, a, b)[0], utf16(text, a, b)[1] - 1),
        SMILE,
    ),
    "bytes": (utf8, "Ça va: "),
    "inclusive": (lambda text, a, b: (a, b - 1), ""),
    "from 1": (lambda text, a, b: (a + 1, b + 1), ""),
    "from 1, with inclusive": (lambda text, a, b: (a + 1, b), ""),
}


@pytest.mark.parametrize("name", COUNTED)
def test_spans_counted_otherwise_are_put_right_and_told(there: Path, name: str) -> None:
    count, before = COUNTED[name]
    texts = sentences(24, before)
    rows = [
        {"text": text, "spans": objects([(*count(text, a, b), kind) for a, b, kind in own])}
        for text, own in texts
    ]
    found = understood(json_lines(there / "a.jsonl", rows))

    assert entities(found) == expected(texts)
    assert name in said(found.table)


@pytest.mark.parametrize("before", ["", "\U0001f600 ", "Ça va: "])
def test_spans_counted_in_characters_stay_as_they_are(there: Path, before: str) -> None:
    texts = sentences(24, before)
    table = read(
        json_lines(there / "a.jsonl", [{"text": text, "spans": objects(own)} for text, own in texts])
    )

    assert table.values("spans") == [objects(own) for _, own in texts]
    assert table.guesses == ()
    assert table.layout.as_in_file


def test_few_texts_with_signs_beyond_the_first_plane_are_enough_to_tell(there: Path) -> None:
    texts = [*sentences(40), *sentences(6, "\U0001f600 ")]
    count, _ = COUNTED["UTF-16"]
    rows = [
        {"text": text, "spans": objects([(*count(text, a, b), kind) for a, b, kind in own])}
        for text, own in texts
    ]

    assert entities(understood(json_lines(there / "a.jsonl", rows))) == expected(texts)


def test_some_spans_that_are_off_are_no_reason_to_move_all() -> None:
    texts = ["Ann met Bob"] * 10
    spans = [[RawSpan(0, 3, "x"), RawSpan(8, 10 if at < 4 else 11, "x")] for at in range(10)]

    assert find_reading(texts, spans) == AS_IS


def test_the_text_of_a_span_decides_where_words_cannot() -> None:
    texts = ["東京都に住む"] * 2
    spans = [[RawSpan(0, 1, "place", "東京")]] * 2

    assert find_reading(texts, spans) == Reading(inclusive=True)


def test_places_in_time_are_no_spans_of_a_text(there: Path) -> None:
    rows = [
        {"text": text, "label": "ab"[n % 2], "segments": [{"start": 3, "end": 9, "label": "speech"}]}
        for n, (text, _) in enumerate(TEXTS)
    ]

    assert read(json_lines(there / "a.jsonl", rows)).layout.task is None
