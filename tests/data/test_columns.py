"""Which columns hold text and label: named, known by name, or known by what they hold; and why."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from luthier.data import table as module
from luthier.data.column_facts import Facts, facts_of
from luthier.data.columns import guess_text_and_label, label_beside, texts_beside
from luthier.data.pair_names import paired
from luthier.data.table import Table
from luthier.data.text_pairs import guess_pair
from luthier.errors import DataError
from luthier.tasks.guess import guess_kind

TEXTS = [f"a longer remark, number {number}" for number in range(60)]
LABELS = ["good", "bad", "so so"] * 20


def table(**columns: Any) -> Table:
    rows = len(next(iter(columns.values())))
    return Table(
        pa.table(columns),
        (Path("reviews.csv"),),
        np.zeros(rows, np.int64),
        np.arange(2, rows + 2, dtype=np.int64),
    )


def refusal(rows: Table, **named: Any) -> str:
    with pytest.raises(DataError) as error:
        guess_text_and_label(rows, **named)
    return str(error.value)


# Named


def test_columns_that_are_named_are_taken() -> None:
    guess = guess_text_and_label(table(text=TEXTS, label=LABELS, a=TEXTS, b=LABELS), text="a", label="b")

    assert (guess.text, guess.label) == ("a", "b")
    assert guess.reasons == {"text": "column 'a', as named", "label": "column 'b', as named"}


def test_a_column_that_is_named_for_one_thing_is_not_guessed_for_the_other() -> None:
    by_content = guess_text_and_label(table(label=TEXTS, verdict=LABELS), text="label")
    by_name = guess_text_and_label(table(text=LABELS, review=TEXTS), label="text")

    assert (by_content.text, by_content.label) == ("label", "verdict")
    assert (by_name.text, by_name.label) == ("review", "text")


def test_a_number_may_be_named_as_text_and_a_list_of_strings_as_label() -> None:
    guess = guess_text_and_label(table(n=[1, 2], tags=[["a"], ["a", "b"]]), text="n", label="tags")

    assert (guess.text, guess.label) == ("n", "tags")


@pytest.mark.parametrize("role", ["text", "label"])
def test_an_unknown_name_is_answered_with_the_nearest_and_all_columns(role: str) -> None:
    assert refusal(table(text=TEXTS, label=LABELS, rating=LABELS), **{role: "ratings"}) == (
        "reviews.csv: there is no column 'ratings'. Did you mean 'rating'? "
        f"Columns: 'text', 'label', 'rating'. Name one with --{role} COLUMN."
    )


def test_the_text_cannot_be_a_list_or_an_object() -> None:
    rows = table(messages=[["hi"], ["ho"]], answers=[{"text": "a"}, {"text": "b"}], title=["x", "y"])

    assert refusal(rows, text="messages") == (
        "reviews.csv: column 'messages' holds lists and cannot be the text. Name another with --text COLUMN. Others: 'title'."
    )
    assert refusal(rows, text="answers") == (
        "reviews.csv: column 'answers' holds objects and cannot be the text. Name another with --text COLUMN. Others: 'title'."
    )


def test_the_label_cannot_be_an_object_or_a_list_of_objects() -> None:
    rows = table(text=["a", "b"], answers=[{"text": "a"}, {"text": "b"}], spans=[[{"start": 1}], []])

    assert refusal(rows, label="answers") == (
        "reviews.csv: column 'answers' holds objects and cannot be the label. Name another with --label COLUMN. Others: 'text'."
    )
    assert refusal(rows, label="spans") == (
        "reviews.csv: column 'spans' holds lists and cannot be the label. Name another with --label COLUMN. Others: 'text'."
    )


def test_one_column_cannot_be_both() -> None:
    assert refusal(table(text=TEXTS, label=LABELS), text="text", label="text") == (
        "reviews.csv: column 'text' cannot be both text and label. Name two columns."
    )


# By name


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        (["text", "label", "fine_label"], "text", "label"),
        (["title", "Review", "stars", "Category"], "Review", "Category"),
        (["title", "description", "class"], "description", "class"),
        (["id", "sentence", "Sentiment"], "sentence", "Sentiment"),
    ],
)
def test_well_known_names_are_recognised_the_most_telling_first(
    columns: list[str], text: str, label: str
) -> None:
    guess = guess_text_and_label(table(**{name: ["a", "b"] for name in columns}))

    assert (guess.text, guess.label) == (text, label)
    assert guess.reasons == {
        "text": f"column {text!r}, by its name",
        "label": f"column {label!r}, by its name",
    }


def test_a_name_does_not_make_a_text_of_what_is_none() -> None:
    guess = guess_text_and_label(
        table(text=[["a", "b"]] * 60, message=list(range(60)), remark=TEXTS, label=LABELS)
    )

    assert guess.text == "remark"


def test_a_label_known_by_name_may_be_a_list() -> None:
    assert guess_text_and_label(table(text=TEXTS, labels=[["a"], ["a", "b"]] * 30)).label == "labels"


# By content


def test_the_longest_texts_that_are_mostly_different_are_the_text() -> None:
    rows = table(
        code=[f"B00-{number:060}" for number in range(60)],
        when=["2024-01-31 08:00:00 " * 3 + str(number) for number in range(60)],
        advert=["the same long advertisement on every row of the table"] * 60,
        short=[f"remark {number}" for number in range(60)],
        long=TEXTS,
        label=LABELS,
    )

    guess = guess_text_and_label(rows)

    assert guess.text == "long"
    assert guess.reasons["text"] == (
        "column 'long', because its texts are the longest, 26 characters on average"
    )


def test_texts_need_no_spaces_where_the_script_has_none() -> None:
    assert (
        guess_text_and_label(table(c1=[f"声音很好{number}" for number in range(60)], label=LABELS)).text
        == "c1"
    )


def test_the_one_column_whose_values_occur_again_and_again_is_the_label() -> None:
    rows = table(
        id=[str(number) for number in range(60)],
        lang=["en", "de"] * 30,
        constant=["x"] * 60,
        price_paid=[1.5, 2.5] * 30,
        remark=TEXTS,
        opinion=LABELS,
    )

    guess = guess_text_and_label(rows)

    assert guess.label == "opinion"
    assert guess.reasons["label"] == ("column 'opinion', because it has 3 values that occur again and again")


def test_which_of_two_columns_is_to_be_learnt_is_asked() -> None:
    rows = table(remark=TEXTS, shop=["north", "south", "east", "west"] * 15, opinion=LABELS)
    amounts = table(remark=TEXTS, points=list(range(20)) * 3, price=[1.5, 2.5, 3.5] * 20)

    assert refusal(rows) == (
        "reviews.csv: several columns may be what is to be learnt: 'shop' (4 different values), 'opinion' (3 different values). "
        "Say which with --label COLUMN."
    )
    assert "'points' (20 different values), 'price' (3 different values). Say which with --label" in refusal(
        amounts
    )


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("airline_sentiment", ["airline_sentiment_confidence", "airline"]),
        ("Class Index", ["shop"]),
        ("Score", ["HelpfulnessNumerator", "Time"]),
        ("reviewRating", ["verified"]),
    ],
)
def test_a_label_is_known_by_a_word_of_its_name(name: str, others: list[str]) -> None:
    rows = table(**{other: ["p", "q", "r"] * 20 for other in others}, remark=TEXTS, **{name: LABELS})

    assert guess_text_and_label(rows).label == name


def test_a_column_that_says_the_same_as_the_label_is_no_question() -> None:
    rows = table(remark=TEXTS, genre_name=LABELS, genre_code=["2", "0", "1"] * 20)

    assert guess_text_and_label(rows).label == "genre_name"


def test_columns_of_noughts_and_ones_are_labels_together() -> None:
    marks = {"damaged": [0, 1, 1] * 20, "urgent": ["yes", "no"] * 30, "late": [True, False, False, True] * 15}

    assert guess_text_and_label(table(remark=TEXTS, **marks)).label == "damaged,urgent,late"


def test_the_text_is_the_column_with_words_not_the_one_with_a_name() -> None:
    rows = table(
        title=["a short one"] * 10 + ["some other"] * 50, review_body=TEXTS, stars=["1", "2", "3"] * 20
    )
    titles = [f"title {number}" for number in range(60)]

    assert guess_text_and_label(rows).text == "review_body"
    assert guess_text_and_label(table(title=titles, remark=TEXTS, label=LABELS)).text == "remark"
    assert (
        guess_text_and_label(table(text=TEXTS, translation=[t * 3 for t in TEXTS], label=LABELS)).text
        == "text"
    )


def test_empty_and_missing_values_do_not_count_as_labels() -> None:
    rows = table(remark=TEXTS, note=["", None, " "] * 20, opinion=["good", "bad", None] * 20)

    assert guess_text_and_label(rows).label == "opinion"


def test_when_no_label_is_found_the_columns_are_listed_with_their_different_values() -> None:
    assert refusal(table(text=TEXTS, id=list(range(60)), constant=["x"] * 60)) == (
        "reviews.csv: no column looks like the label. Name it with --label COLUMN. "
        "Columns, and how many different values each has: 'text' 60, 'id' 60, 'constant' 1."
    )


def test_when_no_text_is_found_the_columns_are_listed_with_their_different_values() -> None:
    assert refusal(table(label=LABELS, id=[f"{number}" for number in range(60)])) == (
        "reviews.csv: no column looks like the text: none holds several words in most rows, and mostly different ones. "
        "Name it with --text COLUMN. "
        "Columns, and how many different values each has: 'label' 3, 'id' 60."
    )


def test_of_many_columns_the_first_are_listed_and_of_a_long_name_the_beginning() -> None:
    columns = {"x" * 500: ["a"] * 2} | {f"c{number}": ["a"] * 2 for number in range(30)}

    message = refusal(table(**columns))

    assert message.endswith("'c18' 1 and 11 more columns.")
    assert len(message) < 500
    assert len(refusal(table(**columns), text="y" * 500)) < 500


def test_a_large_table_is_judged_by_a_sample_and_that_is_said() -> None:
    rows = table(c1=[f"remark {number}" for number in range(50_000)], c2=["good", "bad"] * 25_000)

    guess = guess_text_and_label(rows)

    assert (guess.text, guess.label) == ("c1", "c2")
    assert guess.reasons == {
        "text": "column 'c1', because its texts are the longest, 12 characters on average "
        "(20,000 of 50,000 rows were looked at)",
        "label": "column 'c2', because it has 2 values that occur again and again "
        "(20,000 of 50,000 rows were looked at)",
    }


# Looked at once


@pytest.mark.parametrize(
    "columns",
    [
        {"one": TEXTS, "two": [f"{text}, and more of it" for text in TEXTS], "verdict": LABELS},
        {"text": TEXTS, "text2": TEXTS[::-1], "verdict": LABELS},
    ],
    ids=["a text", "a pair"],
)
def test_a_command_looks_at_each_column_of_a_table_once(
    columns: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    rows = table(**columns)

    def look(column: pa.Field, texts: Sequence[str]) -> Facts:
        looked.append(column.name)
        return facts_of(column, texts)

    monkeypatch.setattr(module, "facts_of", look)

    asked = {"image": None, "text": "one" if "one" in columns else None, "text2": None, "label": None}
    kind, _ = guess_kind(rows, asked)
    found = kind.find(rows, asked).columns
    texts_beside(rows, found["text"], list(found.values()))

    assert sorted(looked) == sorted(columns)


def test_the_label_beside_an_image_is_found_without_a_look_at_the_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []
    rows = table(photo=[b"\xff\xd8" * 500] * 60, verdict=LABELS)

    def look(column: pa.Field, texts: Sequence[str]) -> Facts:
        looked.append(column.name)
        return facts_of(column, texts)

    monkeypatch.setattr(module, "facts_of", look)

    assert label_beside(rows, ["photo"])[0] == "verdict"
    assert looked == ["verdict"]


def test_ten_thousand_columns_are_looked_through_in_seconds() -> None:
    begin = time.monotonic()

    assert paired([f"c{number}" for number in range(3, 10_000)] + ["q1", "q2"]) == [("q1", "q2")]
    assert time.monotonic() - begin < 5  # each was once compared with every other, which took a minute


def test_one_column_cannot_be_both_texts_of_a_pair() -> None:
    with pytest.raises(
        DataError, match=r"column 'text' cannot be both text and text2\. Name different columns\."
    ):
        guess_pair(table(text=TEXTS, verdict=LABELS), {"text": "text", "text2": "text"})


def test_numbers_of_two_files_that_no_type_holds_are_refused() -> None:
    large = table(label=pa.array([2**64 - 1] * 3, pa.uint64()))

    with pytest.raises(DataError, match=r"reviews\.csv.*: the values of a column do not go together"):
        Table.join([table(label=pa.array([0.5] * 3)), large])
