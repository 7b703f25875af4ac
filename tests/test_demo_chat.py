"""The embedded conversations of the demo: each answer follows from its message by the rules in docs/demo-chat.md."""

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import luthier

ORDERS = Path(luthier.__file__).parent / "demo" / "orders.jsonl"
TOPICS = ["delivery", "refund", "damaged", "wrong_item", "account", "question"]
PRODUCTS = ["kettle", "teapot", "toaster", "blender", "grinder", "thermos", "wok", "apron"]
URGENCIES = ["low", "normal", "high"]


@pytest.fixture(scope="module")
def conversations() -> list[list[dict[str, str]]]:
    return [json.loads(line)["messages"] for line in ORDERS.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def messages(conversations: list[list[dict[str, str]]]) -> list[tuple[str, dict[str, Any]]]:
    """Each customer's message with the object that is to be made of it."""
    return [(user["content"], json.loads(answer["content"])) for _, user, answer in conversations]


def test_240_rows_share_one_instruction_and_answer_in_one_spelling(
    conversations: list[list[dict[str, str]]],
) -> None:
    answers = [turns[2]["content"] for turns in conversations]

    assert len(conversations) == 240
    assert {tuple(turn["role"] for turn in turns) for turns in conversations} == {
        ("system", "user", "assistant")
    }
    assert len({turns[0]["content"] for turns in conversations}) == 1
    assert [json.dumps(json.loads(answer)) for answer in answers] == answers
    assert {tuple(json.loads(answer)) for answer in answers} == {("topic", "order", "product", "urgency")}


def test_the_instruction_names_every_value(conversations: list[list[dict[str, str]]]) -> None:
    instruction = conversations[0][0]["content"]

    assert [value for value in TOPICS + PRODUCTS + URGENCIES if value not in instruction] == []


def test_values_are_those_of_the_rules_and_no_topic_is_rare(
    messages: list[tuple[str, dict[str, Any]]],
) -> None:
    counts = {key: Counter(wanted[key] for _, wanted in messages) for key in ("topic", "product", "urgency")}

    assert counts["topic"] == dict.fromkeys(TOPICS, 40)
    assert counts["product"].keys() == {*PRODUCTS, None}
    assert counts["urgency"].keys() == set(URGENCIES)
    assert min(counts["product"].values()) >= 18
    assert min(counts["urgency"].values()) >= 45


def test_the_digits_of_an_order_stand_in_its_message(messages: list[tuple[str, dict[str, Any]]]) -> None:
    ordered = [
        (re.sub(r"(?<=\d)[ -](?=\d)", "", text), wanted["order"])
        for text, wanted in messages
        if wanted["order"]
    ]

    assert [order for text, order in ordered if not re.search(rf"(?<!\d){order}(?!\d)", text)] == []
    assert [order for _, order in ordered if not re.fullmatch(r"\d{5}", order)] == []
    assert len({order for _, order in ordered}) == len(ordered)


def test_the_product_stands_in_its_message_and_none_is_named_where_it_is_null(
    messages: list[tuple[str, dict[str, Any]]],
) -> None:
    named = [
        ({product for product in PRODUCTS if product in text.lower()}, wanted["product"])
        for text, wanted in messages
    ]

    assert [product for found, product in named if product not in (found or (None,))] == []


def test_no_two_messages_are_near_copies(messages: list[tuple[str, dict[str, Any]]]) -> None:
    words = [re.findall(r"\w+", text.lower()) for text, _ in messages]
    five_in_a_row = [{tuple(row[start : start + 5]) for start in range(len(row) - 4)} for row in words]

    assert max(len(one & other) / len(one | other) for one, other in combinations(five_in_a_row, 2)) < 0.1
    assert all(8 <= len(text.split()) <= 60 for text, _ in messages)
