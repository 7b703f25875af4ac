"""Answers that are parts of a text: the forms they come in, and what puts them in their place."""

from collections import Counter
from typing import Any

import pytest

from luthier.data.annotations.answer_places import Answers, answers_of, located

TRIMMED = "an answer with white space around it, trimmed"
PAIRS = "an answer whose start counted characters beyond U+FFFF as two, put right"
BYTES = "an answer whose start counted bytes, put right"
MOVED = "an answer that stood a few characters beside its start, moved"
FAR = "an answer that stood far from its start, moved to its only place"
NEAREST = "an answer that occurs more than once in its text, but not at its start, taken at the nearest place"
FIRST = "an answer that occurs more than once in its text, taken at its first place"
CASE = "an answer in another case than in its text, taken as it stands there"
SPACE = "an answer with other white space than in its text, taken as it stands there"
INSIDE = "an answer that is only found inside a word of its text, taken there"
ABSENT = "an answer that is not in its text"

FORM = (
    "Expected texts with the numbers of the characters they start at, counted from 0, such as "
    "{'text': ['Paris'], 'answer_start': [7]}, or texts alone. Correct it."
)


# Forms


@pytest.mark.parametrize(
    "value",
    [
        {"text": ["Paris", "in Paris"], "answer_start": [12, 9]},
        {"answer_text": ["Paris", "in Paris"], "start": [12.0, "9"]},
        [{"text": "Paris", "answer_start": 12}, {"text": "in Paris", "answer_start": 9}],
        [{"answer_text": "Paris", "start": 12}, {"text": ["in Paris"], "start": [9]}],
        # As Arrow gives objects of a list, which all have all keys:
        [
            {"text": "Paris", "answer_text": None, "answer_start": 12, "start": None},
            {"text": None, "answer_text": "in Paris", "answer_start": None, "start": 9},
        ],
    ],
)
def test_answers_with_starts_are_read_from_every_form(value: object) -> None:
    assert answers_of(value) == Answers(("Paris", "in Paris"), (12, 9))


@pytest.mark.parametrize(
    "value",
    [
        "Paris",
        ["Paris"],
        {"text": "Paris"},
        {"text": ["Paris"], "answer_start": []},
        {"text": ["Paris"], "answer_start": [None]},
        {"text": ["Paris"], "answer_start": [float("nan")]},
        {"text": "Paris", "answer_start": -1},
        [{"text": "Paris", "start": "-1"}],
        [{"text": "Paris"}, {"text": " ", "start": 3}, None],
    ],
)
def test_answers_without_a_start_are_read_from_every_form(value: object) -> None:
    assert answers_of(value) == Answers(("Paris",), (None,))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        [],
        [None],
        [""],
        {},
        {"text": [], "answer_start": []},
        {"text": None, "answer_start": None},
        [{"text": "", "answer_start": -1}],
        {"text": [""], "answer_start": [0]},
    ],
)
def test_a_value_that_holds_nothing_is_a_question_without_an_answer(value: object) -> None:
    assert answers_of(value) == Answers()


def test_an_answer_that_is_a_number_is_its_digits() -> None:
    assert answers_of({"text": [1995], "answer_start": [3]}) == Answers(("1995",), (3,))
    assert answers_of(1995) == Answers(("1995",), (None,))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "True"),
        ([1.5], "1.5"),
        ({"label": "LOC", "start": 3}, "{'label': 'LOC', 'start': 3}"),
        ({"text": "Paris", "start": "three"}, "'three'"),
        ({"text": "Paris", "start": 1.5}, "1.5"),
        ({"text": "Paris", "start": True}, "True"),
        ({"text": "Paris", "start": 2**31}, "2147483648"),
        ({"text": "Paris", "start": "9" * 5000}, f"'{'9' * 79}…"),
    ],
)
def test_what_is_no_answer_is_shown_and_the_right_form_told(value: object, shown: str) -> None:
    with pytest.raises(ValueError) as error:
        answers_of(value)

    assert str(error.value) == f"the answers hold {shown}. {FORM}"


def test_texts_and_starts_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError) as error:
        answers_of({"text": ["a", "b"], "answer_start": [1]})

    assert str(error.value) == (
        "the answers have 2 texts but 1 start: {'text': ['a', 'b'], 'answer_start': [1]}. "
        "Expected a start for each text, or none at all. Correct them."
    )


# Places


def place(context: str, text: str, start: int | None = None) -> tuple[Any, ...]:
    """Where the only answer stands, and the kinds of notes that were made."""
    found = located(context, Answers((text,), (start,)))
    assert all(context[a : a + len(b)] == b for a, b in zip(found.starts, found.texts, strict=True))
    assert set(found.notes.values()) <= {1}
    return *found.starts, *found.texts, *found.notes


def test_answers_that_stand_at_their_starts_are_left_as_they_are() -> None:
    found = located("He lives in Paris.", Answers(("Paris", "in Paris", "ar"), (12, 9, 13)))

    assert (found.starts, found.texts) == ((12, 9, 13), ("Paris", "in Paris", "ar"))
    assert found.notes == Counter()


