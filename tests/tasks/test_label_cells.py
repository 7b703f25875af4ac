"""Several labels in a cell: which are taken apart, which are asked about, and which are the name of one label."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from luthier.tasks.classification.label_cells import taken_apart

TOPICS = ("delivery", "damaged", "refund", "account", "praise")


def with_urgent(join: Callable[[list[str]], Any]) -> list[Any]:
    """Each topic by itself and with another label, as a program writes one and two labels."""
    return [join([topic]) for topic in TOPICS] + [join([topic, "urgent"]) for topic in TOPICS]


@pytest.mark.parametrize(
    "join",
    ["#".join, "\n".join, "\r\n".join, lambda labels: "".join(f"<{label}>" for label in labels),
     lambda labels: " ".join(f"#{label}" for label in labels), lambda labels: ", ".join(f"#{label}" for label in labels),
     lambda labels: ", ".join(f"<{label}>" for label in labels)],
    ids=["a#b", "line ends", "carriage returns", "<a><b>", "#a #b", "#a, #b", "<a>, <b>"],
)  # fmt: skip
def test_signs_that_stand_in_no_name_part_labels(join: Callable[..., Any]) -> None:
    found = taken_apart(with_urgent(join), asked=False)

    assert found.values == [[topic] for topic in TOPICS] + [[topic, "urgent"] for topic in TOPICS]
    assert found.how is not None
    assert found.doubt is None


@pytest.mark.parametrize("sign", [" ", "/", "+", " / "])
def test_signs_that_stand_in_names_too_are_asked_about_and_part_labels_where_the_user_says_so(
    sign: str,
) -> None:
    cells = with_urgent(sign.join)

    asked_about, said = taken_apart(cells, asked=False), taken_apart(cells, asked=True)

    assert asked_about.values == cells
    assert f"{cells[5]!r}, which may be one label, or several" in (asked_about.doubt or "")
    assert said.values[:6] == [[topic] for topic in TOPICS] + [["delivery", "urgent"]]
    assert said.doubt is None


def test_tags_of_which_hardly_one_stands_alone_are_asked_about_too() -> None:
    land = ("primary", "water", "road", "farming", "habitation")
    cells = ["cloudy"] + [
        " ".join((*some, sky))
        for sky in ("clear", "haze")
        for many in (1, 2, 3)
        for some in combinations(land, many)
    ]

    assert taken_apart(cells, asked=False).doubt is not None
    assert taken_apart(cells, asked=True).values[-1] == ["road", "farming", "habitation", "haze"]


@pytest.mark.parametrize(
    "names",
    [
        ["credit card", "debit card", "card arrival", "card payment fee", "cash", "card", "top up failed", "top up"],
        ["very negative", "negative", "neutral", "positive", "very positive"],
        ["strongly agree", "agree", "somewhat agree", "neutral", "disagree", "strongly disagree", "somewhat disagree"],
        ["24/7 support", "and/or", "N/A", "TCP/IP", "other"],
        ["C", "C++", "C#", "F#", "Java", "Java EE"],
        ["<unknown>", "<html>", "text"],
        ["#1", "#2", "#3"],
        ["sports/football", "sports/tennis", "sports", "news/local", "news", "news/world"],
        ["1/5", "2/5", "3/5", "4/5", "5/5"],
        ["male young", "male old", "female young", "female old"],
        ["issue #1", "issue #2", "issue #3"],
        [f"{what}#{how}" for what in ("FOOD", "SERVICE", "PRICE", "PLACE") for how in ("QUALITY", "GENERAL", "STYLE")],
    ],
    ids=lambda names: names[0],
)  # fmt: skip
def test_names_of_several_words_and_with_signs_stay_one_label(names: list[str]) -> None:
    for asked in (False, True):
        found = taken_apart(names * 10, asked)

        assert (found.values, found.doubt) == (names * 10, None)


@pytest.mark.parametrize("codes", [["001", "010", "000"], ["011", "000"], ["0001", "0010", "0100", "1000"]])
def test_noughts_and_ones_that_may_be_codes_are_asked_about(codes: list[str]) -> None:
    assert "may be codes" in (taken_apart(codes, asked=False).doubt or "")
    assert taken_apart(codes, asked=True).vector


def test_noughts_and_ones_of_several_patterns_and_marks_are_vectors_of_labels() -> None:
    assert taken_apart(["011", "010", "000"], asked=False).values == [[1, 2], [1], []]
    assert taken_apart(["0 1 0", "0 0 1"], asked=False).values == [[1], [2]]
