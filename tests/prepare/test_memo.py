"""What is computed once for many runs: what tells two calls apart, and what is refused."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.plan.plan import Plan
from luthier.prepare.memo import MODELS, Memo
from luthier.prepare.prepare import Prepared, prepare
from tiny import likened_jsonl


@dataclass(frozen=True)
class Pile:
    """Something large, which cannot be hashed."""

    of: str
    size: float
    numbers: list[int] = field(default_factory=list)


@pytest.fixture(autouse=True)
def counts() -> Iterator[None]:
    CALLS.clear()
    yield
    CALLS.clear()


CALLS: list[str] = []
"""The functions that were computed, in order."""


def pile(of: str, size: float = 1.0) -> Pile:
    CALLS.append("pile")
    return Pile(of, size)


def counted(one: Pile, by: object) -> int:
    CALLS.append("counted")
    return len(one.of)


def as_it_is(one: Pile, note: str) -> Pile:
    CALLS.append("as it is")
    return one


def nothing(of: str) -> None:
    CALLS.append("nothing")


def test_the_same_call_is_computed_once() -> None:
    memo = Memo()

    assert memo.call(pile, "sand", size=2.0) is memo.call(pile, "sand", size=2.0)
    assert CALLS == ["pile"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("sand", 1.0), ("salt", 1.0)),
        (("sand", 1.0), ("sand", 2.0)),
        (("sand", 1), ("sand", 1.0)),
        (("sand", 1), ("sand", True)),
        (("sand",), ("sand", 1.0)),
        (("sand", (1, 2)), ("sand", (1, 2.0))),
    ],
)
def test_calls_that_differ_in_any_argument_are_computed_twice(
    one: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    memo = Memo()

    memo.call(pile, *one)
    memo.call(pile, *other)

    assert CALLS == ["pile", "pile"]


def test_each_setting_that_a_function_is_given_tells_calls_apart() -> None:
    memo = Memo()
    first = Plan.build({"data.path": "rows.csv"})

    for plan in (
        first,
        first.with_settings({"run.seed": 1}),
        first,
        first.with_settings({"task.metric": "f1"}),
    ):
        memo.call(pile, "sand", plan.of_rows())  # type: ignore[arg-type]  # no size, and a value all the same

    assert CALLS == ["pile"] * 3


def test_what_the_memo_made_counts_as_the_call_that_made_it() -> None:
    memo = Memo()

    lengths = [memo.call(counted, memo.call(pile, name), "word") for name in ("sand", "gravel", "sand")]

    assert lengths == [4, 6, 4]
    assert CALLS == ["pile", "counted", "pile", "counted"]


def test_a_value_that_is_handed_on_unchanged_is_still_what_its_maker_made() -> None:
    memo = Memo()
    first = memo.call(pile, "sand")

    for note in ("one", "other"):
        memo.call(counted, memo.call(as_it_is, first, note), "word")

    assert CALLS == ["pile", "as it is", "counted", "as it is"]


def test_nothing_is_a_value_as_any_other() -> None:
    memo = Memo()

    memo.call(nothing, "sand")
    memo.call(nothing, "sand")
    memo.call(nothing, None)  # type: ignore[arg-type]  # what `nothing` returned, and no word

    assert CALLS == ["nothing", "nothing"]


@pytest.mark.parametrize(
    "argument",
    [[1, 2], {"a": 1}, np.zeros(3), Pile("sand", 1.0), object(), (1, [2])],
    ids=["list", "dict", "array", "object with numbers", "plain object", "list inside"],
)
def test_an_argument_that_cannot_be_told_from_another_is_an_error(argument: object) -> None:
    memo = Memo()
    one = memo.call(pile, "sand")

    with pytest.raises(TypeError, match="cannot be told from another one by its value"):
        memo.call(counted, one, argument)
    assert CALLS == ["pile"]


def closing_over(size: float) -> Callable[[str], Pile]:
    def inner(of: str) -> Pile:
        return Pile(of, size)

    return inner


@pytest.mark.parametrize(
    "function",
    [lambda of: Pile(of, 1.0), closing_over(2.0), "sand".replace],
    ids=["lambda", "closure", "method"],
)
def test_a_function_that_knows_more_than_its_arguments_is_an_error(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="none of its arguments"):
        Memo().call(function, "a")


def none_of(of: str, among: tuple[str, ...]) -> tuple[str, ...]:
    CALLS.append("none of")
    return ()


def test_an_empty_answer_is_not_taken_for_an_empty_argument() -> None:
    """Python has one empty tuple for all."""
    memo = Memo()

    for _ in range(2):
        memo.call(none_of, "sand", ())
        memo.call(none_of, "salt", ())

    assert CALLS == ["none of"] * 2


def test_what_was_not_used_for_long_is_let_go_and_made_again() -> None:
    memo = Memo()
    first = memo.call(pile, "0")
    for number in range(1, MODELS + 1):
        memo.call(pile, str(number))

    with pytest.raises(TypeError, match="A Pile cannot be told"):
        memo.call(counted, first, "word")
    again = memo.call(pile, "0")

    assert again == first
    assert again is not first
    assert memo.call(counted, again, "word") == 1


# Runs of a search


def prepared(data: Path, model: Path, memo: Memo, **settings: Any) -> Prepared:
    own = {"data.path": str(data), "model.name": str(model), "run.precision": "fp32", "run.threads": 1}
    allowed = {"data.allow": ("near-copies", "copies", "leaks"), "data.validation": "held-out"}
    return prepare(Plan.build({**own, **allowed, **settings}), memo)


def shared(one: Prepared, other: Prepared) -> dict[str, bool]:
    """What two runs stand on together."""
    return {
        "rows": one.rows is other.rows,
        "base": one.base is other.base,
        "tokens": one.long is other.long,
        "evidence": one.checked.evidence is other.checked.evidence,
    }


@pytest.mark.parametrize(
    "settings", [{"train.lr": 1e-3}, {"model.pooling": "max"}, {"run.seed": 3, "data.split_seed": 0}]
)
def test_runs_that_train_otherwise_share_all_that_is_read(
    messages_file: Path, bert: Path, settings: dict[str, Any]
) -> None:
    memo = Memo()

    one, other = (prepared(messages_file, bert, memo, **more) for more in ({}, settings))

    assert shared(one, other) == {"rows": True, "base": True, "tokens": True, "evidence": True}


def test_runs_on_other_rows_share_the_model_alone(messages_file: Path, bert: Path) -> None:
    memo = Memo()

    one, other = (prepared(messages_file, bert, memo, **{"data.split_seed": seed}) for seed in (0, 1))

    assert shared(one, other) == {"rows": False, "base": True, "tokens": False, "evidence": False}


def test_settings_of_the_head_leave_the_tokens_of_pairs_as_they_are(
    tmp_path: Path, sentence_bert: Path
) -> None:
    data, memo = likened_jsonl(tmp_path / "rows.jsonl", 60), Memo()

    one, other = (prepared(data, sentence_bert, memo, **{"model.dropout": dropout}) for dropout in (0.2, 0.3))

    assert shared(one, other) == {"rows": False, "base": True, "tokens": True, "evidence": True}
