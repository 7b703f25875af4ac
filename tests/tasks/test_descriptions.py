"""Labels described in words: read from a file, matched with the labels, told and refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.errors import DataError
from luthier.plan.plan import Plan
from luthier.prepare.descriptions import few_labels, read_descriptions
from luthier.tasks.classification.task import Classification
from luthier.tasks.descriptions import Descriptions, describe, says_nothing, told_of_names

CARDS = ("card_arrival", "refund")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Write a file of descriptions and return its name."""
    monkeypatch.chdir(tmp_path)

    def write(content: str, name: str = "words.csv") -> str:
        Path(name).write_text(content, encoding="utf-8")
        return name

    return write


def words(labels: tuple[str, ...], *rows: tuple[str, str]) -> tuple[str, ...]:
    return describe(labels, Descriptions("words.csv", rows)).words


def refusal(labels: tuple[str, ...], *rows: tuple[str, str]) -> str:
    with pytest.raises(DataError) as error:
        words(labels, *rows)
    return str(error.value)


# The file


def test_a_label_and_its_description_are_read_from_a_row_each(file: Callable[..., str]) -> None:
    found = read_descriptions(file('label,description\n"late, or lost",where is it\n"it is ""new""",fresh\n'))

    assert found.rows == (("late, or lost", "where is it"), ('it is "new"', "fresh"))
    assert found.told == ("words.csv: column 'label' names labels, column 'description' describes them.",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("words.tsv", "intent\tmeaning\n1\tgood\n0\tbad\n"),
        ("words.jsonl", '{"intent": 1, "meaning": "good"}\n{"intent": 0, "meaning": "bad"}\n'),
        ("words.json", json.dumps([{"intent": 1.0, "meaning": "good"}, {"intent": 0.0, "meaning": "bad"}])),
    ],
)
def test_other_forms_and_other_names_of_columns_are_read_and_told(
    name: str, content: str, file: Callable[..., str]
) -> None:
    found = read_descriptions(file(content, name))

    assert found.rows == (("1", "good"), ("0", "bad"))
    assert found.told == (
        f"{name}: column 'intent' names labels, column 'meaning' describes them; columns called label and description are taken "
        "first.",
    )


def test_one_row_is_enough_and_an_empty_description_is_told(file: Callable[..., str]) -> None:
    found = read_descriptions(file("label,description\n0,\n1,good things\n"))

    assert found.rows == (("1", "good things"),)
    assert found.told[-1] == "words.csv: column 'description' is empty for '0'."


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            "label,description\n,bad\n0,worse\n",
            "words.csv: column 'label' names no label in line 2, where there is a description. Fill it in.",
        ),
        (
            "label,description\n0, \n1,\n",
            "words.csv: column 'description' describes nothing: it is empty in every row. Write a description of each "
            "label there.",
        ),
        (
            "a,b,c\nx y,2,3\n",
            "words.csv: no column looks like the label. --describe takes a file with the columns label and description; its "
            "columns: 'a', 'b', 'c'.",
        ),
    ],
    ids=["no label", "no description", "other columns"],
)
def test_a_file_that_describes_no_labels_is_refused(
    content: str, told: str, file: Callable[..., str]
) -> None:
    with pytest.raises(DataError) as error:
        read_descriptions(file(content))

    assert str(error.value) == told


# Which description is whose


def test_labels_are_found_by_name_then_without_case_and_separators() -> None:
    assert words(CARDS, ("Card arrival", "where is it"), ("refund", "money back")) == (
        "where is it",
        "money back",
    )
    assert words(("0", "1"), ("1.0", "good"), ("0.0", "bad")) == ("bad", "good")


def test_several_rows_on_a_label_are_joined_in_their_order_and_repeated_ones_count_once() -> None:
    rows = (("refund", "money back"), ("card_arrival", "a card"), ("refund", "was paid twice"))

    assert words(CARDS, *rows, ("refund", "money back")) == ("a card", "money back. was paid twice")


def test_a_label_without_a_description_keeps_its_name_and_a_strange_one_is_told() -> None:
    found = describe(CARDS, Descriptions("words.csv", (("refund", "money back"), ("lost", "is gone"))))

    assert found.words == ("card arrival", "money back")
    assert found.told == (
        "words.csv: describes 1 label of 2, whose words stand for the names.",
        "words.csv: has no description of 'card_arrival': the name stands for each.",
        "words.csv: describes 'lost', which is none of the labels.",
    )


