"""The metric that suits the right answers of a set."""

import pytest

from luthier.scores.metrics import CHAT, METRICS
from luthier.scores.which_match import Suited, which_match

LONG = " ".join(["word"] * 40)


@pytest.mark.parametrize(
    ("rights", "suited"),
    [
        (['{"a": 1}', "[]"], Suited("json_match", "all 2 answers are JSON")),
        (['{"a": 1}'] * 99 + ["?"], Suited("json_match", "99 of 100 answers are JSON")),
        (["1", "$2,000", "30 %"], Suited("number_match", "all 3 answers are numbers")),
        (["0", "1"] * 50, Suited("number_match", "all 100 answers are numbers")),
        (
            ["positive", "negative "] * 50,
            Suited("exact_match", "100 answers are 2 different ones, none over 8 characters"),
        ),
        (["Paris", "Rome", "Oslo"], Suited("rouge_l", "half of the answers have 1 word or fewer")),
        (
            [f"{LONG} {at}" for at in range(9)],
            Suited("loss", "half of the answers have 41 words or more, and many could be right"),
        ),
        ([LONG] * 9, Suited("loss", "half of the answers have 40 words or more, and many could be right")),
    ],
)
def test_the_metric_follows_from_the_right_answers(rights: list[str], suited: Suited) -> None:
    assert which_match(rights) == suited
    assert CHAT in METRICS[suited.metric].measures


def test_a_decimal_comma_makes_numbers_of_what_else_are_none() -> None:
    assert which_match(["1.234,5", "2,75"], comma=True).metric == "number_match"
    assert which_match(["1.234,5", "2,75"]).metric != "number_match"
