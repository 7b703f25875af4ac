"""Whether a generated text is right: by exact match, by what stands in it, by its pattern, its number, its JSON."""

import json

import pytest

from luthier.errors import DataError
from luthier.scores import verifiers
from luthier.scores.json_answers import is_json, json_match
from luthier.scores.metrics import CHAT, METRICS
from luthier.scores.number_answers import is_number, number_match
from luthier.scores.verifiers import VERIFIERS, contains, exact_match, regex_match, verifier


def test_each_rule_has_the_name_of_the_metric_that_is_its_share() -> None:
    assert all(CHAT in METRICS[name].measures for name in VERIFIERS)
    assert list(VERIFIERS) == ["exact_match", "contains", "regex_match", "number_match", "json_match"]


@pytest.mark.parametrize("name", VERIFIERS)
def test_every_rule_finds_the_right_answer_itself_right(name: str) -> None:
    right = {"number_match": "12", "json_match": '{"a": [1, null]}'}.get(name, "card_arrival")

    assert VERIFIERS[name](right, right)
    assert not VERIFIERS[name]("", right)


def test_white_space_at_the_ends_is_all_that_an_exact_match_overlooks() -> None:
    assert exact_match("\n two words \t", "two words")
    assert not exact_match("two  words", "two words")
    assert not exact_match("Two words", "two words")


def test_an_empty_answer_stands_nowhere() -> None:
    assert not contains("anything", " ")
    assert not regex_match("anything", " ")


def test_a_pattern_of_the_user_is_asked_of_every_row_whatever_its_right_answer() -> None:
    asked = verifier("regex_match", pattern=r"^\w+$")

    assert [asked(text, "no pattern [") for text in ("one", "two words")] == [True, False]


def test_a_pattern_that_is_none_is_told() -> None:
    with pytest.raises(DataError) as told:
        regex_match("a text", "[a-")
    assert str(told.value).startswith("'[a-' is no regular expression (")
    assert str(told.value).endswith("Write it as Python's re takes them.")


def test_a_pattern_that_never_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifiers, "REGEX_SECONDS", 0.05)

    with pytest.raises(DataError) as told:
        regex_match("a" * 40 + "b", r"(a|aa)+(a|aa)+(a|aa)+c")

    assert str(told.value) == (
        "The regular expression '(a|aa)+(a|aa)+(a|aa)+c' was not done with one text of 41 characters after 0.05 seconds. "
        "Write it without repetitions inside of repetitions, such as (a+)+."
    )


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("It costs $1,234.50.", "1234.5"),
        ("so 3 + 4 = 7", "#### 7"),
        ("100", "1e2"),
        ("-$5", "-5"),
        ("−5 degrees", "-5.0"),
        ("50 %", "50"),
        ("1.2.3", "3"),
        ("the answer is...5", "5"),
        ("between 5-3", "3"),
        ("1,2,3", "3"),
        ("USD100", "100"),
        ("12'000", "12000"),
        (".5", "0.50"),
        ("1,234,567", "1234567"),
        ("0.10", "0.1"),
    ],
)
def test_numbers_are_equal_by_value(text: str, right: str) -> None:
    assert number_match(text, right)
    assert number_match(right, text)


@pytest.mark.parametrize(
    ("text", "right"),
    [("7 of 8", "7"), ("50 %", "0.5"), ("5", "-5"), ("no", "0"), ("", ""), ("1,234", "1.234"), ("1e9999999999999999999", "1")],
)  # fmt: skip
def test_other_numbers_or_none_are_not_equal(text: str, right: str) -> None:
    assert not number_match(text, right)
    assert not number_match(right, text)


def test_a_decimal_comma_is_read_where_it_is_said() -> None:
    assert number_match("Es sind 1.234,50 €", "1234,5", comma=True)
    assert not number_match("1.234,50", "1234.5", comma=True)
    assert not number_match("1,5", "1.5")


def test_a_text_is_a_number_only_as_a_whole() -> None:
    assert all(map(is_number, ("5", "-1,200.5", "$ 12", "-€3", "12 %", " 7 ", "1e3")))
    assert not any(map(is_number, ("5 boxes", "v2", "1 2", "", "A", "12.", "$")))


@pytest.mark.parametrize(
    "text",
    [
        '{"b": [1, {"c": null}], "a": "x"}',
        ' {"a":"x","b":[1.0,{"c":null}]}\n',
        '```json\n{"a": "x", "b": [1e0, {"c": null}]}\n```',
        'Format {so} [1]: {"a": "x", "b": [1, {"c": null}]} as you asked [sic], not {}.',
        '{"a": "\\u0078", "b": [1, {"c": null}]}',
    ],
)
def test_json_is_equal_by_meaning(text: str) -> None:
    assert json_match(text, '{"a": "x", "b": [1, {"c": null}]}')


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('{"a": true}', '{"a": 1}'),
        ('{"a": 0}', '{"a": false}'),
        ('{"a": "1"}', '{"a": 1}'),
        ('{"a": null}', "{}"),
        ('{"a": "X"}', '{"a": "x"}'),
        ("[1, 2]", "[2, 1]"),
        ("[1]", "[1, 1]"),
        ('{"a": 1, "a": 1}', '{"a": 1}'),
        ('{"a": NaN}', '{"a": NaN}'),
        ('{"a": 1,}', '{"a": 1}'),
        ("{'a': 1}", '{"a": 1}'),
        ("{}", ""),
        ("no JSON", "no JSON"),
        ("[9007199254740993]", "[9007199254740992]"),
        ("[1e99999999999999999999]", "[1e99999999999999999999]"),
        ("[" * 3000, "[" * 3000),
        ('{"a":' * 3000, "{}"),
    ],
)
def test_other_json_or_none_matches_nothing(text: str, right: str) -> None:
    assert not json_match(text, right)
    assert not json_match(right, text)


def test_json_of_any_spelling_is_the_same_json() -> None:
    value = {"topic": "délivery", "order": 12, "urgent": True, "tags": [None, 1.5, {"deep": []}]}
    spelt = [
        json.dumps(value, ensure_ascii=ascii_only, indent=indent, sort_keys=ordered)
        for ascii_only in (True, False)
        for indent in (None, 2)
        for ordered in (True, False)
    ]

    assert all(json_match(one, other) for one in spelt for other in spelt)
    assert all(map(is_json, spelt))
    assert not any(map(is_json, ("12", "null", '"text"', "", "{} {}")))