def test_a_misspelt_label_is_refused_with_the_nearest_right_one() -> None:
    assert refusal(CARDS, ("card_arival", "where is it"), ("refund", "money back")) == (
        "words.csv: describes 'card_arival', which is none of the labels, and has no description of 'card_arrival'. Did you mean "
        "'card_arrival'? Write it as the rows do, or leave it out."
    )


def test_a_file_about_other_labels_is_refused() -> None:
    assert refusal(("0", "1"), ("good", "x"), ("bad", "y")) == (
        "words.csv: describes 'good', 'bad', and none of the labels, which are '0', '1'. Write the labels there as the rows have "
        "them."
    )


def test_two_labels_of_the_same_words_are_refused() -> None:
    assert refusal(CARDS, ("card_arrival", "Help!"), ("refund", "help!")) == (
        "words.csv: 'card_arrival' and 'refund' are described by the same words, 'help!', which tell neither from the other. "
        "Describe what is different (--describe FILE)."
    )


# What becomes of them


def test_descriptions_are_what_texts_are_compared_with_and_are_saved_with_the_task() -> None:
    plain = Classification(("0", "1"))
    task = Classification(("0", "1"), words=("bad", "good"))

    assert task.zero_shot is not None
    assert task.zero_shot.prompts == ("bad", "good")
    assert Classification.from_json(json.loads(json.dumps(task.to_json()))) == task
    assert "words" not in plain.to_json(), "older runs are found under their keys"


def test_names_that_say_nothing_are_told() -> None:
    assert told_of_names(("0", "1", "refund"), ()) == (
        "The names of 2 labels ('0', '1') say nothing of what they mean, so zero-shot, which compares texts with the names, "
        "means little; --describe FILE (columns label and description) says it in words.",
    )
    assert told_of_names(("0", "1"), ("bad", "good")) == ()
    assert told_of_names(("good", "class_2"), ("good", "so so")) == ()
    assert [says_nothing(name) for name in ("class 3", "LABEL_2", "-1", "2.5", "t5", "NUM", "5 stars")] == [
        True, True, True, True, True, False, False,
    ]  # fmt: skip


def test_of_two_columns_without_known_names_that_holds_labels_which_holds_those_of_the_rows(
    file: Callable[..., str],
) -> None:
    longer = ("where_is_my_card_that_was_sent", "may_i_have_my_money_back_now")
    found = read_descriptions(file(f"short,long\nlate card,{longer[0]}\nmoney,{longer[1]}\n"))

    assert describe(longer, found).words == ("late card", "money")
    assert describe(("late card", "money"), found).words == longer
    assert "column 'long' names labels" in describe(longer, found).told[0]


def test_words_that_stand_for_nothing_describe_nothing(file: Callable[..., str]) -> None:
    found = read_descriptions(
        file("label,description\nrefund,N/A\ncard_arrival,where a card is\nother,NULL\n")
    )

    assert found.rows == (("card_arrival", "where a card is"),)
    assert any("taken for nothing" in one for one in found.told)
    assert len(read_descriptions("words.csv", missing=["nothing"]).rows) == 3


def test_a_first_line_that_describes_a_label_is_no_header(file: Callable[..., str]) -> None:
    found = read_descriptions(file("refund,money comes back\ncard_arrival,where a card is\n"))

    with pytest.raises(DataError) as error:
        describe(CARDS, found)

    assert str(error.value) == (
        "words.csv: its first line is taken for the names of the columns, and 'refund' there is the label 'refund', which has no "
        "description. Put a line above it: label,description"
    )
    mended = file("label,description\nrefund,money comes back\ncard_arrival,where a card is\n")
    assert describe(CARDS, read_descriptions(mended)).words == ("where a card is", "money comes back")


def test_a_label_may_be_called_as_a_column_of_labels_is(file: Callable[..., str]) -> None:
    found = read_descriptions(file("label,description\nrefund,money comes back\n"))

    assert describe(("label", "refund"), found).words == ("label", "money comes back")


def test_the_encoding_that_the_user_names_is_that_of_the_descriptions_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("words.csv").write_bytes("label,description\nrefund,z\u0142oty\n".encode("cp1250"))
    asked = Plan.build({"data.path": "rows.csv", "data.describe": "words.csv", "data.encoding": "cp1250"})

    found = few_labels(asked).described

    assert found is not None
    assert found.rows == (("refund", "z\u0142oty"),)
