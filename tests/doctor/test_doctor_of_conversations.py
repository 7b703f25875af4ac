"""The doctor reads conversations and preferences: copies, leaks, empty answers, personal data, and how they are understood."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.checks.finding import Finding
from luthier.doctor.fixes import edits_for
from luthier.errors import StopFinding
from luthier.plan.plan import Plan
from luthier.prepare.rows import Rows, look_over, understand
from shapes import json_lines
from talk import registered, turns

WORDS = (
    *("amber", "birch", "cedar", "dune", "ember", "frost", "grove", "heath"),
    *("island", "juniper", "kelp", "lagoon", "meadow", "north", "oasis", "pine"),
)


@pytest.fixture(scope="module", autouse=True)
def kinds() -> Iterator[None]:
    """Tasks that understand conversations and preferences, as long as these tests run."""
    with registered():
        yield


def talks(count: int) -> list[dict[str, Any]]:
    """Different conversations."""
    return [
        {
            "messages": turns(
                f"Say {WORDS[n % 16]} and {WORDS[n // 16]} in your own words.",
                f"{WORDS[n % 16].title()}, {n}.",
            )
        }
        for n in range(count)
    ]


def read_rows(path: Path, rows: list[dict[str, Any]], **files: str) -> Rows:
    data = {"path": str(json_lines(path, rows)), **files}
    return understand(Plan.model_validate({"data": data}))


def findings(rows: Rows, *allowed: str) -> dict[str, Finding]:
    return {one.check: one for one in look_over(rows, allowed)}


def test_what_was_understood_speaks_of_conversations_and_of_those_that_are_none(tmp_path: Path) -> None:
    bad: list[dict[str, Any]] = [{"messages": []}, {"messages": turns("Hello", "")}]

    found = read_rows(tmp_path / "a.jsonl", [{**row, "source": "me"} for row in [*talks(58), *bad]])

    told = found.understanding.to_json()
    assert (told["task"], told["columns"], told["rows"]) == ("chat", {"messages": "messages"}, 58)
    assert (told["left_out"], told["left_out_by"]) == (2, {"no messages": 1, "no answer": 1})
    assert told["unread"] == ["source"]
    assert found.left_out == {"no messages": 1, "no answer": 1}


def test_rows_that_are_left_out_are_named_by_file_and_line(tmp_path: Path) -> None:
    rows = [*talks(58), {"messages": turns("Hello", "")}, {"messages": turns("Hello", " ")}]

    found = findings(read_rows(tmp_path / "a.jsonl", rows))["empty"]

    assert found.message == (
        "2 rows with no answer: a.jsonl, line 59 (turn 2 is the assistant's and empty) and a.jsonl, line 60 (turn 2 is the "
        "assistant's and empty). Left out."
    )
    assert [(row["file"], row["row"]) for row in found.rows] == [("a.jsonl", 59), ("a.jsonl", 60)]


def test_more_than_a_tenth_of_rows_without_an_answer_stop_a_run(tmp_path: Path) -> None:
    rows = read_rows(tmp_path / "a.jsonl", [*talks(50), *[{"messages": turns("Hello", "")}] * 7])

    with pytest.raises(StopFinding) as error:
        look_over(rows, ())

    assert str(error.value) == (
        f"{tmp_path / 'a.jsonl'}: 7 rows of 57 would be left out: 7 with no answer. So many mostly mean that a column or a file "
        "was misread, and what is learnt is learnt from the rest alone. Look at these rows. Fill them in, name other columns "
        "with --column ROLE=NAME, or delete them (luthier check --fix empty). --allow left-out goes on in spite of it."
    )


def test_one_prompt_with_two_answers_is_no_copy_and_no_contradiction(tmp_path: Path) -> None:
    again = [{"messages": turns("Say a word.", word)} for word in ("Amber.", "Birch.", "Amber.")]

    found = findings(read_rows(tmp_path / "a.jsonl", [*talks(57), *again]))

    assert found["copies"].message == "1 row repeats the conversation of an earlier row."
    assert "contradictions" not in found


def test_copies_stay_on_one_side_and_can_be_deleted(tmp_path: Path) -> None:
    rows = read_rows(tmp_path / "a.jsonl", [*talks(57), *[{"messages": turns("Say a word.", "Amber.")}] * 3])

    edits = list(edits_for(rows.evidence, ["copies"], {}, rows.understood.usable[:0]))

    assert [edit.line for _, edit in edits] == [59, 60]


def test_an_instruction_that_all_rows_share_makes_no_two_of_them_alike(tmp_path: Path) -> None:
    asked = "Decide whether this sentence from a review is positive or negative. Answer with one word.\n"
    dice = np.random.default_rng(0)
    said = ["".join(dice.choice(list("abcdefghijklmnop "), 24)) for _ in range(60)]
    rows = [{"messages": turns(f"{asked}{one}", "positive")} for one in said]

    found = findings(read_rows(tmp_path / "a.jsonl", rows))

    assert "near-copies" not in found
    assert found["boilerplate"].count == 60


def test_a_prompt_of_the_test_file_that_was_trained_on_is_a_leak(tmp_path: Path) -> None:
    test = json_lines(
        tmp_path / "test.jsonl",
        [{"messages": turns(row["messages"][0]["content"], "Else.")} for row in talks(3)],
    )

    found = findings(read_rows(tmp_path / "a.jsonl", talks(40), test=str(test)), "leaks")

    assert found["leaks"].message == "3 rows of the 3 test rows also stand in the training data."


def test_personal_data_in_any_turn_are_told_with_their_place_and_never_shown(tmp_path: Path) -> None:
    rows = [*talks(59), {"messages": turns("Who are you?", "Write to ann.lee@example.org.")}]

    found = findings(read_rows(tmp_path / "a.jsonl", rows))["personal-data"]

    assert found.message == "1 row seems to hold personal data: e-mail in 1 row."
    assert found.mend == "Write [e-mail], [phone] and [card] in their place: a.jsonl, line 60."
    assert found.rows == ()


def test_preferences_are_told_as_such(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": row["messages"][0]["content"],
            "chosen": "Gladly.",
            "rejected": f"No, {n}.",
            "score_chosen": 9.0,
        }
        for n, row in enumerate(talks(58))
    ]
    equal = rows[0] | {"rejected": "Gladly."}

    found = read_rows(tmp_path / "a.jsonl", [*rows, equal, rows[1]])

    told = found.understanding.to_json()
    assert told["task"] == "preference"
    assert told["columns"] == {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}
    assert told["left_out_by"] == {"chosen equal to rejected": 1}
    assert told["unread"] == ["score_chosen"]
    checks = findings(found)
    assert checks["empty"].message == "1 row with chosen equal to rejected: a.jsonl, line 59. Left out."
    assert checks["copies"].message == "1 row repeats the preference of an earlier row."


def test_judged_answers_are_understood(tmp_path: Path) -> None:
    rows = [
        {"prompt": row["messages"][0]["content"], "completion": f"Word {n}.", "label": n % 2 == 0}
        for n, row in enumerate(talks(40))
    ]

    found = read_rows(tmp_path / "a.jsonl", rows)

    assert found.guesses["task"] == "column 'label' says of each answer whether it is good"
    assert found.columns == {"prompt": "prompt", "completion": "completion", "label": "label"}
    assert {one.good for one in found.inputs(found.understood.usable)} == {True, False}
