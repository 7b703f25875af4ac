"""The nested file of SQuAD: how it is known, its questions as rows, and what is said of faulty ones."""

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from luthier.data.formats.squad import is_squad, read_squad
from luthier.data.formats.text_files import TextFile
from luthier.data.read import read
from luthier.data.table import Table
from luthier.errors import DataError

EXPECTED = (
    'Expected the form of SQuAD: {"data": [{"title": "…", "paragraphs": [{"context": "…", "qas": [{"id": "…", '
    '"question": "…", "answers": [{"text": "…", "answer_start": 0}]}]}]}]}'
)


@pytest.fixture
def squad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Table]:
    """The table of a file with that content; paths are shown as from its folder."""
    monkeypatch.chdir(tmp_path)

    def squad(content: Any, name: str = "a.json", encoding: str | None = None) -> Table:
        write(content, name)
        return read_squad(Path(name), encoding)

    return squad


@pytest.fixture
def refusal(squad: Callable[..., Table]) -> Callable[[Any], str]:
    def refusal(content: Any) -> str:
        with pytest.raises(DataError) as error:
            squad(content)
        return str(error.value)

    return refusal


def write(content: Any, name: str | Path) -> None:
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())


def asking(*questions: Any, context: str = "Ada lives in Paris.", **article: Any) -> dict[str, Any]:
    """A file with one article of one paragraph with these questions."""
    return {"data": [{**article, "paragraphs": [{"context": context, "qas": list(questions)}]}]}


def question(number: int, **others: Any) -> dict[str, Any]:
    asked = {"id": f"q{number}", "question": f"Question {number}?"}
    return {**asked, "answers": [{"text": "Paris", "answer_start": 13}], **others}


def answers(texts: Iterable[Any] = (), starts: Iterable[Any] = ()) -> dict[str, Any]:
    return {"text": list(texts), "answer_start": list(starts)}


PARIS = answers(["Paris"], [13])


# Rows


def test_a_question_is_a_row_and_its_place_the_number_of_the_question(squad: Callable[..., Table]) -> None:
    table = squad(
        {
            "version": "1.1",
            "data": [
                {
                    "title": "Ada",
                    "paragraphs": [
                        {"context": "Ada lives in Paris.", "qas": [question(1), question(2)]},
                        {"context": "Not asked about.", "qas": []},
                    ],
                },
                {"title": "Bob", "paragraphs": [{"context": "Bob lives in Paris.", "qas": [question(3)]}]},
            ],
        }
    )

    assert table.names == ["id", "title", "context", "question", "answers"]
    assert table.values("id") == ["q1", "q2", "q3"]
    assert table.values("title") == ["Ada", "Ada", "Bob"]
    assert table.values("context") == ["Ada lives in Paris."] * 2 + ["Bob lives in Paris."]
    assert table.values("question") == ["Question 1?", "Question 2?", "Question 3?"]
    assert table.values("answers") == [PARIS] * 3
    assert str(table.place(2)) == "a.json, line 3"
    assert table.guesses == ()


def test_columns_are_of_the_types_that_flat_rows_have(squad: Callable[..., Table]) -> None:
    table = squad(asking(question(1), title="Ada"))
    rows = [
        {
            "id": "q1",
            "title": "Ada",
            "context": "Ada lives in Paris.",
            "question": "Question 1?",
            "answers": PARIS,
        }
    ]
    write(json.dumps(rows), "flat.json")

    assert table.columns.schema == read("flat.json").columns.schema
    assert table.fingerprint == read("flat.json").fingerprint


def test_an_impossible_question_has_no_answer_and_its_plausible_ones_are_passed_over(
    squad: Callable[..., Table],
) -> None:
    plausible = [{"text": "Ada", "answer_start": 0}]

    table = squad(
        asking(
            question(1, is_impossible=False),
            question(2, is_impossible=True, answers=[], plausible_answers=plausible),
            question(3, is_impossible=False, answers=[*plausible, {"text": "Paris", "answer_start": 13}]),
        )
    )

    assert table.values("answers") == [PARIS, answers(), answers(["Ada", "Paris"], [0, 13])]
    assert table.guesses == ()


def test_questions_whose_answers_are_in_doubt_are_told(squad: Callable[..., Table]) -> None:
    unanswered = {"id": "q2", "question": "Who?"}

    table = squad(
        asking(question(1), unanswered, question(3, answers=[]), question(4, is_impossible=True), question(5))
    )

    assert table.values("answers") == [PARIS, answers(), answers(), answers(), PARIS]
    assert table.guesses == (
        "a.json: 2 of 5 questions without an answer, nor marked as impossible, are read as having none in their "
        "text; answers in the file correct it.",
        "a.json: 1 of 5 questions with answers but marked as impossible are read as having none; is_impossible set "
        "to false corrects it.",
    )


def test_a_title_or_an_id_may_be_missing_or_a_number_and_an_answer_without_a_start(
    squad: Callable[..., Table],
) -> None:
    table = squad(asking(question(1, id=262), question(2, id=None, answers=[{"text": "Paris"}]), title=None))

    assert table.values("id") == ["262", None]
    assert table.values("title") == [None, None]
    assert table.values("answers") == [PARIS, answers(["Paris"], [None])]