def test_a_start_is_right_although_the_text_occurs_elsewhere_too() -> None:
    assert place("no, no, no", "no", 4) == (4, "no")
    assert place("aaa", "aa", 1) == (1, "aa")


def test_a_question_without_an_answer_has_none_and_no_note() -> None:
    found = located("He lives in Paris.", Answers())

    assert (found.starts, found.texts, found.notes) == ((), (), Counter())


@pytest.mark.parametrize("start", [0, 9, 11, 14, 28])
def test_an_answer_a_few_characters_beside_its_start_is_moved(start: int) -> None:
    assert place("He lives in Paris, and works in a bank there.", "Paris", start) == (12, "Paris", MOVED)


def test_of_two_places_near_the_one_that_is_a_whole_word_is_taken() -> None:
    assert place("He is the heir.", "he", 9) == (0, "He", MOVED, CASE)
    assert place("At the time he left.", "he", 9) == (12, "he", MOVED)


def test_several_places_near_are_told_and_the_nearest_taken() -> None:
    assert place("Paris or Paris", "Paris", 6) == (9, "Paris", NEAREST)
    assert place("Paris or Paris", "Paris", 3) == (0, "Paris", NEAREST)


def test_an_answer_far_from_its_start_is_moved_to_its_only_place_or_the_nearest_one() -> None:
    filler = "and so on " * 10

    assert place(f"{filler}Paris", "Paris", 3) == (100, "Paris", FAR)
    assert place(f"Paris {filler}{filler}Paris", "Paris", 150) == (206, "Paris", NEAREST)
    assert place("Paris", "Paris", 2**31 - 1) == (0, "Paris", FAR)


def test_a_start_counted_in_bytes_is_counted_anew_however_far() -> None:
    context = "é" * 50 + " Paris or Paris"

    assert place(context, "Paris", len(("é" * 50 + " ").encode())) == (51, "Paris", BYTES)
    assert place(context, "Paris", len(("é" * 50 + " Paris or ").encode())) == (60, "Paris", BYTES)


def test_a_start_that_counted_surrogate_pairs_is_counted_anew() -> None:
    context = "😀" * 50 + " Paris or Paris"

    assert place(context, "Paris", 101) == (51, "Paris", PAIRS)
    assert place(context, "Paris", 110) == (60, "Paris", PAIRS)


def test_case_and_white_space_at_the_start_are_those_of_the_text() -> None:
    context = "He moved to New\n York. New York is large."

    assert place(context, "new york", 23) == (23, "New York", CASE)
    assert place(context, "New York", 12) == (12, "New\n York", SPACE)
    assert place(context, "new york", 12) == (12, "New\n York", CASE, SPACE)
    assert place("é New\u00a0York", "new york", 3) == (2, "New\u00a0York", BYTES, CASE, SPACE)


def test_without_a_start_the_text_is_sought_as_it_is_then_in_any_case_then_with_any_white_space() -> None:
    context = "the end, The End, THE\tEND"

    assert place(context, "The End") == (9, "The End")
    assert place(context, "THE END") == (0, "the end", FIRST, CASE)
    assert place("THE\tEND", "the end") == (0, "THE\tEND", CASE, SPACE)


def test_without_a_start_the_first_of_several_places_is_taken_and_told() -> None:
    assert place("Paris or Paris", "Paris") == (0, "Paris", FIRST)


def test_without_a_start_whole_words_are_taken_before_parts_of_words() -> None:
    assert place("In 1995 he had 5.", "5") == (15, "5")
    assert place("With us in the US", "us") == (5, "us")
    assert place("Within it", "IT") == (7, "it", CASE)
    assert place("In 1995 he left.", "5") == (6, "5", INSIDE)


def test_where_words_are_written_without_spaces_none_is_cut() -> None:
    assert place("私は東京都に住む", "東京") == (2, "東京")


def test_an_answer_that_is_not_in_its_text_is_dropped_and_the_others_stay() -> None:
    found = located("He lives in Paris.", Answers(("Rome", "Paris", "London"), (12, 12, None)))

    assert (found.starts, found.texts) == ((12,), ("Paris",))
    assert found.notes == Counter({ABSENT: 2})


def test_white_space_around_an_answer_is_trimmed() -> None:
    assert place("He lives in Paris .", " Paris ", 11) == (12, "Paris", TRIMMED)
    assert place("He lives in Paris .", "Paris\n") == (12, "Paris", TRIMMED)


def test_signs_of_an_answer_are_taken_as_they_are() -> None:
    assert place("It costs $5.00 (or more).", "$5.00 (or more)") == (9, "$5.00 (or more)")
    assert place("a.b axb", "a.b", 4) == (0, "a.b", MOVED)


def test_an_answer_that_is_blank_is_our_own_bug() -> None:
    with pytest.raises(AssertionError, match="an answer that is blank"):
        located("a", Answers((" ",), (0,)))
