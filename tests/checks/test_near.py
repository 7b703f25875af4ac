"""Near copies are found among many texts, as the resemblance of all pairs would find them."""

import itertools
import random

import numpy as np
import pytest

from luthier.checks.near import ALIKE, FEWEST_SHINGLES, GRAM, near_pairs, normal, sketched
from tiny import messages


def pairs_of(texts: list[str]) -> set[tuple[int, int]]:
    return {(one, two) for one, two in near_pairs(texts, np.zeros(len(texts), np.int64)).tolist()}


def shingles(text: str) -> frozenset[str]:
    text = normal(text)
    return frozenset(text[at : at + GRAM] for at in range(len(text) - GRAM + 1))


def resemblance(one: frozenset[str], two: frozenset[str]) -> float:
    """Broder's, set by set: the reference."""
    if min(len(one), len(two)) < FEWEST_SHINGLES:
        return 0.0
    return len(one & two) / len(one | two)


def varied(text: str, dice: random.Random) -> str:
    words = text.split()
    at = dice.randrange(len(words))
    return " ".join([*words[:at], "really", *words[at:]])


def test_every_text_with_an_earlier_one_like_it_is_found_and_no_other() -> None:
    dice = random.Random(0)
    texts = list(dict(messages(120)))
    texts += [varied(text, dice) for text in texts[:40]]

    found = pairs_of(texts)

    cut = [shingles(text) for text in texts]
    right = {
        (one, two)
        for one, two in itertools.combinations(range(len(texts)), 2)
        if resemblance(cut[one], cut[two]) >= ALIKE
    }
    assert found <= right
    assert len({two for _, two in found}) >= 0.97 * len({two for _, two in right})


def test_a_text_has_a_pair_in_every_source_that_has_one() -> None:
    text = "Where is my parcel, it was sent a week ago"
    texts = [text + ".", text + "!", text + "?", text + " now."]

    pairs = near_pairs(texts, np.array([0, 0, 1, 1])).tolist()

    sources = {two: {0 if one < 2 else 1 for one, other in pairs if other == two} for _, two in pairs}
    assert sources == {1: {0}, 2: {0}, 3: {0, 1}}


@pytest.mark.parametrize("words", [5, 40, 400])
def test_the_resemblance_is_that_of_the_sets_of_shingles(words: int) -> None:
    dice = random.Random(words)
    parts = ["wood", "neck", "string", "bow", "peg"]
    texts = [" ".join(f"{dice.choice(parts)}{dice.randrange(99)}" for _ in range(words)) for _ in range(4)]
    texts += [varied(text, dice) for text in texts]
    pairs = np.array(list(itertools.combinations(range(8), 2)))

    found = sketched(texts).resemblance(pairs)

    exact = [resemblance(shingles(texts[one]), shingles(texts[two])) for one, two in pairs.tolist()]
    assert found == pytest.approx(exact, abs=1e-6 if words < 40 else 0.08)


def test_a_text_in_other_case_is_the_same_text() -> None:
    assert pairs_of(
        ["Where is my parcel, please?", "WHERE is my  parcel, please?", "The neck is cracked."]
    ) == {(0, 1)}


@pytest.mark.parametrize("short", ["", "ok", "fine", "so good"])
def test_short_texts_resemble_nothing(short: str) -> None:
    assert pairs_of([short, short, "a much longer text that stands alone"]) == set()


def test_ten_thousand_texts_alike_are_no_hundred_million_comparisons() -> None:
    texts = [f"Your order number {number:05d} was sent to the address you gave us" for number in range(3_000)]

    assert len(pairs_of(texts)) > 1_000


def test_the_characters_of_one_text_do_not_reach_into_the_next() -> None:
    alone = pairs_of(["the first text of all", "the second one here"])
    shuffled = pairs_of(["the second one here", "x" * 50, "the first text of all"])

    assert alone == shuffled == set()


def test_lone_surrogates_are_no_trouble() -> None:
    assert pairs_of(["a text with \ud800 in it", "a text with \ud800 in it!"]) == {(0, 1)}
