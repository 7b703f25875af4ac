"""Cloze questions: made of texts alone, in the likeness of the user's own."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest

from luthier.tasks.question_answering.cloze import (
    LONGEST_STRETCH,
    MOST_WORDS,
    OF_A_STRETCH,
    Cloze,
    cloze_questions,
    kind_of,
    stretches_of,
)
from luthier.tasks.question_answering.sentences import WORD

TEXTS = [
    "The workshop in Cremona was opened by Andrea Guarneri in 1654. It has 3 rooms, and its varnish dries slowly in the cellar.",
    "Since 1700 every scroll has been carved by hand. No apprentice of Antonio Stradivari ever wrote the recipe down for others.",
]
KNOWN = [
    ("When was the shop opened?", "in 1667"),
    ("Who opened it?", "Nicola Amati"),
    ("Where is it?", "beside the river"),
]


def made(
    count: int = 200, texts: Sequence[str] = TEXTS, known: Sequence[tuple[str, str]] = KNOWN, seed: int = 0
) -> list[Cloze]:
    return list(islice(cloze_questions(texts, known, np.random.default_rng(seed)), count))


def test_the_answer_stands_where_it_is_said_to_and_its_words_are_not_asked_with() -> None:
    for one in made():
        assert one.context in TEXTS
        assert one.context[one.start : one.start + len(one.answer)] == one.answer
        sentence = next(
            text
            for text in one.context.split(". ")
            if one.answer in text and all(w in text for w in said(one))
        )
        left = WORD.findall(sentence.replace(one.answer, " ", 1))
        assert all(word in left for word in said(one))
        assert len(said(one)) <= MOST_WORDS


def said(one: Cloze) -> list[str]:
    """The words of a question behind its opening."""
    return WORD.findall(one.question)[2:]


def test_questions_begin_as_the_users_own_do() -> None:
    assert {" ".join(one.question.split()[:2]) for one in made()} <= {
        "When was",
        "Who opened",
        "Where is",
        "When was?",
    }


@pytest.mark.parametrize("known", KNOWN, ids=lambda one: kind_of(one[1]))
def test_answers_are_of_the_kind_of_the_users_own(known: tuple[str, str]) -> None:
    text = "In this town Andrea Guarneri made 1654 violins with seven others."

    found = made(texts=[text], known=[known])

    wanted = kind_of(known[1])
    if wanted == "other":
        assert {len(one.answer.split()) for one in found} == {3}, "as many words as the user's"
    else:
        assert {one.answer for one in found} == {{"number": "1654", "name": "Andrea Guarneri"}[wanted]}


def test_where_a_sentence_has_nothing_of_the_kind_as_many_words_are_left_out() -> None:
    found = made(texts=["the varnish dries slowly in the dark cellar"], known=[KNOWN[0]])

    assert {len(one.answer.split()) for one in found} == {2}


def test_as_many_have_no_answer_as_of_the_users_own() -> None:
    found = made(400, TEXTS, [*KNOWN, ("Why?", "")])

    none = [one for one in found if not one.answer]
    assert 0.05 < len(none) / len(found) < 0.3, (
        "a quarter, but for those that would be asked about their own text"
    )
    assert all(one.start == -1 for one in none)


def test_a_question_without_an_answer_is_asked_about_a_text_that_does_not_hold_it() -> None:
    texts = ["Alpha beta gamma delta epsilon zeta eta.", "One two three four five six seven."]

    for one in made(60, texts, [("Why?", "")]):
        other = texts[1 - texts.index(one.context)]
        words = said(one)
        assert all(word in other for word in words)


def test_a_seed_gives_the_same_questions_and_another_one_others() -> None:
    assert made(seed=1) == made(seed=1) != made(seed=2)


def test_all_texts_are_asked_about_alike_often_and_none_too_often() -> None:
    found = made(10_000)

    counts = [sum(one.context == text for one in found) for text in TEXTS]
    assert counts == [OF_A_STRETCH, OF_A_STRETCH]
    assert len(made(7)) == 7


def test_a_text_that_is_there_twice_counts_once() -> None:
    assert made(10_000, TEXTS * 3) == made(10_000)


def test_a_long_text_is_read_in_stretches_of_whole_sentences() -> None:
    sentences = [f"Sentence number {at} tells of the {at % 7} violins in that shop." for at in range(100)]

    found = stretches_of(" ".join(sentences))

    assert all(len(one.text) <= LONGEST_STRETCH for one in found)
    assert " ".join(one.text.strip() for one in found) == " ".join(sentences)
    assert sum(len(one.sentences) for one in found) == 100


def test_texts_without_a_sentence_of_some_words_give_none() -> None:
    assert made(10, ["Too short.", "", "This is it. And that."]) == []


def test_a_text_without_marks_is_cut_between_words() -> None:
    text = "violin and varnish " * 500

    found = stretches_of(text)

    assert all(len(one.text) <= LONGEST_STRETCH for one in found)
    assert "".join(one.text for one in found).split() == text.split()


def test_a_character_of_a_language_without_white_space_is_a_word() -> None:
    text = "小提琴是在克雷莫纳制造的。它的清漆干得很慢！"

    found = made(40, [text], [("琴在哪里?", "克雷莫纳")])

    assert {len(one.answer) for one in found} == {4}
    assert {one.question[:3] for one in found} == {"琴 在"}


def test_a_stretch_of_a_text_whose_characters_are_tokens_has_half_as_many() -> None:
    found = stretches_of("漆は地下室でゆっくりと乾く。" * 60)

    assert len(found) == 3
    assert all(LONGEST_STRETCH / 2 - 14 < len(one.text) <= LONGEST_STRETCH / 2 for one in found[:-1])