def test_encoding_and_compression_are_found_as_of_other_files(squad: Callable[..., Table]) -> None:
    content = json.dumps(asking(question(1), context="für die Größe von Paris 😀"), ensure_ascii=False)
    latin = content.replace(" 😀", "").encode("cp1252")

    assert squad(gzip.compress(content.encode()), "a.json.gz").values("context") == [
        "für die Größe von Paris 😀"
    ]
    assert squad(latin).values("context") == ["für die Größe von Paris"]
    assert squad(latin).guesses == ("a.json: is read as cp1252; --encoding NAME corrects it.",)
    assert squad(latin, encoding="cp1252").guesses == ()
    assert squad(asking(question(1), context="😀")).values("context") == ["😀"]


def test_many_questions_are_laid_out_in_batches_and_keep_their_order(squad: Callable[..., Table]) -> None:
    table = squad(asking(*map(question, range(20_000))))

    assert table.values("id") == [f"q{number}" for number in range(20_000)]
    assert table.line_of.tolist() == list(range(1, 20_001))


# The form


@pytest.mark.parametrize(
    "content",
    [
        asking(question(1)),
        {"version": 2.0, "license": 'by "X" {in [2018}', **asking(question(1), title="Ada", rank=3)},
        "\n" + json.dumps(asking(question(1), context="long " * 50_000), indent=4),
        "\ufeff" + json.dumps(asking()),
    ],
)
def test_squad_is_known_by_its_beginning(content: object, tmp_path: Path) -> None:
    write(content, tmp_path / "a.json")

    assert is_squad(TextFile.at(tmp_path / "a.json", None))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        {"data": []},
        {"data": [{"text": "a", "label": "b"}]},
        {"data": [{"text": '"paragraphs": ['}]},
        {"rows": [{"paragraphs": []}]},
        [{"context": "a", "qas": []}],
        [{"data": [{"paragraphs": []}]}],
        {"meta": {"data": [{"paragraphs": []}]}},
        '{"data": [{"' + "a" * 100_000,
        '{"' + '\\"' * 30_000,
    ],
)
def test_other_json_is_not_taken_for_squad(content: object, tmp_path: Path) -> None:
    write(content, tmp_path / "a.json")

    assert not is_squad(TextFile.at(tmp_path / "a.json", None))


# Faults


def test_faulty_parts_are_told_together_each_with_its_place(refusal: Callable[[Any], str]) -> None:
    first = {
        "title": "Ada",
        "paragraphs": [
            {"qas": [question(1)]},
            {"context": 5, "qas": []},
            {"context": "…", "qas": {}},
            "…",
            {"context": "…", "qas": [question(1, question=None), question(2), None]},
        ],
    }

    assert refusal({"data": [first, {"title": ["Bob"], "paragraphs": []}, {"title": "Eve"}]}) == (
        "a.json: 8 parts cannot be read: article 1, paragraph 1 (has no 'context'), article 1, paragraph 2 "
        "('context' is a number, not a text), article 1, paragraph 3 ('qas' is an object, not a list), "
        "article 1, paragraph 4 (is a text, not an object with 'context'), question 1 (has no 'question'), "
        "question 3 (is null, not an object with 'question'), article 2 ('title' is a list, not a text) and "
        f"article 3 (has no 'paragraphs'). {EXPECTED}. Correct them, or remove them."
    )


def test_faulty_answers_are_told_with_their_question(refusal: Callable[[Any], str]) -> None:
    assert refusal(
        asking(
            question(1, answers=[{"answer_start": 13}]),
            question(2, answers=[{"text": "Paris", "answer_start": "here"}]),
            question(3, answers={"text": ["a", "b"], "answer_start": [1]}),
        )
    ) == (
        "a.json: 3 parts cannot be read: question 1 (the answers hold {'answer_start': 13}), question 2 (the answers "
        "hold 'here') and question 3 (the answers have 2 texts but 1 start: {'text': ['a', 'b'], 'answer_start': "
        f"[1]}}). {EXPECTED}. Correct them, or remove them."
    )


def test_half_a_character_is_told_with_its_question(refusal: Callable[[Any], str]) -> None:
    assert refusal(asking(question(1), question(2, question="Who \ud83d?"))) == (
        "a.json: 1 part cannot be read: question 2 (half a character, \\ud83d, without the other half). "
        f"{EXPECTED}. Correct them, or remove them."
    )


def test_a_file_of_another_form_or_without_a_question_is_refused(refusal: Callable[[Any], str]) -> None:
    assert refusal({"rows": []}) == (
        f"a.json: 1 part cannot be read: the file (has no 'data'). {EXPECTED}. Correct them, or remove them."
    )
    assert refusal({"data": []}) == f"a.json: holds no question. {EXPECTED}."
    assert refusal(asking()) == f"a.json: holds no question. {EXPECTED}."


def test_json_that_breaks_is_told_with_its_line(refusal: Callable[[Any], str]) -> None:
    assert refusal('{"data": [\n{"paragraphs": [}]}') == (
        "a.json, line 2, character 17: is not valid JSON (Expecting value). Correct it there."
    )
    deep = "[" * 100_000
    assert refusal(f'{{"data": {deep}') == (
        f"a.json: is nested too deeply, or has a number of thousands of digits. {EXPECTED}."
    )
