"""Words with tags: a word on each row, lists in cells, spans that count words."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.data.read import read
from luthier.data.table import Table
from luthier.data.tags import words_of
from luthier.errors import DataError
from shapes import csv_file, entities, expected, json_file, json_lines, labels, said, sentences, understood

TEXTS = sentences()


def tagged(text: str, spans: Sequence[tuple[int, int, str]]) -> tuple[list[str], list[str]]:
    words, tags = [], []
    for begin, end in words_of(text):
        inside = next((span for span in spans if span[0] <= begin < span[1]), None)
        words.append(text[begin:end])
        tags.append("O" if inside is None else f"{'B' if begin == inside[0] else 'I'}-{inside[2]}")
    return words, tags


ROWS = [tagged(*row) for row in TEXTS]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def word_rows(*ways: Callable[[int, int, str, str], Any]) -> list[list[Any]]:
    """A row for each word: what each way makes of the sentence's number, the word's number, the word and the tag."""
    return [
        [way(sentence, at, word, tag) for way in ways]
        for sentence, (words, tags) in enumerate(ROWS)
        for at, (word, tag) in enumerate(zip(words, tags, strict=True))
    ]


def word(sentence: int, at: int, word: str, tag: str) -> str:
    return word


def tag(sentence: int, at: int, word: str, tag: str) -> str:
    return tag


NUMBERED = {
    "in the first row": ("Sentence #", lambda sentence, at, *_: f"Sentence: {sentence}" if at == 0 else ""),
    "in every row": ("sentence_id", lambda sentence, *_: sentence),
    "as numbers with a point": ("sentence_idx", lambda sentence, *_: f"{sentence}.0"),
    "by the number of the word": ("idx", lambda sentence, at, *_: at),
    "by an unknown name": ("zzz", lambda sentence, *_: f"q{sentence}"),
}


@pytest.mark.parametrize("name", NUMBERED)
def test_words_on_rows_of_their_own_become_sentences(there: Path, name: str) -> None:
    column, number = NUMBERED[name]
    path = csv_file(
        there / "a.csv", [column, "Word", "POS", "Tag"], word_rows(number, word, lambda *_: "NN", tag)
    )
    found = understood(path)

    assert entities(found) == expected(TEXTS)
    assert found.columns == {"text": "Word", "label": "Tag"}
    assert f"rows of one word each are read as {len(TEXTS)} sentences" in said(found.table)


def test_the_line_of_a_sentence_is_that_of_its_first_word(there: Path) -> None:
    table = read(
        csv_file(
            there / "a.csv", ["sentence", "word", "tag"], word_rows(lambda sentence, *_: sentence, word, tag)
        )
    )

    assert table.line_of.tolist()[:2] == [2, 2 + len(ROWS[0][0])]


@pytest.mark.parametrize("blank", [",\n", "\n"])
def test_blank_rows_and_blank_lines_end_a_sentence(there: Path, blank: str) -> None:
    lines = ["word,label\n"]
    for words, tags in ROWS:
        lines += [f'"{one}",{other}\n' for one, other in zip(words, tags, strict=True)] + [blank]
    (there / "a.csv").write_text("".join(lines), encoding="utf-8")

    assert entities(understood(there / "a.csv")) == expected(TEXTS)


def test_words_on_rows_of_json_lines_become_sentences_too(there: Path) -> None:
    rows = [
        dict(zip(("sent", "token", "label"), row, strict=True))
        for row in word_rows(lambda s, *_: s, word, tag)
    ]

    assert entities(understood(json_lines(there / "a.jsonl", rows))) == expected(TEXTS)


def test_words_without_a_sign_of_their_sentences_are_refused_with_what_to_add(there: Path) -> None:
    path = csv_file(there / "a.csv", ["word", "tag"], word_rows(word, tag))

    with pytest.raises(DataError, match=r"nothing says where a sentence begins\. Add a column 'sentence'"):
        read(path)


def test_of_several_columns_of_tags_the_one_named_so_is_learnt(there: Path) -> None:
    ways = (lambda s, *_: s, word, tag, lambda s, at, *_: "B-NP" if at % 2 else "O")
    found = understood(csv_file(there / "a.csv", ["sentence", "word", "tag", "chunk"], word_rows(*ways)))

    assert entities(found) == expected(TEXTS)


def test_types_without_marks_are_entities_and_told(there: Path) -> None:
    ways = (lambda s, *_: s, word, lambda s, at, word, tag: tag.removeprefix("B-").removeprefix("I-"))
    found = understood(csv_file(there / "a.csv", ["sentence_id", "word", "tag"], word_rows(*ways)))

    assert entities(found) == expected(TEXTS)
    assert "the tags in 'tag' have no marks" in said(found.table)


def test_words_to_be_tagged_become_sentences_without_tags(there: Path) -> None:
    path = csv_file(
        there / "a.csv", ["Sentence #", "Word"], word_rows(lambda s, at, *_: f"Sentence: {s}", word)
    )

    assert read(path).values("Word") == [words for words, _ in ROWS]


def test_a_word_beside_its_sentence_is_no_row_of_a_sentence(there: Path) -> None:
    rows = [[text, text.split()[3], "ab"[n % 2]] for n, (text, _) in enumerate(TEXTS)]
    found = understood(csv_file(there / "a.csv", ["sentence", "word", "label"], rows))

    assert labels(found) == [(text, "ab"[n % 2]) for n, (text, _) in enumerate(TEXTS)]


WRITTEN: dict[str, Callable[[list[str]], str]] = {
    "Python": str,
    "JSON": json.dumps,
    "numpy": lambda items: str(np.array(items, dtype=object)),
    "an array": lambda items: f"array({items}, dtype=object)",
    "blanks": " ".join,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_words_and_tags_are_lists_in_cells_however_they_are_written(there: Path, name: str) -> None:
    write = WRITTEN[name]
    rows = [
        [n, write(words), write(["NN"] * len(words)), write(tags)] for n, (words, tags) in enumerate(ROWS)
    ]
    found = understood(csv_file(there / "a.csv", ["id", "tokens", "POS", "ner_tags"], rows))

    assert entities(found) == expected(TEXTS)
    assert found.columns == {"text": "tokens", "label": "ner_tags"}


def test_lists_that_numpy_cut_short_are_refused(there: Path) -> None:
    rows = [[str(words), "['O' 'O' ... 'O']"] for words, _ in ROWS]

    with pytest.raises(DataError, match=r"a\.csv, line 2: column 'tags' .* numpy shortened it"):
        read(csv_file(there / "a.csv", ["tokens", "tags"], rows))


def test_tags_that_are_numbers_are_refused_for_want_of_their_names(there: Path) -> None:
    rows = [[str(words), str([int(tag != "O") for tag in tags])] for words, tags in ROWS]

    with pytest.raises(DataError, match="has the tag"):
        understood(csv_file(there / "a.csv", ["tokens", "ner_tags"], rows))


@pytest.mark.parametrize("pairs", [True, False])
def test_sentences_that_are_lists_of_words_with_tags_are_rows(there: Path, pairs: bool) -> None:
    rows = [[list(one) for one in zip(*row, strict=True)] if pairs else list(row) for row in ROWS]

    assert entities(understood(json_file(there / "a.json", rows))) == expected(TEXTS)


def counted_in_words(tags: Sequence[str], inclusive: bool) -> list[list[Any]]:
    found, begin = [], None
    for at, tag in enumerate([*tags, "O"]):
        if begin is not None and not tag.startswith("I-"):
            found.append([begin, at - inclusive, tags[begin][2:]])
            begin = None
        begin = at if tag.startswith("B-") else begin
    return found


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("text", [True, False])
def test_spans_that_count_words_are_told_from_those_that_count_characters(
    there: Path, inclusive: bool, text: bool
) -> None:
    rows = [
        {"tokens": words, "ner": counted_in_words(tags, inclusive)} | ({"text": TEXTS[n][0]} if text else {})
        for n, (words, tags) in enumerate(ROWS)
    ]
    found = understood(json_lines(there / "a.jsonl", rows))

    assert entities(found) == expected(TEXTS)
    assert "count the words of 'tokens'" in said(found.table)


def test_spans_in_characters_beside_words_are_those_of_the_text(there: Path) -> None:
    rows = [
        {"text": text, "tokens": words, "label": spans}
        for (text, spans), (words, _) in zip(TEXTS, ROWS, strict=True)
    ]
    found = understood(json_lines(there / "a.jsonl", rows))

    assert entities(found) == expected(TEXTS)
    assert found.columns["text"] == "text"


def spans_of_words(there: Path, spans: Sequence[Any]) -> Table:
    words = ["Yesterday", "Anna", "Smith", "met", "Bob", "Jones", "again"]
    rows = [{"tokens": words, "ner": own} for own in spans]
    return read(json_lines(there / "w.jsonl", rows))


def test_one_span_that_is_empty_does_not_add_a_word_to_all_others(there: Path) -> None:
    whole = [[1, 3, "PER"], [3, 7, "REST"]]

    with pytest.raises(DataError, match=r"line 5: .*empty"):
        spans_of_words(there, [whole, whole, whole, whole, [[1, 1, "PER"]]])


def test_names_of_two_words_are_whole_where_no_span_is_of_one_word(there: Path) -> None:
    table = spans_of_words(there, [[[1, 2, "PER"], [4, 5, "PER"]]] * 6)

    assert table.values("ner")[0] == ["O", "B-PER", "I-PER", "O", "B-PER", "I-PER", "O"]


def test_spans_side_by_side_end_with_the_word_after_them(there: Path) -> None:
    table = spans_of_words(there, [[[1, 2, "FIRST"], [2, 3, "LAST"]]] * 6)

    assert table.values("ner")[0] == ["O", "B-FIRST", "B-LAST", "O", "O", "O", "O"]


def test_types_without_marks_are_tags_beside_a_first_column_that_groups_words(there: Path) -> None:
    words, tags = ["I", "met", "Anna", "in", "Oslo"], ["O", "O", "PER", "O", "LOC"]
    rows = [[f"d{n}", word, tag] for n in range(9) for word, tag in zip(words, tags, strict=True)]

    table = read(csv_file(there / "w.csv", ["doc", "tok", "ent"], rows))

    assert table.values("tok") == [words] * 9
    assert table.values("ent")[0] == ["O", "O", "I-PER", "O", "I-LOC"]
